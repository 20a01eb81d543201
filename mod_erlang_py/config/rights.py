"""What a node may ask for: families of messages and API commands; and its cookie. In <settings> for every node, in
<nodes> for those whose name a <node> has.

What is wrong here is never passed over, nor replaced by a default: that would allow what was to be denied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase, translate

from mod_erlang_py.config.values import cookie, cookie_file, flag
from mod_erlang_py.errors import ConfigError

Params = Sequence[tuple[str, str]]

MAX_ARGUMENTS = 64 * 1024
"""Bytes of a command's arguments that are looked at; longer ones match no pattern that allows, and all that deny."""
EXPANSION = "${"
"""Where a switch puts a value, or the output of another command, in place of what follows."""
WHITESPACE = " \t\n\v\f\r"


class Family(Enum):
    """Of messages, by their names in the setting `allow`."""

    API = "api"
    EVENTS = "events"
    SENDEVENT = "sendevent"
    LOGS = "logs"
    CALLS = "calls"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Of API commands: a word for the command, then, unless any will do, a pattern for all of its arguments; both as
    fnmatch has it, but that case does not count, which the switch does not look at either.

    str() of one is what `of` reads.
    """

    command: str
    arguments: str | None = None
    _command: re.Pattern[bytes] = field(init=False, repr=False, compare=False)
    _arguments: re.Pattern[bytes] = field(init=False, repr=False, compare=False)
    _words: re.Pattern[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        arguments = _bytes("*" if self.arguments is None else self.arguments)
        object.__setattr__(self, "_command", _compiled(_bytes(self.command)))
        object.__setattr__(self, "_arguments", _compiled(arguments))
        object.__setattr__(self, "_words", _compiled(_words(arguments)))

    @classmethod
    def of(cls, text: str) -> Pattern:
        """Raises ValueError."""
        words = text.strip(WHITESPACE).split(None, 1)
        if not words or any("[" in word and not _closed(word) for word in words):
            raise ValueError("a pattern of a command, perhaps with one of its arguments; each [ is closed by a ]")
        return cls(*words)

    def __str__(self) -> str:
        return self.command if self.arguments is None else f"{self.command} {self.arguments}"

    @property
    def names(self) -> bool:
        """Whether it stands for one command, without a wildcard."""
        return not set(self.command) & set("*?[")

    @property
    def expands(self) -> bool:
        return EXPANSION in (self.arguments or "")

    def matches(self, command: bytes, arguments: bytes) -> bool:
        """Both in lower case, without whitespace around them."""
        return bool(self._command.match(command) and self._arguments.match(arguments))

    def matches_words(self, command: bytes, words: bytes) -> bool:
        """The same by the words that a switch makes of the arguments, `_words`."""
        return bool(self._command.match(command) and self._words.match(words))


def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    """One character a byte: a switch knows no other letters than those of ASCII."""
    return re.compile(translate(pattern.lower().decode("latin-1")).encode("latin-1"))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _words(arguments: bytes) -> bytes:
    """What most commands see of them, with a blank between two words (switch_separate_string): another character
    between them, which ^^ names, quotes and escapes make no difference."""
    if arguments.startswith(b"^^") and len(arguments) > 3:
        arguments = arguments[3:].replace(arguments[2:3], b" ")
    return b" ".join(_unquoted(re.sub(rb"\\[nrts]", b" ", arguments)).split())


def _unquoted(arguments: bytes) -> bytes:
    return arguments.translate(None, b"'\"\\")


def _closed(pattern: str) -> bool:
    """Whether each `[` has its `]`, for which one that comes first in it does not count."""
    return "[" not in re.sub(r"\[!?\][^\]]*\]|\[!?[^\]]+\]", "", pattern)


@dataclass(frozen=True, slots=True)
class Rights:
    """families: of messages that may be sent. allow_api: which commands may run, or None for all; deny_api: which of
    these may not."""

    families: frozenset[Family] = frozenset(Family)
    allow_api: tuple[Pattern, ...] | None = None
    deny_api: tuple[Pattern, ...] = ()

    def __str__(self) -> str:
        words = [f"allow {' '.join(self.names()) or NONE}"]
        words += [f"allow-api {pattern}" for pattern in self.allow_api or ()]
        words += [f"deny-api {pattern}" for pattern in self.deny_api]
        return ", ".join(words)

    def names(self) -> list[str]:
        """Of the families."""
        return [family.value for family in Family if family in self.families]

    @property
    def has_patterns(self) -> bool:
        """Whether what a command is counts at all."""
        return self.allow_api is not None or bool(self.deny_api)

    def refuses(self, family: Family) -> str | None:
        """Why, as `refuses_command`."""
        return None if family in self.families else f"{ALLOW} is {' '.join(self.names()) or NONE}"

    def refuses_command(self, command: str, arguments: bytes, indirect: bool = False) -> str | None:
        """Why, for the operator; None when it may run. indirect: whether it can run others.

        If so, or when its arguments are to be expanded, it can do more than what stands there: where there are patterns
        at all, one that allows it has to say so, by the command's name, by the `${`.
        """
        if not self.has_patterns:
            return None
        name = _bytes(command.strip(WHITESPACE)).lower()
        raw = arguments.strip(WHITESPACE.encode())
        if len(raw) > MAX_ARGUMENTS:
            return f"over {MAX_ARGUMENTS} bytes"
        given, words = raw.lower(), _words(raw).lower()
        for pattern in self.deny_api:
            if pattern.matches(name, given) or pattern.matches_words(name, words):
                return f"{DENY_API} {pattern}"
        expands = EXPANSION.encode() in _unquoted(given)
        if self.allow_api is None:
            fits = not (indirect or expands)
        else:
            fitting = [one for one in self.allow_api if one.matches(name, given)]
            if not fitting:
                return f"no {ALLOW_API} for it"
            fits = any((one.names or not indirect) and (one.expands or not expands) for one in fitting)
        if fits:
            return None
        wanted = "that names it, and it can run others" if indirect else f"with {EXPANSION}"
        return f"no {ALLOW_API} {wanted}"


@dataclass(frozen=True, slots=True)
class NodeRule:
    """A <node>. name: a pattern, in which case counts. cookie: its own, or None for that of <settings>.
    tls_required: whether it connects, and is connected to, by TLS alone."""

    name: str
    rights: Rights
    cookie: str | None = field(default=None, repr=False)
    tls_required: bool = False

    def __str__(self) -> str:
        words = [str(self.rights), *["cookie ***"] * (self.cookie is not None), *[TLS_REQUIRED] * self.tls_required]
        return f"{self.name} ({', '.join(words)})"

    def is_of(self, node: str) -> bool:
        return fnmatchcase(node, self.name)


ALL, NONE = "all", "none"
ALLOW, ALLOW_API, DENY_API = "allow", "allow-api", "deny-api"
NAMES = (ALLOW, ALLOW_API, DENY_API)
"""The parameters that make Rights, in <settings> and in a <node>; each may be given several times, and adds up."""
COOKIES = {"cookie": cookie, "cookie-file": cookie_file}
TLS_REQUIRED = "tls-required"
OF_A_NODE = (*COOKIES, TLS_REQUIRED)
"""What a <node> may have besides."""


def rights(params: Params, general: Rights | None = None, of: str = "") -> Rights:
    """general: what <settings> says, for a <node>: all it denies, and what the node does not say. of: what an error
    names beside the parameter. Raises ConfigError."""
    families: set[Family] | None = None
    patterns: dict[str, list[Pattern]] = {}
    for name, value in params:
        try:
            if name == ALLOW:
                families = (families or set()) | _families(value)
            elif name in NAMES:
                patterns.setdefault(name, []).append(Pattern.of(value))
        except ValueError as error:
            raise ConfigError(of + name, value, str(error)) from None
    made = general or Rights()
    if families is not None:
        made = replace(made, families=frozenset(families))
    if ALLOW_API in patterns:
        if Family.API not in made.families:
            wanted = f"{Family.API.value} in {ALLOW}, without which no command is allowed"
            raise ConfigError(of + ALLOW_API, str(patterns[ALLOW_API][0]), wanted)
        made = replace(made, allow_api=tuple(patterns[ALLOW_API]))
    return replace(made, deny_api=made.deny_api + tuple(patterns.get(DENY_API, ())))


def _families(value: str) -> set[Family]:
    words = value.replace(",", " ").lower().split()
    if words == [ALL]:
        return set(Family)
    if words == [NONE]:
        return set()
    try:
        found = {Family(word) for word in words}
    except ValueError:
        found = set()
    if not found:
        raise ValueError(f"{ALL}, {NONE}, or some of {' '.join(family.value for family in Family)}")
    return found


def node_rules(nodes: Iterable[tuple[str, Params]], general: Rights) -> tuple[NodeRule, ...]:
    """In the order of the file: of a node, the first that has its name counts. Raises ConfigError."""
    return tuple(_rule(name, params, general) for name, params in nodes)


def _rule(name: str, params: Params, general: Rights) -> NodeRule:
    if not ("@" in name or "*" in name) or any(one.isspace() for one in name) or not _closed(name):
        raise ConfigError("node", name, "a name, NAME@HOST, perhaps with *, ? or [...]")
    secret, tls_required = None, False
    for param, value in params:
        if param in NAMES:
            continue
        if param not in OF_A_NODE:
            raise ConfigError(f"node {name}: {param}", "***", f"one of {', '.join((*OF_A_NODE, *NAMES))}")
        try:
            if param == TLS_REQUIRED:
                tls_required = flag(value)
            else:
                secret = COOKIES[param](value)
        except ValueError as error:
            shown = "***" if param == "cookie" else value
            raise ConfigError(f"node {name}: {param}", shown, str(error)) from None
    return NodeRule(name, rights(params, general, f"node {name}: "), secret, tls_required)
