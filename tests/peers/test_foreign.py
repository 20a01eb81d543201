"""A C node and a Java node do what an Erlang node does: requests, events, logs, look-ups, calls.

Neither has the flags of an OTP node: no SEND_SENDER, no monitors; jinterface answers a ping, ei does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from mod_erlang_py.etf import Atom, Pid, Reference, Term, atom_text
from tests.conftest import RunningNode
from tests.peers.erl import Erl
from tests.peers.foreign import Foreign, Language, NotInstalled, command
from tests.peers.test_calls import api, dial, exists, gone, hang_up, parked
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

OK = Atom("ok")
USER = (
    b'<document type="freeswitch/xml"><section name="directory"><domain name="example.com">'
    b'<user id="7"><params><param name="password" value="secret"/></params></user></domain></section></document>'
)
_number = count(1)
StartForeign = Callable[[], Foreign]


@pytest.fixture(scope="module", params=list(Language), ids=lambda language: language.value)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    try:
        return command(request.param, tmp_path_factory.mktemp("foreign"))
    except NotInstalled as missing:
        pytest.skip(f"not installed: {missing}")


@pytest.fixture
def stranger(program: list[str], node: RunningNode) -> Iterator[Foreign]:
    """One that is registered with the node's epmd, and has no link yet."""
    name = f"foreign{next(_number)}@localhost"
    foreign = Foreign(program, name=name, cookie=node.cookie, epmd_port=node.epmd_port)
    yield foreign
    foreign.close()


@pytest.fixture
def foreign(stranger: Foreign, node: RunningNode) -> Foreign:
    """One that has connected to the node."""
    stranger.connect(node.name)
    return stranger


def is_(tag: str) -> Callable[[Any], bool]:
    """Whether a term is a tuple with that tag."""
    return lambda term: isinstance(term, tuple) and atom_text(term[0]) == tag


def name_of(event: Any) -> bytes:
    """Of `{event, [UUID | Headers]}`."""
    return bytes(dict(event[1][1:])[b"Event-Name"])


def uuid_of(call: Any) -> str:
    """Of `{call, {event, [UUID | Headers]}}`."""
    return bytes(call[1][1][0]).decode()


# --- connecting ---------------------------------------------------------------------------------------------------


def test_requests(node: RunningNode, foreign: Foreign) -> None:
    assert foreign.ask((Atom("api"), Atom("echo"), b"hello")) == (OK, b"hello")
    assert foreign.ask(Atom("nosuch")) == (Atom("error"), Atom("undef"))
    ok, job = foreign.ask((Atom("bgapi"), Atom("echo"), b"hello"))
    assert ok == OK
    assert foreign.next() == (Atom("bgok"), job, b"hello")
    answered, pid = foreign.ask(Atom("getpid"))
    assert answered == OK
    assert Pid.of(pid) is not None
    wait_until(lambda: f"node up: {foreign.name}" in node.log(), told=node.log)


def test_calls_and_functions(node: RunningNode, foreign: Foreign) -> None:
    """What ei_rpc and OtpConnection.sendRPC send; and a call, whose tag is what they make of it."""
    assert foreign.pid is not None
    for module, function, value in ((Atom("freeswitch"), "api", (OK, b"x")), (Atom("erlang"), "node", None)):
        arguments: list[Term] = [Atom("echo"), b"x"] if function == "api" else []
        foreign.send((foreign.pid, (Atom("call"), module, Atom(function), arguments, Atom("user"))), "rex")
        assert foreign.next() == (Atom("rex"), value or Atom(node.name))
    foreign.send((foreign.pid, (Atom("call"), Atom("os"), Atom("cmd"), [], Atom("user"))), "rex")
    rex, (badrpc, (_, (undef, _))) = foreign.next()
    assert (rex, badrpc, undef) == (Atom("rex"), Atom("badrpc"), Atom("undef"))
    foreign.send((Atom("$gen_call"), (foreign.pid, 7), (Atom("api"), Atom("echo"), b"x")))
    assert foreign.next() == (7, (OK, b"x"))


def test_we_connect_to_it(node: RunningNode, stranger: Foreign) -> None:
    assert "+OK" in node.api(f"erlang connect {stranger.name}")
    stranger.up(node.name)
    assert stranger.ask((Atom("api"), Atom("echo"), b"hello")) == (OK, b"hello")


def test_exit(node: RunningNode, foreign: Foreign) -> None:
    """It asks for the end of the link, and connects again."""
    foreign.send(Atom("exit"))
    assert foreign.next() == OK
    assert foreign.line() == "down"
    foreign.connect(node.name)
    assert foreign.ask((Atom("api"), Atom("echo"), b"again")) == (OK, b"again")


# --- events, logs, look-ups ---------------------------------------------------------------------------------------


def test_events(foreign: Foreign) -> None:
    assert foreign.ask(Atom("register_event_handler")) == OK
    assert foreign.ask((Atom("event"), Atom("CUSTOM"), Atom("x::y"))) == OK
    foreign.send((Atom("sendevent"), Atom("CUSTOM"), b"x::y", [(b"Order", b"7")]))
    event = foreign.next(is_("event"))
    assert name_of(event) == b"CUSTOM"
    assert (b"Order", b"7") in event[1]


def test_logs(foreign: Foreign) -> None:
    assert foreign.ask(Atom("register_log_handler")) == OK
    foreign.send((Atom("api"), Atom("log"), b"warning told to a stranger"))
    foreign.next(lambda term: is_("log")(term) and dict(term[1])[Atom("data")].endswith(b"told to a stranger\n"))


def test_look_ups(node: RunningNode, peer: Erl, foreign: Foreign) -> None:
    """The domain is asked for as a whole first, which it does not have."""
    assert foreign.ask((Atom("bind"), Atom("directory"))) == OK
    peer.eval(
        "Me = self(), spawn(fun() -> Me ! "
        f"request('{node.name}', {{api, user_data, \"7@example.com param password\"}}) end), ok"
    )
    answered = False
    while not answered:
        fetch = foreign.next(is_("fetch"))
        assert fetch[1:5] == (Atom("directory"), b"domain", b"name", b"example.com")
        answered = (b"user", b"7") in fetch[6]
        assert foreign.ask((Atom("fetch_reply"), fetch[5], USER if answered else b"")) == (OK, fetch[5])
    assert peer.text("collect(1, 5000)") == '[{ok,"secret"}]'


def give_pid(foreign: Foreign) -> None:
    """Answer `{get_pid, UUID, Ref, Pid}` with a process of its own."""
    _, _, asked, switch = foreign.next(is_("get_pid"))
    reference, pid = Reference.of(asked), Pid.of(switch)
    assert reference is not None
    assert pid is not None
    assert foreign.pid is not None
    foreign.send_to(pid, (reference, foreign.pid))


# --- calls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["taker", "taker:!"])
def test_a_call_from_its_beginning_to_its_end(node: RunningNode, peer: Erl, foreign: Foreign, form: str) -> None:
    give_dialplan(node)
    dial(node, peer, f"{form} {foreign.name}")
    if form == "taker:!":
        give_pid(foreign)
    call = foreign.next(is_("call"))
    assert name_of(call[1]) == b"CHANNEL_DATA"
    uuid = uuid_of(call)
    headers = [(b"call-command", b"execute"), (b"execute-app-name", b"set"), (b"execute-app-arg", b"erl_test=1")]
    foreign.send((Atom("sendmsg"), uuid.encode(), headers))
    foreign.next(lambda term: atom_text(term) == "ok")
    wait_until(lambda: api(node, peer, "uuid_getvar", f"{uuid} erl_test") == '{ok,"1"}')
    hang_up(node, peer, uuid)
    ended = foreign.next(lambda term: is_("call_event")(term) and name_of(term[1]) == b"CHANNEL_HANGUP_COMPLETE")
    assert uuid_of(ended) == uuid
    assert foreign.next() == (Atom("call_hangup"), uuid.encode())


def test_we_connect_to_it_for_a_call(node: RunningNode, peer: Erl, stranger: Foreign) -> None:
    give_dialplan(node)
    dial(node, peer, f"taker {stranger.name}")
    hang_up(node, peer, uuid_of(stranger.next(is_("call"))))
    stranger.next(is_("call_hangup"))


@pytest.mark.parametrize("to", [[], [Atom("taker")]], ids=["the sender", "by name"])
def test_handlecall(node: RunningNode, peer: Erl, foreign: Foreign, to: list[Atom]) -> None:
    uuid = parked(node, peer)
    assert foreign.ask((Atom("handlecall"), *to, uuid.encode())) == OK
    assert uuid_of(foreign.next(is_("call"))) == uuid
    hang_up(node, peer, uuid)
    assert foreign.next(is_("call_hangup")) == (Atom("call_hangup"), uuid.encode())


@pytest.mark.parametrize("form", ["taker", "taker:!"])
def test_it_dies_with_a_call(node: RunningNode, peer: Erl, foreign: Foreign, form: str) -> None:
    """The dialplan goes on, which has nothing more for it."""
    give_dialplan(node)
    dial(node, peer, f"{form} {foreign.name}")
    if form == "taker:!":
        give_pid(foreign)
    uuid = uuid_of(foreign.next(is_("call")))
    assert exists(node, peer, uuid)
    foreign.kill()
    wait_until(lambda: f"node down: {foreign.name}" in node.log())
    gone(node, peer, uuid)
