"""What a step of a thread reads and writes, so that two steps which have nothing to do with each other are known.

A step is what a thread does from one point of the scheduler to the next: a lock is taken or let go of, something is
waited for, put into a queue, sent, or the switch is called. In between nobody else runs: two plain reads or writes
outside of a lock, without a point between them, are one step, and no order in which another thread comes between them
is tried (with DEPTH the histories of test_histories.py do, line by line).

Noted are locks, queues and the clock of the scheduler; each attribute that is ever assigned outside of an `__init__`,
with a lock held or without, of the objects of the package and of those that are played; and the dictionaries, lists,
sets and deques that such objects are made with, each as one. Not noted are containers that somebody else had before
(`shared`), variables of a module, and of a function that others see (`nonlocal`), and what C code keeps. Frozen objects
do not change.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any, ClassVar, TypeAlias, cast

Touches: TypeAlias = "dict[object, bool]"
"""What a step has touched, and whether it wrote it."""


class Now:
    """watching: whether objects have names. touches: of the step under way; None while nobody notes.
    maker: which thread makes objects now."""

    watching = False
    touches: Touches | None = None
    locks: ClassVar[dict[object, tuple[Any, bool]]] = {}
    maker: object = ()
    made: ClassVar[Counter[object]] = Counter()
    names: ClassVar[dict[int, tuple[object, object]]] = {}
    """Of objects by their id, with the object, so that it stays."""


def begin_run() -> None:
    """Objects have the same names in each run in which their thread does the same."""
    Now.touches, Now.maker = None, ()
    Now.locks.clear()
    Now.made.clear()
    Now.names.clear()


def new_name() -> object:
    maker = Now.maker
    Now.made[maker] += 1
    return (maker, Now.made[maker])


def name_of(one: object) -> object:
    """Given when it is asked for first, so by who makes it."""
    if not Now.watching:
        return None
    known = Now.names.get(id(one))
    if known is None:
        known = Now.names[id(one)] = (new_name(), one)
    return known[0]


def touch(one: object, what: str, write: bool) -> None:
    touches = Now.touches
    if touches is not None:
        key = (name_of(one), what)
        touches[key] = write or touches.get(key, False)


CLOCK = "clock"


def touch_clock(write: bool) -> None:
    if Now.touches is not None:
        Now.touches[CLOCK] = write or Now.touches.get(CLOCK, False)


def touch_lock(lock: Any) -> None:
    """Before it is taken, let go of, or looked at."""
    if Now.touches is not None:
        Now.locks.setdefault(name_of(lock), (lock, lock._locked))


def take_touches() -> Touches | None:
    """Of the step, which is over. A lock that it took and let go of was only looked at: whether it was free."""
    touches, Now.touches = Now.touches, None
    if touches is not None:
        for name, (lock, before) in Now.locks.items():
            touches[name] = lock._locked != before
    Now.locks.clear()
    return touches


def conflict(one: Touches, other: Touches) -> bool:
    if len(other) < len(one):
        one, other = other, one
    return any(key in other and (write or other[key]) for key, write in one.items())


# --- containers -----------------------------------------------------------------------------------------------------

READS = [
    "__getitem__",
    "get",
    "__contains__",
    "__iter__",
    "__len__",
    "__eq__",
    "__reversed__",
    "keys",
    "values",
    "items",
    "copy",
    "index",
    "count",
    "__or__",
    "__and__",
    "__sub__",
    "__le__",
    "__lt__",
    "isdisjoint",
    "issubset",
    "union",
    "__add__",
    "__mul__",
    "most_common",
    "total",
    "elements",
]
WRITES = [
    "__setitem__",
    "__delitem__",
    "pop",
    "popitem",
    "popleft",
    "append",
    "appendleft",
    "extend",
    "extendleft",
    "add",
    "discard",
    "remove",
    "clear",
    "update",
    "setdefault",
    "insert",
    "__ior__",
    "__iadd__",
    "__isub__",
    "sort",
    "reverse",
    "subtract",
    "move_to_end",
    "rotate",
    "__missing__",
]
INNER = (dict, list, set, deque)


def _noting(base: type, name: str, writes: bool) -> Callable[..., Any]:
    method = getattr(base, name)

    @wraps(method)
    def noted(self: Any, *given: Any, **named: Any) -> Any:
        touches = Now.touches
        if touches is None:
            return method(self, *given, **named)
        result = method(self, *given, **named)
        key = (name_of(self), "")
        # what is inside of it, and can be changed, counts as a part of it
        touches[key] = writes or touches.get(key, False) or isinstance(result, INNER)
        return result

    return noted


def _watched(base: type) -> type:
    members: dict[str, Any] = {"__hash__": None}
    for names, writes in ((READS, False), (WRITES, True)):
        members |= {name: _noting(base, name, writes) for name in names if name in dir(base)}
    return type(f"Watched{base.__name__}", (base,), members)


CONTAINERS = {base: _watched(base) for base in (dict, list, set, deque, Counter, OrderedDict, defaultdict)}


def _container(value: Any) -> Any:
    made = CONTAINERS[type(value)]
    if type(value) is defaultdict:
        watched = made(value.default_factory, value)
    else:
        watched = made(value, value.maxlen) if type(value) is deque else made(value)
    name_of(watched)
    return watched


# --- objects --------------------------------------------------------------------------------------------------------


class Attribute:
    """One that is assigned while threads run. below: its slot; None when it is in the object's dictionary."""

    def __init__(self, name: str, below: Any, default: object) -> None:
        self.name = name
        self.below = below
        self.default = default

    def __get__(self, one: Any, owner: type | None = None) -> Any:
        if one is None:
            return self.default
        if Now.touches is not None:
            touch(one, self.name, False)
        if self.below is not None:
            return self.below.__get__(one, owner)
        try:
            return one.__dict__[self.name]
        except KeyError:
            if self.default is not MISSING:
                return self.default
            raise AttributeError(self.name) from None

    def __set__(self, one: Any, value: Any) -> None:
        if Now.touches is not None:
            touch(one, self.name, True)
        if type(value) in CONTAINERS and not (value and sys.getrefcount(value) > ALONE_SET):
            value = _container(value)
        if self.below is not None:
            self.below.__set__(one, value)
        else:
            one.__dict__[self.name] = value

    def __delete__(self, one: Any) -> None:
        touch(one, self.name, True)
        del one.__dict__[self.name]


MISSING = object()
ALONE_SET = 100  # see _calibrate
ALONE_INIT = 100
shared: set[str] = set()
"""Attributes whose container somebody else has too, so that it is not watched."""


def _initializing(cls: type, init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def initialize(self: Any, *given: Any, **named: Any) -> None:
        name_of(self)
        init(self, *given, **named)
        kept = getattr(self, "__dict__", None)
        if kept is not None:
            for name in list(kept):
                if type(kept[name]) in CONTAINERS:
                    if sys.getrefcount(kept[name]) > ALONE_INIT:
                        shared.add(f"{cls.__name__}.{name}")
                    else:
                        kept[name] = _container(kept[name])

    return initialize


@contextmanager
def watched() -> Iterator[None]:
    """Objects that are made meanwhile note what is done with them."""
    before: list[tuple[type, str, Any]] = []
    Now.watching = True
    try:
        for cls, names in _classes():
            for name in names:
                old = cls.__dict__.get(name, MISSING)
                below = old if isinstance(old, MemberDescriptorType) else None
                before.append((cls, name, old))
                setattr(cls, name, Attribute(name, below, MISSING if below is not None else old))
            if "__init__" in cls.__dict__:
                before.append((cls, "__init__", cls.__dict__["__init__"]))
                cls.__init__ = _initializing(cls, cls.__dict__["__init__"])  # type: ignore[misc]
        yield
    finally:
        for cls, name, old in reversed(before):
            if old is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, old)
        Now.watching = False
        begin_run()


def _modules() -> list[ModuleType]:
    """Those that are imported: of the package, but for terms and the real switch, and of what is played."""
    return [module for name, module in sorted(sys.modules.items()) if _is_watched(name, module)]


def _is_watched(name: str, module: ModuleType) -> bool:
    if not name.startswith(("mod_erlang_py.", "tests.models.")):
        return False
    ours = name.startswith("mod_erlang_py.switch.freeswitch") or name.rpartition(".")[2] in OURS
    return not ours and (module.__file__ or "").endswith(".py")


OURS = ("scheduler", "schedules", "touched", "reduction", "order")


def _classes() -> list[tuple[type, list[str]]]:
    return _found(tuple(_modules()))


@cache
def _found(modules: tuple[ModuleType, ...]) -> list[tuple[type, list[str]]]:
    trees = [(module, _tree(module)) for module in modules]
    assigned = set().union(*(_assigned(tree) for _, tree in trees))
    found = []
    for module, tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef):
                continue
            cls = getattr(module, node.name, None)
            if not isinstance(cls, type) or cls.__module__ != module.__name__ or _is_fixed(cls):
                continue
            own = _own(node)
            if dataclasses.is_dataclass(cls):
                names = [field.name for field in dataclasses.fields(cls) if field.name in own]
            else:
                names = sorted(own & assigned)
            plain = [name for name in names if _is_kept(cls, name)]
            found.append((cls, plain))
    return found


def _is_kept(cls: type, name: str) -> bool:
    """Whether its instances have it, each its own."""
    there = cls.__dict__.get(name)
    if isinstance(there, MemberDescriptorType):
        return True
    return cls.__dictoffset__ != 0 and not isinstance(there, (FunctionType, property, type))


@cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(module.__file__ or "").read_text())


def _is_fixed(cls: Any) -> bool:
    frozen = dataclasses.is_dataclass(cls) and cast(Any, cls).__dataclass_params__.frozen
    return frozen or issubclass(cls, (enum.Enum, BaseException, tuple)) or getattr(cls, "_is_protocol", False)


def _assigned(tree: ast.AST) -> set[str]:
    """Attributes that are, but as `self.x` in an `__init__`."""
    names: set[str] = set()
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.Lambda)):
            begins = getattr(function, "name", "") == "__init__"
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                    if not (begins and _is_self(node.value)):
                        names.add(node.attr)
                elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setattr":
                    names |= {str(one.value) for one in node.args if isinstance(one, ast.Constant)}
    return names


def _own(node: ast.ClassDef) -> set[str]:
    """Attributes of a class: those in its body, and those that it assigns to itself."""
    names: set[str] = set()
    part: ast.AST
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            names.add(part.target.id)
        elif isinstance(part, ast.Assign):
            names |= {target.id for target in part.targets if isinstance(target, ast.Name)}
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and not isinstance(part.ctx, ast.Load) and _is_self(part.value):
            names.add(part.attr)
    return names - {"__slots__"}


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


class _Alone:
    """Has containers that nobody else has: so many references to them are no sign of somebody else."""

    set_later: Any

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def later(self) -> None:
        self.set_later = {}


def _calibrate() -> tuple[int, int]:
    one = _Alone()
    kept = one.__dict__
    init = max(sys.getrefcount(kept[name]) for name in list(kept))
    counts: list[int] = []

    class Counting(Attribute):
        def __set__(self, one: Any, value: Any) -> None:
            counts.append(sys.getrefcount(value))

    _Alone.set_later = Counting("set_later", None, MISSING)
    one.later()
    return init, counts[0]


ALONE_INIT, ALONE_SET = _calibrate()
