"""What tests of events and log lines ask a real Erlang node to do."""

from __future__ import annotations

from typing import Any

from tests.conftest import RunningNode
from tests.peers.erl import Erl

_PRELUDE = """
    N = '%s',
    Reply = fun() -> receive R when is_atom(R); element(1, R) =/= event, element(1, R) =/= log -> R
        after 5000 -> timeout end end,
    Ask = fun(T) -> {foo, N} ! T, Reply() end,
    Next = fun() -> receive {event, [U | H]} -> {U, H} after 5000 -> timeout end end,
    Log = fun() -> receive {log, P} -> P after 5000 -> timeout end end,
    Fire = fun(H) -> request(N, {sendevent, 'CUSTOM', py_test, H}) end,
    Get = fun(K, {_, H}) -> proplists:get_value(K, H, none); (_, E) -> E end,
    Numbers = fun L(Last) -> case Get("N", Next()) of
        Last -> [Last]; timeout -> [timeout]; V -> [V | L(Last)] end end,
    Nothing = fun() -> receive {event, E} -> {event, E}; {log, E} -> {log, E} after 100 -> nothing end end,
    ok
"""
"""In the process that evaluates:
    Ask(Term)       the reply to Term, events and log lines set aside
    Fire(Headers)   fires a CUSTOM event py_test, from another process: the atom ok
    Next()          the next event, as {UUID, Headers}, or the atom timeout
    Get(Key, Event) a header's value
    Numbers(Last)   the header N of the events from here to the one that says Last
    Log()           the next log line's property list
    Nothing()       the atom nothing, unless an event or a log line comes within a moment
"""


class Handler:
    """The evaluating process of an Erlang node, about to handle events of `node`."""

    def __init__(self, peer: Erl, node: RunningNode, *asked: str) -> None:
        """asked: terms that are sent in turn, each to be answered with ok."""
        self.peer = peer
        self.node = node
        peer.text(_PRELUDE % node.name)
        for term in ("noevents", "{filter, 'delete all'}", "nolog"):
            self.ask(term)
        for term in asked:
            assert self.ask(term) == "ok", term

    def ask(self, term: str) -> str:
        return self.peer.text(f"Ask({term})")

    def text(self, expressions: str, timeout: float = 20.0) -> str:
        return self.peer.text(f"(fun() -> {expressions} end)()", timeout)

    def eval(self, expressions: str, timeout: float = 20.0) -> Any:
        return self.peer.eval(f"(fun() -> {expressions} end)()", timeout)

    def received(self, fired: str) -> list[tuple[Any, Any]]:
        """Fire an event with those headers: all the headers that arrive."""
        assert self.text(f"Fire({fired})") == "ok"
        found = self.eval("Next()")
        assert isinstance(found, tuple), found
        return list(found[1])

    def received_added(self, fired: str) -> list[tuple[Any, Any]]:
        """The same without the switch's own, which end with Event-Sequence."""
        found = self.received(fired)
        return found[[name for name, _ in found].index(b"Event-Sequence") + 1 :]


def subscribed(peer: Erl, node: RunningNode, *more: str) -> Handler:
    """A handler of CUSTOM events py_test."""
    return Handler(peer, node, "register_event_handler", "{event, 'CUSTOM', py_test}", *more)
