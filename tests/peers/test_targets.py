"""Targets everywhere: register_event_handler, register_log_handler and handlecall for another process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

PRELUDE = """
    N = '%s',
    Ask = fun(T) -> request(N, T) end,
    Self = self(),
    Relay = spawn(fun() -> register(relay, self()), Self ! ready,
        (fun L() -> receive stop -> ok; M -> Self ! {relayed, M}, L() end end)() end),
    receive ready -> ok end,
    Relayed = fun(Tag) -> (fun L() -> receive {relayed, M} when element(1, M) =:= Tag -> M; {relayed, _} -> L()
        after 5000 -> timeout end end)() end,
    ok
"""
"""In the process that evaluates: Ask(Term) from a process that ends; Relay, by name relay, passes on what it gets;
Relayed(Tag) is the next such message with that tag."""


class Desk:
    """An Erlang node with a relay."""

    def __init__(self, peer: Erl, node: RunningNode) -> None:
        self.peer = peer
        self.node = node
        peer.text(PRELUDE % node.name)

    def text(self, expressions: str, timeout: float = 20.0) -> str:
        return self.peer.text(f"(fun() -> {expressions} end)()", timeout)


MakeDesk = Callable[[], Desk]


@pytest.fixture
def desk(node: RunningNode, erl: StartErl) -> MakeDesk:
    give_dialplan(node)
    return lambda: Desk(erl(node), node)


HERE = ["Relay", "relay", "{relay, node()}"]
THERE = ["{relay, node(There)}", "There"]


def two(desk: MakeDesk) -> tuple[Desk, Desk]:
    """The second's relay is There for the first."""
    one, other = desk(), desk()
    one.peer.text(f"There = rpc:call('{other.peer.name}', erlang, whereis, [relay]), true = is_pid(There)")
    return one, other


@pytest.mark.parametrize("target", HERE)
def test_a_log_handler(desk: MakeDesk, target: str) -> None:
    one = desk()
    assert one.text(f"Ask({{register_log_handler, {target}}})") == "ok"
    assert one.text('Ask({api, log, "alert here"}), element(1, Relayed(log))') == "log"
    one.peer.text("Relay ! stop")
    wait_until(
        lambda: one.text('Ask({api, erlang, "debug"}), rpc:call(node(), erlang, whereis, [relay])') == "undefined"
    )
    assert one.text("Ask(nolog)") == "ok"


@pytest.mark.parametrize("target", THERE)
def test_a_log_handler_on_another_node(desk: MakeDesk, target: str) -> None:
    one, other = two(desk)
    assert one.text(f"Ask({{register_log_handler, {target}}})") == "ok"
    one.text('Ask({api, log, "alert there"})')
    assert other.text("element(1, Relayed(log))") == "log"
    assert other.text("Ask({set_log_level, alert})") == "ok"  # it is the log handler of its node


def handler(one: Desk) -> str | None:
    """The event handler of its node, as fs_cli shows it."""
    handlers = json.loads(one.node.api("erlang handlers json"))["handlers"]
    return next((str(found["pid"]) for found in handlers if found["node"] == one.peer.name and found["pid"]), None)


@pytest.mark.parametrize("target", HERE)
def test_an_event_handler(desk: MakeDesk, target: str) -> None:
    one = desk()
    one.text("Ask({event, 'CUSTOM', targets_test})")
    assert one.text(f"Ask({{register_event_handler, {target}}})") == "ok"
    one.text("Ask({sendevent, 'CUSTOM', targets_test, []})")
    assert one.text("element(1, Relayed(event))") == "event"
    assert handler(one) is not None
    one.peer.text("Relay ! stop")
    wait_until(lambda: handler(one) is None)


@pytest.mark.parametrize("target", THERE)
def test_an_event_handler_on_another_node(desk: MakeDesk, target: str) -> None:
    one, other = two(desk)
    assert other.text("Ask({event, 'CUSTOM', targets_test})") == "ok"  # of that node
    assert one.text(f"Ask({{register_event_handler, {target}}})") == "ok"
    one.text("Ask({sendevent, 'CUSTOM', targets_test, []})")
    assert other.text("element(1, Relayed(event))") == "event"
    assert handler(one) is None
    assert handler(other) is not None
    other.peer.text("Relay ! stop")
    wait_until(lambda: handler(other) is None)


def test_a_name_that_passes_to_another_process(desk: MakeDesk) -> None:
    """Whoever was registered last is watched."""
    one = desk()
    assert one.text("Ask({register_event_handler, relay})") == "ok"
    one.text(
        "Relay ! stop, wait_until(fun() -> whereis(relay) =:= undefined end),"
        " spawn(fun() -> register(relay, self()), Self ! again, receive stop -> ok end end),"
        " receive again -> ok after 5000 -> timeout end"
    )
    wait_until(lambda: handler(one) is None)
    assert one.text("Ask({register_event_handler, relay})") == "ok"
    assert one.text("Ask({register_event_handler, relay})") == "ok"
    assert handler(one) == "relay"
    assert one.text("length(element(2, process_info(whereis(relay), monitored_by)))") == "1"
    one.peer.text("relay ! stop")
    wait_until(lambda: handler(one) is None)


@pytest.mark.parametrize("message", ["register_log_handler", "register_event_handler"])
def test_nobody(desk: MakeDesk, message: str) -> None:
    """Whoever was the handler before still is."""
    one = desk()
    began = len(one.node.log())
    assert one.text("Ask({register_event_handler, Relay})") == "ok"
    before = handler(one)
    assert one.text(f"Ask({{{message}, nobody}})") == "{error,noproc}"
    assert one.text(f"Ask({{{message}, {{nobody, nowhere@localhost}}}})") == "{error,noconnection}"
    said = '{error,{badarg,"target: expected a pid, a registered name, or {Name, Node}"}}'
    for wrong in ("12", '"relay"', "{relay}", "{relay, 1}", "[]"):
        assert one.text(f"Ask({{{message}, {wrong}}})") == said
    assert one.text(f"Ask({{{message}}})") == "{error,badarg}"
    assert handler(one) == before
    # The ping that found nobody is answered all the same.
    assert "something else than a pid" not in one.node.log()[began:]


def test_a_process_that_is_gone(desk: MakeDesk) -> None:
    one = desk()
    one.text(
        "P = spawn(fun() -> ok end), M = monitor(process, P), receive {'DOWN', M, _, _, _} -> ok end,"
        " Ask({register_event_handler, P})"
    )
    wait_until(lambda: handler(one) is None)


# --- calls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [*HERE, *THERE])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_call(desk: MakeDesk, target: str, swapped: bool) -> None:
    one, other = two(desk)
    uuid = f"target-{one.peer.name}"
    taker = other if target in THERE else one
    made = f'Ask({{api, originate, "{{origination_uuid={uuid}}}loopback/park/default &park()"}})'
    assert one.text(made).startswith('{ok,"+OK')
    pair = (f'"{uuid}"' if target == "relay" else f"'{uuid}'", target)  # an atom is a name if nothing else is a target
    assert one.text("Ask({handlecall, %s, %s})" % (pair[::-1] if swapped else pair)) == "ok"
    assert taker.text("element(1, Relayed(call))") == "call"
    assert one.node.api(f"erlang sessions {taker.peer.name}").startswith(f"Outbound session for {uuid} ")
    one.text(f'Ask({{api, uuid_kill, "{uuid}"}})')
    assert taker.text("Relayed(call_hangup)") == f'{{call_hangup,"{uuid}"}}'


def test_a_call_for_nobody(desk: MakeDesk) -> None:
    one = desk()
    uuid = f"target-{one.peer.name}"
    made = f'Ask({{api, originate, "{{origination_uuid={uuid}}}loopback/park/default &park()"}})'
    assert re.match(r'\{ok,"\+OK', one.text(made))
    ask = f'Ask({{handlecall, "{uuid}", {{nobody, %s}}}})'
    assert one.text(ask % "node()") == "{error,session_attach_failed}"
    assert one.text(ask % "nowhere@localhost") == "{error,noconnection}"
    assert one.text(ask % "1").startswith("{error,{badarg,")
    assert one.text(f'Ask({{api, uuid_kill, "{uuid}"}})') == '{ok,"+OK\\n"}'
