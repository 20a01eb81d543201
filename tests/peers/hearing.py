"""What a call executed and when, as its events say: an Erlang node that listens to them.

listener = Listener(erl(node), node)
...
assert one_after_the_other(listener.until_hangup(uuid)) == [("answer", ""), ("hangup", "USER_BUSY")]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.conftest import RunningNode
from tests.peers.erl import Erl

_LISTEN = """
    [begin {foo, '%s'} ! Request, receive ok -> ok after 5000 -> error(Request) end end || Request <-
        [register_event_handler, {event, 'CHANNEL_EXECUTE', 'CHANNEL_EXECUTE_COMPLETE', 'CHANNEL_HANGUP_COMPLETE'}]],
    Binary = fun(undefined) -> undefined; (Text) -> iolist_to_binary(Text) end,
    Till = fun F(Of) ->
        receive {event, [U | Pairs]} ->
            Headers = [{Binary(Key), Binary(Value)} || {Key, Value} <- Pairs],
            Event = [proplists:get_value(Name, Headers, <<>>) || Name <- [<<"Event-Name">>, <<"Event-Date-Timestamp">>,
                <<"Application-UUID">>, <<"Application">>, <<"Application-Data">>]],
            case {Binary(U), hd(Event)} of
                {Of, <<"CHANNEL_HANGUP_COMPLETE">>} -> [];
                {Of, _} -> [list_to_tuple(Event) | F(Of)];
                _ -> F(Of)
            end
        after 15000 -> error(still_there)
        end
    end,
    ok
"""


_AROUND = ("erlang", "park")
"""Within these a call waits for what it is told."""


@dataclass(frozen=True)
class Executed:
    """seconds: how long it took, by the switch's clock. within: the application inside which it began."""

    application: str
    argument: str
    seconds: float
    within: str | None


class Listener:
    """The evaluating process of `peer` becomes its node's event handler."""

    def __init__(self, peer: Erl, node: RunningNode) -> None:
        self._peer = peer
        peer.eval(_LISTEN % node.name)

    def until_hangup(self, uuid: str) -> list[Executed]:
        """What that call executed since the listener is there, in the order in which it began; but for what it waits
        in."""
        found: list[tuple[Any, ...]] = self._peer.eval(f'Till(<<"{uuid}">>)', 30)
        events = [[field.value.decode() for field in event] for event in found]
        ended = {identity: int(at) for name, at, identity, *_ in events if name == "CHANNEL_EXECUTE_COMPLETE"}
        under_way: dict[str, str] = {}
        executed = []
        for name, at, identity, application, argument in events:
            if application in _AROUND:
                continue
            if name == "CHANNEL_EXECUTE":
                seconds = (ended[identity] - int(at)) / 1_000_000
                executed.append(Executed(application, argument, seconds, next(reversed(under_way.values()), None)))
                under_way[identity] = application
            else:
                del under_way[identity]
        return executed


def one_after_the_other(executed: list[Executed]) -> list[tuple[str, str]]:
    """The applications, each with its argument. Raises AssertionError when one of them began inside another."""
    assert all(one.within is None for one in executed), executed
    return [(one.application, one.argument) for one in executed]
