"""Which package may import which (the arrows point one way), and how long a module may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "mod_erlang_py"
MAX_LINES = 400

ERRORS = frozenset({"errors"})
LEAVES = ERRORS | {"log_levels"}
SWITCH = LEAVES | {"switch.port"}
ETF = ERRORS | {"etf"}
DISTRIBUTION = ETF | {"distribution"}
NODE = DISTRIBUTION | LEAVES | {"config", "log_lines", "node"}
EVENTS = NODE | SWITCH | {"events"}
CALLS = EVENTS | {"calls"}
XML = EVENTS | {"xml"}
LOGS = EVENTS | {"logs"}
REQUESTS = CALLS | XML | LOGS | {"requests", "installed"}
FIGURES = REQUESTS | {"figures", ""}
CONSOLE = FIGURES | {"console"}

MAY_IMPORT = {
    "": frozenset(),
    "errors": frozenset(),
    "log_levels": frozenset(),
    "log_lines": frozenset(),
    "code": frozenset(),
    "installed": frozenset({"code"}),
    "config": ERRORS | {"config"},
    "etf": ETF,
    "distribution": DISTRIBUTION,
    "switch": frozenset(),
    "switch.port": SWITCH,
    "switch.freeswitch": SWITCH | {"switch.freeswitch"},
    "switch.simulated": SWITCH | {"switch.simulated"},
    "node": NODE,
    "events": EVENTS,
    "calls": CALLS,
    "xml": XML,
    "logs": LOGS,
    "requests": REQUESTS,
    "figures": FIGURES,
    "console": CONSOLE,
    "service": CONSOLE | {"service"},
    "entry": CONSOLE | {"service", "switch.freeswitch"},
    "__main__": CONSOLE | {"service", "switch.simulated"},
}
"""The parts of the package, and what each may import of it. A part is a module, with all below it; "" is the package's
own `__init__`, which holds the version."""

TABLES = {"distribution.control": "the control messages, a class each"}
"""Modules that may be longer, and of what they are a table."""


@cache
def modules() -> dict[str, Path]:
    """By name without the package's: "etf.codec", "etf" for its `__init__`, "" for that of the package."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """The package's modules that it names in an import, wherever in it that stands."""
    path = modules()[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found: set[str] = set()
    for name in _named(ast.parse(path.read_text()), [PACKAGE, *filter(None, package)]):
        if name != PACKAGE and not name.startswith(f"{PACKAGE}."):
            continue
        inside = name.removeprefix(PACKAGE).removeprefix(".")
        if inside in modules():
            found.add(inside)
    return frozenset(found - {module})


def _named(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """Every module that is imported, by its whole name. package: where the tree's own module lies."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner.removeprefix(f"{PACKAGE}.") in modules() else base


def part(module: str) -> str:
    """The longest name in the table that it begins with."""
    names = [name for name in MAY_IMPORT if module == name or (name and module.startswith(f"{name}."))]
    return max(names, key=len)


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_it_may(name: str) -> None:
    wrong = {
        f"{module} imports {other or PACKAGE}"
        for module in modules()
        if part(module) == name
        for other in imports(module)
        if part(other) not in MAY_IMPORT[name]
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_every_part_is_there_and_every_module_in_one() -> None:
    """The table speaks of what is, and nothing falls through to the package's own name."""
    assert {part(module) for module in modules()} == set(MAY_IMPORT)
    assert [module for module in modules() if part(module) == ""] == [""]


def test_no_part_may_import_one_that_may_import_it() -> None:
    """So the arrows of the table point one way."""
    for name, below in MAY_IMPORT.items():
        for other in below - {name}:
            assert name not in MAY_IMPORT[other], (name, other)


def test_there_is_no_circle() -> None:
    found: list[str] = []
    done: set[str] = set()

    def follow(module: str, way: list[str]) -> None:
        if module in way:
            found.append(" -> ".join([*way[way.index(module) :], module]))
        elif module not in done:
            for other in sorted(imports(module)):
                follow(other, [*way, module])
            done.add(module)

    for module in modules():
        follow(module, [])
    assert not found, "\n".join(found)


def test_the_simulated_switch_is_needed_by_nobody_else() -> None:
    """It is not installed into a FreeSWITCH."""
    users = {module for module in modules() for other in imports(module) if part(other) == "switch.simulated"} - {
        module for module in modules() if part(module) == "switch.simulated"
    }
    assert users == {"__main__"}


@pytest.mark.parametrize("package", [name for name, path in modules().items() if path.name == "__init__.py"])
def test_a_package_says_who_lives_there(package: str) -> None:
    """Each file and each folder, and none that is gone: in the docstring of its `__init__`."""
    init = modules()[package]
    folder = init.parent
    told = ast.get_docstring(ast.parse(init.read_text())) or ""
    there = {path.name for path in folder.iterdir() if path.suffix in {".py", ".c", ".h"}} - {init.name}
    there |= {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    assert {name for name in there if not re.search(rf"(?<!\w){re.escape(name)}", told)} == set()
    assert set(re.findall(r"^ *(\w+(?:\.(?:py|c|h)|/)) ", told, re.MULTILINE)) <= there


def test_modules_are_short() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in modules().items()}
    long = {module: lines for module, lines in lengths.items() if lines > MAX_LINES}
    assert {module: lines for module, lines in long.items() if module not in TABLES} == {}
    assert set(TABLES) <= set(long), "those are not long"


@pytest.mark.parametrize(
    ("text", "package", "named"),
    [
        ("import os, mod_erlang_py.etf.codec", [PACKAGE], {"os", "mod_erlang_py.etf.codec"}),
        ("from mod_erlang_py import etf, __version__", [PACKAGE], {"mod_erlang_py.etf", "mod_erlang_py"}),
        ("from mod_erlang_py.errors import BadArg", [PACKAGE], {"mod_erlang_py.errors"}),
        ("from .codec import encode", [PACKAGE, "etf"], {"mod_erlang_py.etf.codec"}),
        ("from . import codec", [PACKAGE, "etf"], {"mod_erlang_py.etf.codec"}),
        ("from ..errors import BadArg", [PACKAGE, "etf"], {"mod_erlang_py.errors"}),
        ("def f():\n    from mod_erlang_py.node import node", [PACKAGE], {"mod_erlang_py.node.node"}),
        ("if TYPE_CHECKING:\n    from mod_erlang_py.etf import terms", [PACKAGE], {"mod_erlang_py.etf.terms"}),
    ],
)
def test_what_an_import_names(text: str, package: list[str], named: set[str]) -> None:
    assert set(_named(ast.parse(text), package)) == named
