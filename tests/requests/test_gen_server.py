"""Requests in the envelopes of gen_server's calls and casts."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings

from mod_erlang_py.etf import Atom, Binary, List, Pid, Reference, Term, encode, memory
from mod_erlang_py.requests import bounds, registry
from mod_erlang_py.requests.context import NO_REPLY, REPLY_LATER, NoReply, ReplyLater, ReplyThen, Request
from mod_erlang_py.requests.registry import request
from tests.etf.test_codec import terms
from tests.requests.asking import OTHER, OURS, SENDER, Bench, FakeLink
from tests.waiting import DEADLINE

OK, ERROR, ALIAS = Atom("ok"), Atom("error"), Atom("alias")
UNDEF, BADARG = (ERROR, Atom("undef")), (ERROR, Atom("badarg"))
REF = Reference("peer@localhost", 7, (1, 2, 3))
ECHO = (Atom("api"), Atom("echo"), b"x")
ELSEWHERE = Pid("third@localhost", 5, 0, 3)


@pytest.fixture(autouse=True)
def _own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("_exact", "_open", "_tags"):
        monkeypatch.setattr(registry, table, getattr(registry, table).copy())


def call(question: Term, tag: Term = REF, caller: Pid = OTHER) -> Term:
    return (Atom("$gen_call"), (caller, tag), question)


def cast(question: Term) -> Term:
    return (Atom("$gen_cast"), question)


def sent(bench: Bench, term: Term, to: Pid | str = "foo") -> list[tuple[Pid | Reference, bytes]]:
    bench.receive(encode(term), to=to)
    messages = []
    while not bench.link.sent.empty():
        whom, reply = bench.link.sent.get()
        messages.append((whom, encode(reply)))
    return messages


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (ECHO, (OK, b"x")),
        (Atom("getpid"), (OK, OURS)),
        (Atom("q"), UNDEF),
        ((Atom("nosuch"), 1), UNDEF),
        ((), UNDEF),
        (b"getpid", UNDEF),
        ((Atom("api"),), BADARG),
        ((Atom("api"), Atom("echo"), 12), BADARG),
        ((Atom("handlecall"), b""), (ERROR, Atom("baduuid"))),
    ],
)
@pytest.mark.parametrize("tag", [REF, (REF, Atom("node")), [1, 2], 12, b"ab"], ids=repr)
def test_the_answer_goes_with_the_tag_to_the_caller(bench: Bench, question: Term, answer: Term, tag: Term) -> None:
    assert sent(bench, call(question, tag)) == [(OTHER, encode((tag, answer)))]


@pytest.mark.parametrize(
    "tag",
    [
        List([ALIAS, REF], improper=True),
        List([List([ALIAS, REF], improper=True), Atom("label")], improper=True),
        [List([ALIAS, REF], improper=True), Atom("label")],
    ],
    ids=["call", "collection", "list"],
)
def test_it_goes_to_the_alias_where_there_is_one(bench: Bench, tag: Term) -> None:
    """So that nobody gets it once the caller has given up."""
    assert sent(bench, call(ECHO, tag)) == [(REF, encode((tag, (OK, b"x"))))]
    bench.link.knows_aliases = False
    assert sent(bench, call(ECHO, tag)) == [(OTHER, encode((tag, (OK, b"x"))))]


@pytest.mark.parametrize(
    "tag",
    [
        [ALIAS, REF],
        List([Atom("other"), REF], improper=True),
        List([ALIAS, Reference("third@localhost", 7, (1, 2, 3))], improper=True),
        [],
        [[]],
    ],
    ids=repr,
)
def test_what_only_looks_like_an_alias_is_none(bench: Bench, tag: Term) -> None:
    ((to, _),) = sent(bench, call(ECHO, tag))
    assert to == OTHER


def test_before_there_were_aliases_the_monitor_tells_that_the_caller_has_given_up(bench: Bench) -> None:
    monitors = bench.node.processes.monitors

    @request("slow", 0, family=None)
    def slow(_: Request) -> Term:
        monitors.discard((OTHER, "foo"))
        return OK

    assert len(sent(bench, call(Atom("slow")))) == 1
    monitors.add((OTHER, "foo"))
    assert len(sent(bench, call(ECHO))) == 1
    assert sent(bench, call(Atom("slow"))) == []


def test_the_caller_is_the_sender(bench: Bench) -> None:
    """Whoever passes the call on."""
    assert sent(bench, call(Atom("link"))) == [(OTHER, encode((REF, OK)))]
    assert bench.node.processes.linked == [OTHER]


def test_a_caller_on_another_node_is_answered_there(bench: Bench) -> None:
    third = FakeLink("third@localhost")
    bench.node.links.append(third)
    whose: list[object] = []

    @request("whose", 0, family=None)
    def whose_(ask: Request) -> Term:
        whose.append(ask.link)
        ask.tell(Atom("told"))
        return OK

    assert sent(bench, call(Atom("whose"), caller=ELSEWHERE)) == []
    assert third.sent.get(timeout=DEADLINE) == (ELSEWHERE, Atom("told"))
    assert third.sent.get(timeout=DEADLINE) == (ELSEWHERE, (REF, OK))
    assert whose == [third]


def test_nobody_ends_the_connection_of_another_node(bench: Bench) -> None:
    third = FakeLink("third@localhost")
    bench.node.links.append(third)
    assert sent(bench, call(Atom("exit"), caller=ELSEWHERE)) == []
    assert third.sent.get(timeout=DEADLINE) == (ELSEWHERE, (REF, OK))
    assert (bench.link.ended, third.ended) == (["asked to exit"], [])


@pytest.mark.parametrize(
    "term",
    [
        call(ECHO, caller=ELSEWHERE),
        call(ECHO, caller=OURS),
        (Atom("$gen_call"), OTHER, ECHO),
        (Atom("$gen_call"), (OTHER,), ECHO),
        call(ECHO, [b"x" * bounds.MAX_TAG]),
        (Atom("$gen_call"), (Atom("x"), REF), ECHO),
        (Atom("$gen_call"), (OTHER, REF)),
        (Atom("$gen_cast"),),
        (Atom("$gen_cast"), ECHO, 1),
    ],
)
def test_what_cannot_be_answered_is_badarg_for_who_sent_it(bench: Bench, term: Term) -> None:
    assert sent(bench, term) == [(SENDER, encode(BADARG))]
    assert bench.switch.executed == []


def test_later_messages_are_no_answers(bench: Bench) -> None:
    assert bench.link.sent.empty()
    bench.receive(encode(call((Atom("bgapi"), Atom("echo"), b"x"))))
    to, (tag, (ok, _job)) = bench.later()
    assert (to, Reference.of(tag), ok) == (OTHER, REF, OK)
    to, (bgok, _job, output) = bench.later()
    assert (to, bgok, output) == (OTHER, Atom("bgok"), b"x")


def test_an_answer_that_comes_later_goes_by_the_same_way(bench: Bench) -> None:
    waiting: list[Request] = []

    @request("later", 0, family=None)
    def later(ask: Request) -> ReplyLater:
        waiting.append(ask)
        return REPLY_LATER

    assert sent(bench, call(Atom("later"))) == []
    waiting.pop().reply(OK)
    assert bench.later() == (OTHER, (REF, OK))


@pytest.mark.parametrize("envelope", [call, cast])
@pytest.mark.parametrize("monitored", [True, False])
def test_a_request_is_not_kept_for_an_answer_that_comes_later(
    bench: Bench, envelope: Callable[[Term], Term], monitored: bool
) -> None:
    """Of an `execute`, of which thousands may be waited for, it may have a megabyte."""
    if monitored:
        bench.node.processes.monitors.add((OTHER, "foo"))
    waiting: list[Request] = []
    arguments: list[weakref.ref[Binary]] = []

    @request("later", 2, family=None)
    def later(ask: Request) -> ReplyLater:
        arguments.append(weakref.ref(ask.term[1]))
        waiting.append(ask._replace(term=()))
        return REPLY_LATER

    assert sent(bench, envelope((Atom("later"), Binary(b"x")))) == []
    assert waiting
    assert [one() for one in arguments] == [None]


def test_a_request_without_an_answer_is_answered_where_somebody_waits(bench: Bench) -> None:
    @request("silent", 0, family=None)
    def silent(_: Request) -> NoReply:
        return NO_REPLY

    assert sent(bench, Atom("silent")) == []
    assert sent(bench, cast(Atom("silent"))) == []
    assert sent(bench, call(Atom("silent"))) == [(OTHER, encode((REF, OK)))]


def test_what_follows_an_answer_comes_after_it(bench: Bench) -> None:
    seen: list[bool] = []

    @request("after", 0, family=None)
    def after(_: Request) -> ReplyThen:
        return ReplyThen(OK, lambda: seen.append(bench.link.sent.empty()))

    assert sent(bench, call(Atom("after"))) == [(OTHER, encode((REF, OK)))]
    assert seen == [False]


def test_an_urgent_request_is_urgent_in_an_envelope_too(bench: Bench) -> None:
    ran: list[int] = []

    @request("now", 0, family=None, urgent=True)
    def now(_: Request) -> Term:
        ran.append(threading.get_ident())
        return OK

    for term in (call(Atom("now")), cast(Atom("now"))):
        job = bench.dispatcher.received(bench.link, SENDER, "foo", encode(term))  # type: ignore[arg-type]
        assert job is None
    assert len(ran) == 2


def test_a_call_over_a_limit_is_answered(bench: Bench) -> None:
    payload = encode(call(0))
    bench.receive(payload[:-2] + b"h\1" * 100_000 + b"j")
    assert bench.later() == (OTHER, (REF, BADARG))


def test_a_cast_is_done_and_gets_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    assert sent(bench, cast(ECHO)) == []
    assert bench.switch.executed == [("echo", b"x")]
    assert sent(bench, cast(Atom("link"))) == []
    assert bench.node.processes.linked == [SENDER]
    assert caplog.records == []


@pytest.mark.parametrize("question", [b"x", Atom("nosuch"), (Atom("api"),), (Atom("api"), Atom("echo"), 12)])
def test_a_cast_that_fails_is_told_to_the_operator(
    bench: Bench, question: Term, caplog: pytest.LogCaptureFixture
) -> None:
    assert sent(bench, cast(question)) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


NOT_IN_AN_ENVELOPE = [
    call(ECHO),
    cast(ECHO),
    (Atom("system"), (OTHER, REF), ECHO),
    (Atom("io_request"), OTHER, REF, ECHO),
    (Atom("rex"), (REF, OTHER)),
    (REF, OTHER),
    (OTHER, (OTHER, REF), ECHO),
]


@pytest.mark.parametrize("question", NOT_IN_AN_ENVELOPE)
def test_nothing_of_otps_own_is_in_an_envelope(bench: Bench, question: Term) -> None:
    assert sent(bench, call(question)) == [(OTHER, encode((REF, UNDEF)))]
    assert sent(bench, cast(question)) == []
    assert bench.switch.executed == []


SPAWN: Term = (Atom("spawn_opt"), Atom("m"), Atom("f"), [], [], Atom("no_link"), OTHER)


@pytest.mark.parametrize(
    ("to", "question", "answer"),
    [
        ("net_kernel", SPAWN, Atom("notsup")),
        ("net_kernel", (Atom("spawn_link"), 1), Atom("notsup")),
        ("net_kernel", (), UNDEF),
        ("foo", SPAWN, UNDEF),
    ],
)
def test_a_spawn_as_otp_23_asks_for_it_is_refused(bench: Bench, to: str, question: Term, answer: Term) -> None:
    assert sent(bench, call(question), to) == [(OTHER, encode((REF, answer)))]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(terms, terms)
def test_every_call_gets_one_answer(bench: Bench, question: Term, tag: Term) -> None:
    """Whatever is asked, and whatever the tag, unless that is big."""
    assume(memory(tag) < bounds.MAX_TAG // 2)
    messages = sent(bench, call(question, tag))
    assert len(messages) == 1
    assert encode((tag, UNDEF)) == messages[0][1]
    assert bench.switch.executed == []
