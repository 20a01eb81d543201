"""Functions that other nodes call: what they reach, and above all what they do not."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mod_erlang_py.distribution.control import MonitorPExit, SpawnReply, SpawnRequest
from mod_erlang_py.errors import ProtocolViolation
from mod_erlang_py.etf import Atom, Binary, List, Pid, Reference, Term, atom_text, encode
from mod_erlang_py.node import traffic
from mod_erlang_py.requests import functions, registry
from mod_erlang_py.requests.context import REPLY_LATER, ReplyLater, Request
from mod_erlang_py.requests.registry import Entry, request
from tests.etf.test_codec import terms
from tests.requests.asking import OTHER, OURS, SENDER, SPAWNED, Bench

OK, ERROR, RETURN = Atom("ok"), Atom("error"), Atom("return")
FREESWITCH, ERLANG, API, UNDEF, BADARG = map(Atom, ("freeswitch", "erlang", "api", "undef", "badarg"))
REF = Reference("peer@localhost", 7, (1, 2, 3))
RESULT = Reference("peer@localhost", 7, (4, 5, 6))
GROUP_LEADER = Pid("peer@localhost", 10, 0, 7)
CALL, CAST = ("erpc", "execute_call", 4), ("erpc", "execute_cast", 3)
MONITOR: list[Term] = [Atom("monitor")]


@pytest.fixture(autouse=True)
def _own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("_exact", "_open", "_tags"):
        monkeypatch.setattr(registry, table, getattr(registry, table).copy())


def badrpc(reason: Term, *stack: Term) -> Term:
    return (Atom("badrpc"), (Atom("EXIT"), (reason, list(stack))))


def rpc(bench: Bench, module: Term, function: Term, arguments: Term, kind: str = "call") -> list[Term]:
    """What `rex` answers OTHER."""
    question = (Atom(kind), module, function, arguments, GROUP_LEADER)
    bench.receive(encode((Atom("$gen_call"), (OTHER, REF), question)), to="rex")
    answers = []
    while not bench.link.sent.empty():
        to, (tag, answer) = bench.link.sent.get()
        assert (to, Reference.of(tag)) == (OTHER, REF)
        answers.append(answer)
    return answers


def erpc(bench: Bench, arguments: Term, mfa: tuple[str, str, int] = CALL, options: Term = MONITOR) -> list[Term]:
    """The reply to SENDER's spawn request, and why the process ended."""
    bench.link.signals.clear()
    bench.spawn(SpawnRequest(REF, SENDER, GROUP_LEADER, mfa, options), encode(arguments))
    reply, *ends = bench.link.signals
    assert isinstance(reply, SpawnReply)
    assert (reply.ref, reply.to_pid) == (REF, SENDER)
    if isinstance(reply.result, str):
        assert (reply.flags, ends) == (0, [])
        return [reply.result]
    assert (reply.result, reply.flags) == (SPAWNED, 2 if options else 0)
    for end in ends:
        assert isinstance(end, MonitorPExit)
        assert (end.from_, end.to_pid, end.ref) == (SPAWNED, SENDER, REF)
    return [reply.result, *(end.reason for end in ends if isinstance(end, MonitorPExit))]


CALLS: list[tuple[Term, Term, Term, Term]] = [
    (FREESWITCH, API, [Atom("echo"), b"x"], (OK, b"x")),
    (FREESWITCH, API, [Atom("echo"), Binary(b"x")], (OK, b"x")),
    (FREESWITCH, API, [Atom("echo")], (ERROR, b"Command returned no output!")),
    (FREESWITCH, API, [Atom("echo"), 12], (ERROR, BADARG)),
    (FREESWITCH, Atom("getpid"), [], (OK, OURS)),
    (FREESWITCH, Atom("link"), [], OK),
    (FREESWITCH, Atom("handlecall"), [b""], (ERROR, Atom("baduuid"))),
    (ERLANG, Atom("node"), [], Atom(OURS.node)),
    (ERLANG, Atom("whereis"), [Atom("anybody")], OURS),
    (ERLANG, Atom("whereis"), [b"anybody"], None),
    (ERLANG, Atom("is_process_alive"), [OURS], True),
    (ERLANG, Atom("is_process_alive"), [SPAWNED], False),
    (ERLANG, Atom("is_process_alive"), [b""], False),
    (Atom("code"), Atom("ensure_loaded"), [FREESWITCH], (Atom("module"), FREESWITCH)),
    (Atom("code"), Atom("ensure_loaded"), [Atom("os")], (ERROR, Atom("nofile"))),
    (Atom("code"), Atom("ensure_loaded"), [b"freeswitch"], (ERROR, Atom("nofile"))),
]


@pytest.mark.parametrize(("module", "function", "arguments", "value"), CALLS)
def test_what_a_function_returns(bench: Bench, module: Term, function: Term, arguments: Term, value: Term) -> None:
    for kind in ("call", "block_call"):
        assert encode(rpc(bench, module, function, arguments, kind)) == encode([value])
    assert encode(erpc(bench, [RESULT, module, function, arguments])) == encode([SPAWNED, (RESULT, RETURN, value)])


UNKNOWN: list[tuple[Term, Term, list[Term]]] = [
    (Atom("os"), Atom("cmd"), [b"id"]),
    (ERLANG, Atom("halt"), []),
    (ERLANG, Atom("apply"), [FREESWITCH, API, [Atom("echo")]]),
    (ERLANG, Atom("node"), [OURS]),
    (ERLANG, API, [Atom("echo"), b"x"]),
    (Atom("freeswitch_"), API, [Atom("echo"), b"x"]),
    (FREESWITCH, API, []),
    (FREESWITCH, Atom("nosuch"), []),
    (FREESWITCH, Atom("getpid"), [1]),
    (FREESWITCH, Atom("handlecall"), [1, 2, 3]),
    (FREESWITCH, Atom("__class__"), []),
    (FREESWITCH, Atom("node"), []),
    (FREESWITCH, Atom("rex"), [(REF, OTHER)]),
    (FREESWITCH, Atom("$gen_call"), [(OTHER, REF), (API, Atom("echo"), b"x")]),
    (FREESWITCH, Atom("$gen_cast"), [(API, Atom("echo"), b"x")]),
    (FREESWITCH, Atom("io_request"), [OTHER, REF, 1]),
    (FREESWITCH, Atom("system"), [(OTHER, REF), 1]),
    (FREESWITCH, Atom("system"), [(OTHER, REF)]),
    (FREESWITCH, Atom("log"), [1, 2, 3]),
    (None, True, []),
]


@pytest.mark.parametrize(("module", "function", "arguments"), UNKNOWN)
def test_there_are_no_others(bench: Bench, module: Term, function: Term, arguments: list[Term]) -> None:
    stack: Term = (module, function, arguments, [])
    assert encode(rpc(bench, module, function, arguments)) == encode([badrpc(UNDEF, stack)])
    answer = erpc(bench, [RESULT, module, function, arguments])
    assert encode(answer) == encode([SPAWNED, (RESULT, ERROR, UNDEF, [stack])])
    assert bench.switch.executed == []


@pytest.mark.parametrize(
    ("module", "function", "arguments"),
    [
        (b"freeswitch", API, []),
        (FREESWITCH, b"api", []),
        (12, API, []),
        (FREESWITCH, (API,), []),
        (FREESWITCH, API, (Atom("echo"), b"x")),
        (FREESWITCH, API, Atom("echo")),
        (FREESWITCH, API, List([Atom("echo"), API], improper=True)),
    ],
)
def test_what_is_no_function_or_no_arguments(bench: Bench, module: Term, function: Term, arguments: Term) -> None:
    assert encode(rpc(bench, module, function, arguments)) == encode([badrpc(BADARG)])
    answer = erpc(bench, [RESULT, module, function, arguments])
    assert encode(answer) == encode([SPAWNED, (RESULT, ERROR, BADARG, [])])
    assert bench.switch.executed == []


def test_a_string_is_a_list_of_arguments(bench: Bench) -> None:
    seen: list[Term] = []

    @request("numbers", 3, family=None)
    def numbers(ask: Request) -> Term:
        seen.append(ask.term[1:])
        return OK

    assert rpc(bench, FREESWITCH, Atom("numbers"), b"\1\2") == [OK]
    assert seen == [(1, 2)]


def test_every_request_is_a_function_and_nothing_else_is(bench: Bench) -> None:
    """Those that are registered later too."""
    request("added", 0, 3, family=None)(lambda ask: (OK, ask.term))
    request("alone", 1, family=None)(lambda ask: (OK, ask.term))
    for (tag, arity), entry in registry._exact.items():
        arguments: list[Term] = [0] * (arity - 1)
        found = functions.find("freeswitch", tag, arguments)
        if isinstance(entry, Entry) and entry.public:
            assert found is not None, tag
            term, run = found
            assert run is entry
            assert encode(term) == encode((Atom(tag), *arguments) if arity else Atom(tag))
        else:
            assert found is None, tag
    for function, values, term in (
        ("added", [1, 2], (Atom("added"), 1, 2)),
        ("added", [], Atom("added")),
        ("alone", [], (Atom("alone"),)),
    ):
        assert encode(rpc(bench, FREESWITCH, Atom(function), values)) == encode([(OK, term)])


def test_who_calls_is_the_sender(bench: Bench) -> None:
    rpc(bench, FREESWITCH, Atom("link"), [])
    erpc(bench, [RESULT, FREESWITCH, Atom("link"), []])
    assert bench.node.processes.linked == [OTHER, SENDER]


def test_later_messages_are_no_answers(bench: Bench) -> None:
    (_, (_, returned, (ok, _job))) = erpc(bench, [RESULT, FREESWITCH, Atom("bgapi"), [Atom("echo"), b"x"]])
    assert (returned, ok) == (RETURN, OK)
    to, (bgok, _job, output) = bench.later()
    assert (to, bgok, output) == (SENDER, Atom("bgok"), b"x")


def test_a_process_lives_until_the_answer_is_there(bench: Bench) -> None:
    waiting: list[Request] = []

    @request("later", 0, family=None)
    def later(ask: Request) -> ReplyLater:
        waiting.append(ask)
        return REPLY_LATER

    assert erpc(bench, [RESULT, FREESWITCH, Atom("later"), []]) == [SPAWNED]
    waiting.pop().reply(OK)
    end = bench.link.signals.pop()
    assert isinstance(end, MonitorPExit)
    assert end.reason == (RESULT, RETURN, OK)


# --- rex ---


def test_a_c_node(bench: Bench) -> None:
    """ei_rpc sends no call of gen_server's."""
    for function, answer in (
        (Atom("node"), Atom(OURS.node)),
        (Atom("halt"), badrpc(UNDEF, (ERLANG, Atom("halt"), [], []))),
    ):
        bench.receive(encode((OTHER, (Atom("call"), ERLANG, function, [], Atom("user")))), to="rex")
        assert encode(bench.later()) == encode((OTHER, (Atom("rex"), answer)))


@pytest.mark.parametrize("to", ["foo", OURS])
def test_calls_are_rexs_alone(bench: Bench, to: Pid | str) -> None:
    question = (Atom("call"), FREESWITCH, API, [Atom("echo"), b"x"], Atom("user"))
    bench.receive(encode((Atom("$gen_call"), (OTHER, REF), question)), to=to)
    assert bench.later() == (OTHER, (REF, (ERROR, UNDEF)))
    bench.receive(encode((Atom("$gen_cast"), (Atom("cast"), *question[1:]))), to=to)
    bench.receive(encode((OTHER, question)), to=to)
    assert bench.switch.executed == []


def test_rex_answers_requests_too(bench: Bench) -> None:
    """It is a name like any other."""
    bench.receive(encode((Atom("$gen_call"), (OTHER, REF), (API, Atom("echo"), b"x"))), to="rex")
    assert bench.later() == (OTHER, (REF, (OK, b"x")))


def test_casts(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    echo: list[Term] = [Atom("echo"), b"x"]
    bench.receive(encode((Atom("$gen_cast"), (Atom("cast"), FREESWITCH, API, echo, GROUP_LEADER))), to="rex")
    assert bench.switch.executed == [("echo", b"x")]
    assert erpc(bench, [FREESWITCH, API, echo], CAST, []) == [SPAWNED]
    assert erpc(bench, [FREESWITCH, API, echo], CAST) == [SPAWNED, Atom("normal")]
    assert bench.switch.executed == [("echo", b"x")] * 3
    assert caplog.records == []
    bench.receive(encode((Atom("$gen_cast"), (Atom("cast"), ERLANG, API, [], GROUP_LEADER))), to="rex")
    assert erpc(bench, [ERLANG, API, []], CAST, []) == [SPAWNED]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert all("erlang,api" in record.getMessage() for record in caplog.records)
    assert bench.link.sent.empty()
    stack: Term = [(ERLANG, API, [], [])]
    assert encode(erpc(bench, [ERLANG, API, []], CAST)) == encode([SPAWNED, (UNDEF, stack)])


# --- erpc ---


def test_without_a_monitor_nobody_hears_of_the_end(bench: Bench) -> None:
    assert erpc(bench, [RESULT, ERLANG, Atom("node"), []], options=[]) == [SPAWNED]


@pytest.mark.parametrize(
    ("mfa", "arguments", "options"),
    [
        (("erlang", "node", 0), [], []),
        (("erlang", "apply", 2), [1, []], []),
        (("freeswitch", "api", 2), [Atom("echo"), b"x"], []),
        (("erpc", "execute_call", 3), [FREESWITCH, API, []], []),
        (("erpc", "execute_call", 5), [RESULT, FREESWITCH, API, [], 1], []),
        (CALL, [RESULT, FREESWITCH, API, []], [Atom("link")]),
        (CALL, [RESULT, FREESWITCH, API, []], [Atom("monitor"), (Atom("priority"), Atom("high"))]),
        (CALL, [RESULT, FREESWITCH, API, []], Atom("monitor")),
        (CALL, [RESULT, FREESWITCH, API, []], [12]),
        (CALL, [RESULT, FREESWITCH, API, []], [()]),
    ],
)
def test_no_other_process_is_spawned(bench: Bench, mfa: tuple[str, str, int], arguments: Term, options: Term) -> None:
    assert erpc(bench, arguments, mfa, options) == ["notsup"]


@pytest.mark.parametrize("arguments", [[], [1, 2, 3], [1, 2, 3, 4, 5], b"abc", (1, 2, 3, 4), 12, {}])
def test_arguments_that_are_not_as_many_as_it_says(bench: Bench, arguments: Term) -> None:
    assert erpc(bench, arguments) == ["badarg"]


def test_bytes_that_are_no_term_are_a_violation(bench: Bench) -> None:
    for payload in (b"", b"\x83", b"\x83\xff", b"\x83P\0\0\0\1x"):
        with pytest.raises(ProtocolViolation):
            bench.spawn(SpawnRequest(REF, SENDER, GROUP_LEADER, CALL, MONITOR), payload)


def test_a_call_over_a_limit_is_refused(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    deep = b"\x83l\0\0\0\1" + b"h\1" * 100_000 + b"jj"
    bench.spawn(SpawnRequest(REF, SENDER, GROUP_LEADER, CALL, MONITOR), deep)
    assert bench.link.signals == [SpawnReply(REF, SENDER, 0, "system_limit")]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_result_that_is_no_term_ends_the_process_all_the_same(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    @request("faulty", 0, family=None)
    def faulty(_: Request) -> Term:
        return (OK, object())

    assert erpc(bench, [RESULT, FREESWITCH, Atom("faulty"), []]) == [SPAWNED, BADARG]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


# --- whatever comes ---

anything = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CALLED = ("call", "block_call", "cast")
tags = [FREESWITCH, ERLANG, API, *map(Atom, CALLED), Atom("erpc"), Atom("execute_call"), Atom("$gen_call")]
names = st.one_of(terms, st.sampled_from(tags))
lists = st.one_of(terms, st.lists(terms, max_size=4))


def _is_known(module: Term, function: Term, arguments: Term) -> bool:
    """Whether it may be executed: the one command of FakeSwitch, by `api`."""
    return (atom_text(module), atom_text(function)) == ("freeswitch", "api") and isinstance(arguments, list)


@anything
@given(names, names, lists)
def test_every_call_gets_one_answer(bench: Bench, module: Term, function: Term, arguments: Term) -> None:
    assert len(rpc(bench, module, function, arguments)) == 1
    assert len(erpc(bench, [RESULT, module, function, arguments])) == 2
    assert _is_known(module, function, arguments) or bench.switch.executed == []
    bench.switch.executed.clear()


@anything
@given(
    st.tuples(
        st.sampled_from(["erpc", "erlang", "freeswitch"]), st.sampled_from(["execute_call", "api"]), st.integers(0, 5)
    ),
    lists,
    lists,
)
def test_every_spawn_request_gets_one_reply(
    bench: Bench, mfa: tuple[str, str, int], arguments: Term, options: Term
) -> None:
    bench.link.signals.clear()
    bench.spawn(SpawnRequest(REF, SENDER, GROUP_LEADER, mfa, options), encode(arguments))
    assert sum(isinstance(one, SpawnReply) for one in bench.link.signals) == 1
    assert bench.switch.executed == []


@anything
@given(
    st.sampled_from(["rex", "foo"]),
    names,
    st.lists(names, max_size=6) | st.tuples(names, names, lists, terms).map(list),
)
def test_nothing_hostile_is_executed(bench: Bench, to: str, first: Term, rest: list[Term]) -> None:
    """In each envelope, and one in another."""
    question = (first, *rest)
    for term in (
        question,
        (Atom("$gen_call"), (OTHER, REF), question),
        (Atom("$gen_cast"), question),
        (OTHER, question),
        (Atom("$gen_call"), (OTHER, REF), (Atom("$gen_call"), (OTHER, REF), question)),
    ):
        bench.receive(encode(term), to=to)
    while not bench.link.sent.empty():
        bench.link.sent.get()
    called = to == "rex" and atom_text(first) in CALLED and len(rest) == 4 and _is_known(*rest[:3])
    assert called or atom_text(first) == "api" or bench.switch.executed == []
    bench.switch.executed.clear()


def test_an_error_keeps_its_senders_order(bench: Bench) -> None:
    """It is a job like any other answer; only what is urgent and spawn replies are not."""
    term: Term = (Atom("$gen_call"), (OTHER, REF), (Atom("call"), Atom("os"), Atom("cmd"), [], GROUP_LEADER))
    job = bench.dispatcher.received(bench.link, SENDER, "rex", encode(term))  # type: ignore[arg-type]
    assert job is not None
    assert bench.link.sent.empty()
    message = SpawnRequest(REF, SENDER, GROUP_LEADER, CALL, MONITOR)
    arguments: list[Term] = [RESULT, Atom("os"), Atom("cmd"), []]
    job = bench.dispatcher.spawned(bench.link, message, encode(arguments))  # type: ignore[arg-type]
    assert job is not None
    assert bench.link.signals == [SpawnReply(REF, SENDER, 2, SPAWNED)]


def test_a_call_is_shown_like_any_message(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """`erlang debug on`: what came, and what went back."""
    traffic.turn(True)
    try:
        erpc(bench, [RESULT, ERLANG, Atom("node"), []])
    finally:
        traffic.turn(False)
    came, went = (record.getMessage() for record in caplog.records)
    assert came.startswith(f"from peer@localhost, {SENDER}: {{erpc,execute_call,[")
    assert went.startswith(f"to peer@localhost, {SENDER}: {{")
    assert went.endswith(",return,freeswitch@localhost}")
