"""What OTP's libraries send to a process: everybody who waits is told something."""

from __future__ import annotations

import pytest

from mod_erlang_py.etf import Atom, Pid, Reference, Term, encode
from tests.requests.asking import OTHER, OURS, SENDER, Bench

UNDEF = (Atom("error"), Atom("undef"))
REF = Reference("peer@localhost", 7, (1, 2, 3))


def sent(bench: Bench, term: Term, to: Pid | str = "foo") -> list[tuple[Pid, bytes]]:
    """To whom what was sent; a reply goes to the caller that the message names, whoever sent it."""
    bench.receive(encode(term), to=to)
    messages = []
    while not bench.link.sent.empty():
        whom, reply = bench.link.sent.get()
        messages.append((whom, encode(reply)))
    return messages


@pytest.mark.parametrize("kind", ["system", "$gen_sync_event", "$gen_sync_all_state_event"])
@pytest.mark.parametrize("tag", [REF, [Atom("alias"), REF], (REF, Atom("node")), 12])
def test_it_returns_error_undef(bench: Bench, kind: str, tag: Term) -> None:
    """The tag comes back as it was, whatever it is."""
    assert sent(bench, (Atom(kind), (OTHER, tag), Atom("get_state"))) == [(OTHER, encode((tag, UNDEF)))]


def test_a_call_to_a_gen_event_returns_error_undef(bench: Bench) -> None:
    assert sent(bench, (OTHER, (OTHER, REF), Atom("which_handlers"))) == [(OTHER, encode((REF, UNDEF)))]


def test_a_broadcast_finds_no_such_name(bench: Bench) -> None:
    answer = (Atom("rex"), Atom(OURS.node), (Atom("nonexisting_name"), Atom("desk")))
    assert sent(bench, (OTHER, (Atom("sbcast"), Atom("desk"), 1)), "rex") == [(OTHER, encode(answer))]


def test_who_awaits_an_answer_of_a_form_that_we_are_not_told_hears_by_his_monitor(bench: Bench) -> None:
    question = (SENDER, Atom("question"))
    assert sent(bench, question) == [(SENDER, encode(UNDEF))]
    bench.node.processes.monitors.add((SENDER, "desk"))
    assert sent(bench, question) == [(SENDER, encode(UNDEF))]
    assert sent(bench, question, "desk") == []
    assert bench.node.processes.refused == [SENDER]


@pytest.mark.parametrize(
    ("cast", "answer"),
    [
        ((Atom("find_name"), OTHER, Atom("x")), (Atom("find_name_res"), Atom("undefined"))),
        ((Atom("registered_names"), OTHER), (Atom("registered_names_res"), [])),
    ],
)
def test_global_group_finds_nothing(bench: Bench, cast: Term, answer: Term) -> None:
    assert sent(bench, (Atom("$gen_cast"), cast), "global_group") == [(OTHER, encode(answer))]
    assert sent(bench, (Atom("$gen_cast"), cast)) == []


def test_a_log_event_is_not_answered(bench: Bench) -> None:
    """OTP's logger_proxy, which sends it, ends of an answer."""
    event: Term = (Atom("log"), Atom("error"), b"x", [], {})
    assert sent(bench, event, "logger_proxy") == []
    assert sent(bench, event) == [(SENDER, encode(UNDEF))]


def test_an_io_request_is_refused(bench: Bench) -> None:
    ask = (Atom("io_request"), OTHER, REF, (Atom("put_chars"), Atom("unicode"), b"x"))
    reply = (Atom("io_reply"), REF, (Atom("error"), Atom("enotsup")))
    assert sent(bench, ask) == [(OTHER, encode(reply))]


def test_a_file_request_is_refused(bench: Bench) -> None:
    reply = (Atom("file_reply"), REF, (Atom("error"), Atom("enotsup")))
    assert sent(bench, (Atom("file_request"), OTHER, REF, Atom("close"))) == [(OTHER, encode(reply))]


@pytest.mark.parametrize(
    "term",
    [
        (Atom("system"), 1, 1),
        (Atom("io_request"), 1, REF, 1),
        (Atom("io_request"), OTHER, REF),
    ],
)
def test_malformed_ones_are_badarg(bench: Bench, term: Term) -> None:
    assert sent(bench, term) == [(SENDER, encode((Atom("error"), Atom("badarg"))))]
