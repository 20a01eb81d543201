"""Rights: what is denied is not done, by whatever way it comes; for every message there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mod_erlang_py.config.rights import Family, Rights, rights
from mod_erlang_py.config.settings import Config, read
from mod_erlang_py.distribution.control import SpawnRequest
from mod_erlang_py.etf import Atom, Binary, List, Pid, Reference, Term, encode
from mod_erlang_py.node.threads import Threads
from mod_erlang_py.requests import registry
from mod_erlang_py.requests import rights as module
from mod_erlang_py.requests.context import OK, Context, Request
from mod_erlang_py.requests.registry import Entry, Envelope
from mod_erlang_py.switch.port import ApiResult
from tests.etf.test_codec import terms
from tests.requests.asking import OTHER, SENDER, Bench, FakeLink

REF = Reference("peer@localhost", 7, (1, 2, 3))
EACCES = (Atom("error"), Atom("eacces"))
GROUP_LEADER = Pid("peer@localhost", 10, 0, 7)

ENTRIES = {key: entry for key, entry in registry._exact.items() if isinstance(entry, Entry)}
RESTRICTED = {key: entry for key, entry in ENTRIES.items() if entry.family is not None}
EVERYBODYS = {
    *("exit", "getpid", "link", "rex", "version"),
    *("$gen_sync_all_state_event", "$gen_sync_event", "file_request", "io_request", "log", "system"),
}
"""Tags that no right is needed for: about the node itself, answers to what we asked, and what is refused anyway."""


def test_every_message_has_its_family() -> None:
    """A new one has to be put down here, or in a family."""
    assert {tag for (tag, _), entry in ENTRIES.items() if entry.family is None} == EVERYBODYS
    tags = {family: {tag for (tag, _), entry in ENTRIES.items() if entry.family is family} for family in Family}
    assert tags == {
        Family.API: {"api", "bgapi", "json_api"},
        Family.EVENTS: {
            *("register_event_handler", "event", "nixevent", "setevent", "noevents", "filter"),
            *("subscribe", "unsubscribe", "ack"),
        },
        Family.SENDEVENT: {"sendevent"},
        Family.LOGS: {"register_log_handler", "set_log_level", "nolog"},
        Family.CALLS: {
            *("handlecall", "nohandle", "sendmsg", "execute"),
            *("session_event", "session_nixevent", "session_setevent", "session_noevents"),
        },
        Family.FETCH: {"bind", "unbind", "fetch_reply"},
    }
    assert all((entry.runs is not None) is (entry.family is Family.API) for entry in ENTRIES.values())


# --- every message, by every way ----------------------------------------------------------------------------------


class Ran(list[Term]):
    """The terms of the requests that were run."""


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """In place of every message's function, one that remembers."""
    found = Ran()

    def run(ask: Request) -> Term:
        found.append(ask.term)
        return OK

    def instead(entry: Entry | Envelope) -> Entry | Envelope:
        return replace(entry, run=run) if isinstance(entry, Entry) else entry

    exact = {key: instead(entry) for key, entry in registry._exact.items()}
    monkeypatch.setattr(registry, "_exact", exact)
    more = {tag: (least, instead(entry)) for tag, (least, entry) in registry._open.items()}
    monkeypatch.setattr(registry, "_open", more)
    return found


def plain(bench: Bench, term: Term) -> None:
    bench.receive(encode(term))


def call(bench: Bench, term: Term) -> None:
    bench.receive(encode((Atom("$gen_call"), (OTHER, REF), term)))


def call_by_alias(bench: Bench, term: Term) -> None:
    tag = List([Atom("alias"), REF], improper=True)
    bench.receive(encode((Atom("$gen_call"), (OTHER, tag), term)))


def call_for_another(bench: Bench, term: Term) -> None:
    """In the name of a process of a node that has every right."""
    bench.node.links = [FakeLink("admin@localhost")]
    bench.receive(encode((Atom("$gen_call"), (Pid("admin@localhost", 5, 0, 3), REF), term)))


def cast(bench: Bench, term: Term) -> None:
    bench.receive(encode((Atom("$gen_cast"), term)))


def as_function(term: Term) -> list[Term]:
    """Module, function and arguments."""
    function, *arguments = term if isinstance(term, tuple) else (term,)
    return [Atom("freeswitch"), function, arguments]


def rpc(bench: Bench, term: Term) -> None:
    question = (Atom("call"), *as_function(term), GROUP_LEADER)
    bench.receive(encode((Atom("$gen_call"), (OTHER, REF), question)), to="rex")


def rpc_block(bench: Bench, term: Term) -> None:
    question = (Atom("block_call"), *as_function(term), GROUP_LEADER)
    bench.receive(encode((Atom("$gen_call"), (OTHER, REF), question)), to="rex")


def rpc_cast(bench: Bench, term: Term) -> None:
    bench.receive(encode((Atom("$gen_cast"), (Atom("cast"), *as_function(term), GROUP_LEADER))), to="rex")


def rpc_by_pid(bench: Bench, term: Term) -> None:
    bench.receive(encode((OTHER, (Atom("call"), *as_function(term), GROUP_LEADER))), to="rex")


def erpc(bench: Bench, term: Term) -> None:
    request = SpawnRequest(REF, SENDER, GROUP_LEADER, ("erpc", "execute_call", 4), [Atom("monitor")])
    bench.spawn(request, encode([REF, *as_function(term)]))


def erpc_cast(bench: Bench, term: Term) -> None:
    request = SpawnRequest(REF, SENDER, GROUP_LEADER, ("erpc", "execute_cast", 3), [])
    bench.spawn(request, encode(as_function(term)))


WAYS: list[Callable[[Bench, Term], None]] = [
    *(plain, call, call_by_alias, call_for_another, cast),
    *(rpc, rpc_block, rpc_cast, rpc_by_pid, erpc, erpc_cast),
]


def message(tag: str, arity: int) -> Term:
    """One of them, whose arguments would do for an API command."""
    return (
        (Atom(tag), *[{Atom("command"): Atom("status")} if tag == "json_api" else b"1"] * (arity - 1))
        if arity
        else (Atom(tag))
    )


@pytest.fixture
def made() -> Iterator[Callable[[Rights], Bench]]:
    """made(rights): a dispatcher whose peer has these, and whose other nodes have all."""
    threads, benches = Threads(), []

    def make(of: Rights) -> Bench:
        (rule,) = read([], nodes=[("peer@localhost", [])])[0].nodes
        benches.append(Bench(threads, Config(nodes=(replace(rule, rights=of),))))
        return benches[-1]

    yield make
    for bench in benches:
        bench.workers.stop()
    assert threads.join(10) == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
@pytest.mark.parametrize(("tag", "arity"), RESTRICTED)
def test_without_its_family_no_message_is_done(
    made: Callable[[Rights], Bench], ran: Ran, tag: str, arity: int, way: Callable[[Bench, Term], None]
) -> None:
    """And with it alone, it is."""
    family = RESTRICTED[tag, arity].family
    assert family is not None
    without = made(Rights(frozenset(Family) - {family}))
    way(without, message(tag, arity))
    assert ran == []
    wrong_number = arity == 1 and way not in (plain, call, call_by_alias, call_for_another, cast)
    if not wrong_number:  # `freeswitch:event()` is `event` or `{event}`
        assert without.link.denied == 1
    within = made(Rights(frozenset({family})))
    way(within, message(tag, arity))
    assert wrong_number or len(ran) == 1
    assert within.link.denied == 0


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    way=st.sampled_from(WAYS),
    tag=st.sampled_from(sorted({tag for tag, _ in RESTRICTED})),
    arguments=st.lists(terms, max_size=6),
)
def test_whatever_the_arguments(
    made: Callable[[Rights], Bench], ran: Ran, way: Callable[[Bench, Term], None], tag: str, arguments: list[Term]
) -> None:
    way(made(Rights(frozenset())), (Atom(tag), *arguments))
    assert ran == []


@pytest.mark.parametrize(("tag", "arity"), [key for key, entry in ENTRIES.items() if entry.family is None])
def test_what_needs_no_right(made: Callable[[Rights], Bench], ran: Ran, tag: str, arity: int) -> None:
    plain(made(Rights(frozenset())), message(tag, arity))
    assert len(ran) == 1


@pytest.mark.parametrize("wrapped", [False, True])
def test_whose_questions_a_node_may_answer(made: Callable[[Rights], Bench], wrapped: bool) -> None:
    """Those that it was asked; one that may take calls all, as mod_erlang_event has it."""
    reference = Reference("freeswitch@localhost", 42, (1, 0, 0))
    answer: Term = (Atom("rex"), (reference, SENDER)) if wrapped else (reference, SENDER)
    for families, alone in (frozenset({Family.API}), True), (frozenset({Family.CALLS}), False):
        bench = made(Rights(families))
        bench.ask(answer)
        assert bench.waiting.by == [bench.link if alone else None]


# --- API commands -------------------------------------------------------------------------------------------------

API, BGAPI, JSON_API = Atom("api"), Atom("bgapi"), Atom("json_api")
FSAPI: Term = {b"command": b"fsapi", b"data": {b"cmd": b"system", b"arg": b"id"}}

EVASIONS: list[Term] = [
    (API, Atom("system"), b"id"),
    (API, Atom("system")),
    (API, b"system", b"id"),
    (API, Binary(b"system"), Binary(b"id")),
    (API, [b"sys", Binary(b"tem")], b"id"),
    (API, [115, 121, 115, 116, 101, 109], b"id"),
    (API, Atom("SYSTEM"), b"id"),
    (API, b"System", b"id"),
    (API, b" system", b"id"),
    (API, b"\tsystem\n", b"id"),
    (API, b"\r\nsystem\x0b", b"\x0bid"),
    (API, Atom("system"), b"id", {Atom("format"): Atom("json")}),
    (API, Atom("system"), b"id", b"more"),
    (BGAPI, Atom("system"), b"id"),
    (BGAPI, b" SYSTEM", b"id", b"a-job"),
    (API, Atom("bgapi"), b"system id"),
    (API, Atom("bgapi"), b"uuid:1 system id"),
    (BGAPI, Atom("BgApi"), b"system id"),
    (API, Atom("expand"), b"system id"),
    (API, Atom("expand"), b"uuid:1 ${a}stem id"),
    (API, Atom("sched_api"), b"+1 none system id"),
    (API, Atom("xml_wrap"), b"system id"),
    (API, Atom("chat"), b"api|a|system%20id|x"),
    (API, Atom("xml_wrap"), b"encoded system id"),
    (API, Atom("json"), b'{"command":"fsapi","data":{"cmd":"system","arg":"id"}}'),
    (API, Atom("json"), b'{"command":"fsapi","data":{"cmd":"s\\u0079stem","arg":"id"}}'),
    (JSON_API, FSAPI),
    (API, Atom("lua"), b'~freeswitch.API():execute("system", "id")'),
    (API, Atom("luarun"), b"~os.execute('id')"),
    (API, Atom("pyrun"), b"x"),
    (API, Atom("eval"), b"${system(id)}"),
    (API, Atom("eval"), b"$${system(id)}"),
    (API, Atom("eval"), b"${ system(id)}"),
    (API, Atom("eval"), b"${${x}(id)}"),
    (API, Atom("eval"), b"uuid:1 ${system id}"),
    (API, Atom("cond"), b"${system(id)} == 1 ? a : b"),
    (API, Atom("originate"), b"{a=${system(id)}}loopback/1 &park()"),
    (API, Atom("originate"), b"loopback/1 '&log(INFO ${system(id)})'"),
]

DENYING: dict[str, list[tuple[str, str]]] = {
    "denied": [("deny-api", "system")],
    "denied by a pattern": [("deny-api", "*SYST?M")],
    "all but": [("allow-api", "*"), ("deny-api", "system")],
    "only": [("allow-api", "status"), ("allow-api", "show *"), ("allow-api", "uuid_*")],
}


@pytest.mark.parametrize("given", DENYING.values(), ids=DENYING.keys())
@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
def test_no_way_to_a_command_that_is_denied(
    made: Callable[[Rights], Bench], given: list[tuple[str, str]], way: Callable[[Bench, Term], None]
) -> None:
    bench = made(rights(given))
    for number, term in enumerate(EVASIONS, 1):
        way(bench, term)
        assert bench.switch.executed == [], term
        assert bench.link.denied == number, term


@pytest.mark.parametrize(
    "term", [(API, b"system\0", b"id"), (API, b"status", b"\0"), (API, Atom("system"), 12), (API,)]
)
def test_a_command_that_is_none_stays_badarg(made: Callable[[Rights], Bench], term: Term) -> None:
    bench = made(rights([("deny-api", "system")]))
    assert bench.ask(term) == [(Atom("error"), Atom("badarg"))]
    assert bench.switch.executed == []


@pytest.mark.parametrize("given", DENYING.values(), ids=DENYING.keys())
def test_the_others_run(made: Callable[[Rights], Bench], given: list[tuple[str, str]]) -> None:
    bench = made(rights(given))
    bench.ask((API, Atom("status")))
    bench.ask((API, b" Show ", b" calls "))
    assert bench.switch.executed == [("status", b""), (" Show ", b" calls ")]
    assert bench.link.denied == 0


# --- a reload meanwhile -------------------------------------------------------------------------------------------


def test_a_right_that_is_withdrawn_while_it_is_used(
    made: Callable[[Rights], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it brought is withdrawn, too: the request that was under way cannot have been there to be found."""
    bench = made(Rights())
    withdrawn: list[Context] = []
    monkeypatch.setattr(module, "withdraw", withdrawn.append)
    changed = Config()

    def reloads(_: bytes) -> ApiResult:
        bench.node.config = changed
        return ApiResult(True, True, b"done")

    bench.switch.commands["slow"] = reloads
    assert bench.ask((API, Atom("echo"), b"x")) == [(OK, b"x")]
    assert withdrawn == []
    assert bench.ask((API, Atom("slow"))) == [(OK, b"done")]
    assert withdrawn == [bench.context]


# --- what is answered, and told -----------------------------------------------------------------------------------

NOTHING = Rights(frozenset())


@pytest.mark.parametrize(
    ("term", "answers"),
    [
        ((API, Atom("status"), b""), [EACCES]),
        ((BGAPI, Atom("status"), b""), [EACCES]),
        ((JSON_API, {b"command": b"status"}), [EACCES]),
        (Atom("register_event_handler"), [EACCES]),
        ((Atom("filter"), b"A b"), [EACCES]),
        ((Atom("sendevent"), Atom("CUSTOM"), b"x", []), [EACCES]),
        ((Atom("handlecall"), b"1"), [EACCES]),
        ((Atom("sendmsg"), b"1", []), [EACCES]),
        ((Atom("execute"), b"1", b"answer", b""), [EACCES]),
        (Atom("session_noevents"), [EACCES]),
        ((Atom("bind"), Atom("dialplan")), [EACCES]),
        ((Atom("fetch_reply"), b"an-id", b""), [(Atom("error"), b"an-id", Atom("eacces"))]),
        ((Atom("fetch_reply"), b"an-id"), [(Atom("error"), b"an-id", Atom("eacces"))]),
        ((Atom("fetch_reply"), 12), [(Atom("error"), Atom("badarg"))]),
        ((Atom("ack"), REF, 1), []),
        (Atom("nolog"), [EACCES]),
    ],
)
def test_what_is_answered(made: Callable[[Rights], Bench], term: Term, answers: list[Term]) -> None:
    """In the form of the message's other errors."""
    assert list(map(encode, made(NOTHING).ask(term))) == list(map(encode, answers))


def test_what_is_answered_in_an_envelope(made: Callable[[Rights], Bench]) -> None:
    bench = made(NOTHING)
    status = (API, Atom("status"), b"")
    for way, wrapped in ((call, EACCES), (rpc, EACCES), (rpc_by_pid, EACCES)):
        way(bench, status)
        to, (_, answer) = bench.later()
        assert (to, encode(answer)) == (OTHER, encode(wrapped))
    erpc(bench, status)
    end: object = bench.link.signals[-1]
    assert encode(end.reason) == encode((REF, Atom("return"), EACCES))  # type: ignore[attr-defined]
    call(bench, (Atom("ack"), REF, 1))  # who calls is answered in any case
    assert encode(bench.later()[1][1]) == encode(EACCES)


def test_one_line_says_who_what_and_why(made: Callable[[Rights], Bench], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench = made(rights([("allow", "api events"), ("deny-api", "sys*")]))
    for way in (plain, call, cast, erpc_cast):
        way(bench, (API, Atom("system"), b"id\n"))
    plain(bench, (Atom("sendmsg"), b"1", []))
    who = "peer@localhost: <peer@localhost.9"
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert {level for level, _ in lines} == {"WARNING"}
    assert [line for _, line in lines] == [
        who + '0.0> may not {api,system,"id\\n"}: deny-api sys*',
        who + '1.0> may not {api,system,"id\\n"}: deny-api sys*',
        who + '0.0> may not {api,system,"id\\n"}: deny-api sys*',
        who + '0.0> may not {api,system,"id\\n"}: deny-api sys*',
        who + '0.0> may not {sendmsg,"1",[]}: allow is api events',
    ]
    assert {getattr(record, "peer", None) for record in caplog.records} == {"peer@localhost"}


@pytest.mark.parametrize(("general", "looks"), [({}, 0), ({"deny-api": "system"}, 1), ({"allow-api": "echo"}, 1)])
def test_what_a_command_is_costs_nothing_where_that_does_not_count(
    made: Callable[[Rights], Bench], monkeypatch: pytest.MonkeyPatch, general: dict[str, str], looks: int
) -> None:
    """Each request would be read twice for rights that nobody has written down."""
    looked_at = []

    def runs(ask: Request) -> tuple[str, bytes]:
        looked_at.append(ask.term)
        return "echo", b"x"

    entry = registry._exact["api", 3]
    assert isinstance(entry, Entry)
    monkeypatch.setitem(registry._exact, ("api", 3), replace(entry, runs=runs))
    bench = made(rights(list(general.items())))
    bench.receive(encode((Atom("api"), Atom("echo"), b"x")))
    assert bench.link.sent.get_nowait() == (SENDER, (OK, b"x"))
    assert len(looked_at) == looks
