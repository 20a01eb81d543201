"""Subscriptions of one's own, from real Erlang nodes: subscribe, unsubscribe, ack."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl

PRELUDE = """
    N = '%s',
    Reply = fun() -> receive R when R =:= ok; element(1, R) =:= ok; element(1, R) =:= error -> R
        after 5000 -> timeout end end,
    Ask = fun(T) -> {foo, N} ! T, Reply() end,
    Subscribe = fun(Events, Options) -> {ok, S} = Ask({subscribe, Events, Options}), S end,
    Fire = fun(H) -> ok = request(N, {sendevent, 'CUSTOM', own_test, H}) end,
    Next = fun(S) -> receive {event, S, E} -> E after 5000 -> timeout end end,
    Get = fun(K, [_ | H]) -> proplists:get_value(K, H, none); (K, #{} = M) -> maps:get(K, M, none); (_, E) -> E end,
    Numbers = fun(S, Count) -> [Get("N", Next(S)) || _ <- lists:seq(1, Count)] end,
    Nothing = fun() -> Fire([{"N", "last"}]), M = {foo, N}, M ! {api, echo, "settled"},
        receive {ok, "settled"} -> flush() after 5000 -> timeout end end,
    Own = ['CUSTOM', own_test],
    ok
"""
"""In the process that evaluates:
    Ask(Term)             the reply to Term
    Subscribe(Es, Os)     the reference
    Fire(Headers)         fires a CUSTOM event own_test, from another process
    Next(S)               the next event of a subscription
    Get(Key, Event)       a header's value
    Numbers(S, Count)     the header N of the next events of a subscription
"""

SETTLED = "receive {event, _, _} = Early -> {early, Early} after 100 -> nothing end"


class Subscriber:
    """The evaluating process of an Erlang node, with nothing subscribed to."""

    def __init__(self, peer: Erl, node: RunningNode) -> None:
        self.peer = peer
        self.node = node
        peer.text(PRELUDE % node.name)
        assert self.text("Ask({unsubscribe, all})") == "ok"
        peer.text("flush()")

    def text(self, expressions: str, timeout: float = 20.0) -> str:
        return self.peer.text(f"(fun() -> {expressions} end)()", timeout)

    def error(self, term: str) -> str:
        """What is said to be wrong."""
        found = re.fullmatch(r'\{error,\{badarg,"(.*)"\}\}', self.text(f"Ask({term})"))
        assert found, self.text(f"Ask({term})")
        return found[1]

    def shown(self) -> list[dict[str, object]]:
        """Its node's, in `erlang handlers json`."""
        handlers = json.loads(self.node.api("erlang handlers json"))["handlers"]
        return next((one["subscriptions"] for one in handlers if one["node"] == self.peer.name), [])


@pytest.fixture
def own(node: RunningNode, erl: StartErl) -> Subscriber:
    return Subscriber(erl(node), node)


# --- what is subscribed to ----------------------------------------------------------------------------------------


def test_an_event(own: Subscriber) -> None:
    found = own.text(
        'S = Subscribe([{\'CUSTOM\', own_test}], []), Fire([{"N", "1"}, {"body", "words"}]), [U | H] = Next(S),'
        ' {U, hd(H), lists:last(H), proplists:get_value("N", H)}'
    )
    assert found == '{undefined,{"Event-Subclass","own_test"},{"body","words"},"1"}'

