"""`erlang rights`."""

from __future__ import annotations

from collections.abc import Sequence

from mod_erlang_py.config.rights import ALLOW, ALLOW_API, DENY_API, NONE, Family
from mod_erlang_py.requests.context import Context
from mod_erlang_py.requests.rights import refuses

from .printout import Printout, usage


def rights(context: Context, arguments: Sequence[str]) -> Printout:
    """What a node of that name may ask for, connected or not; with an API command, whether it may run it."""
    if not arguments:
        return usage()
    name, *command = arguments
    return _command(context, name, command) if command else _all(context, name)


def _command(context: Context, name: str, words: Sequence[str]) -> Printout:
    of = context.node.config.rights_of(name)
    why = of.refuses(Family.API) or refuses(of, words[0], " ".join(words[1:]).encode("utf-8", "surrogateescape"))
    text = f"{name} may {' '.join(words)}" if why is None else f"{name} may not {' '.join(words)}: {why}"
    return Printout(f"{text}\n", {"node": name, "command": " ".join(words), "allowed": why is None, "why": why})


def _all(context: Context, name: str) -> Printout:
    config, link = context.node.config, context.node.link_to(name)
    rule, of = config.rule_of(name), config.rights_of(name)
    own = rule is not None and rule.cookie is not None
    lines = [
        ("node", name),
        ("rule", "none, but <settings>" if rule is None else f'<node name="{rule.name}">'),
        ("cookie", "its own" if own else "that of <settings>"),
        (ALLOW, " ".join(of.names()) or NONE),
        *((ALLOW_API, str(pattern)) for pattern in of.allow_api or ()),
        *((DENY_API, str(pattern)) for pattern in of.deny_api),
        ("denied", "not connected" if link is None else f"{link.denied} requests"),
    ]
    data = {
        "node": name,
        "rule": None if rule is None else rule.name,
        "own_cookie": own,
        "allow": of.names(),
        "allow_api": None if of.allow_api is None else [str(pattern) for pattern in of.allow_api],
        "deny_api": [str(pattern) for pattern in of.deny_api],
        "denied": None if link is None else link.denied,
    }
    return Printout("".join(f"{what:<11}{value}\n" for what, value in lines), data)
