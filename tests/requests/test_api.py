"""api and bgapi, against a switch that says what a test wants."""

from __future__ import annotations

import threading

import pytest

from mod_erlang_py.errors import Exhausted, SwitchError
from mod_erlang_py.etf import Atom, Binary, List, Term, encode
from mod_erlang_py.switch.port import ApiResult, Event
from tests.requests.asking import JOB, SENDER, Bench, api, bgapi
from tests.waiting import DEADLINE

OK, ERROR = Atom("ok"), Atom("error")
BADARG = [(ERROR, Atom("badarg"))]
NO_OUTPUT = b"Command returned no output!"
BINARY = pytest.mark.parametrize("bench", ["binary"], indirect=True)


def says(bench: Bench, output: bytes, success: bool = True) -> None:
    bench.switch.commands["say"] = lambda _: ApiResult(True, success, output)


@pytest.mark.parametrize("command", [Atom("echo"), Atom("ECHO"), b"echo", Binary(b"Echo")])
@pytest.mark.parametrize("arguments", [b"a b", Binary(b"a b"), [97, 32, 98], List([97, 32, 98]), Atom("a b")])
def test_texts_of_every_kind(bench: Bench, command: Term, arguments: Term) -> None:
    assert bench.ask(api(command, arguments)) == [(OK, b"a b")]
    assert bench.switch.executed[0][1] == b"a b"


@pytest.mark.parametrize("arguments", [(), ([],), (b"",), (Binary(b""),)])
def test_no_arguments(bench: Bench, arguments: tuple[Term, ...]) -> None:
    says(bench, b"said")
    assert bench.ask(api(Atom("say"), *arguments)) == [(OK, b"said")]
    assert bench.switch.executed == [("say", b"")]


def test_further_elements_are_ignored(bench: Bench) -> None:
    assert bench.ask(api(Atom("echo"), b"x", 1, 2, [3])) == [(OK, b"x")]


@pytest.mark.parametrize("size", [65535, 65536, 900_000])
def test_long_arguments(bench: Bench, size: int) -> None:
    """A string of over 65535 characters arrives as a list of integers, and is one in the answer."""
    ((ok, output),) = bench.ask(api(Atom("echo"), b"x" * size))
    assert ok == OK
    assert bytes(output) == b"x" * size


@pytest.mark.parametrize(
    ("output", "success", "expected"),
    [
        (b"+OK done\n", True, (OK, b"+OK done\n")),
        (b"-ERR no\n", True, (ERROR, b"-ERR no\n")),
        (b"-", True, (ERROR, b"-")),
        (b"-USAGE: x\n", True, (ERROR, b"-USAGE: x\n")),
        (b" -", True, (OK, b" -")),
        (b"failed", False, (ERROR, b"failed")),
        (b"", True, (ERROR, NO_OUTPUT)),
        (b"", False, (ERROR, NO_OUTPUT)),
        (b"\xff\x80\xe4", True, (OK, b"\xff\x80\xe4")),
        ("ä€".encode(), True, (OK, "ä€".encode())),
    ],
)
def test_outputs(bench: Bench, output: bytes, success: bool, expected: Term) -> None:
    says(bench, output, success)
    assert bench.ask(api(Atom("say"), b"")) == [expected]


@BINARY
@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"+OK \xff\x80", (OK, Binary(b"+OK \xff\x80"))),
        (b"-ERR no", (ERROR, Binary(b"-ERR no"))),
        (b"", (ERROR, Binary(NO_OUTPUT))),
    ],
)
def test_encoding_binary(bench: Bench, output: bytes, expected: Term) -> None:
    says(bench, output)
    assert bench.ask(api(Atom("say"), b"")) == [expected]


def test_bytes_of_a_binary_are_kept_as_they_came(bench: Bench) -> None:
    for text in (b"\xff\xfe\x80", "ä€".encode(), bytes(range(1, 256))):
        bench.ask(api(Atom("echo"), Binary(text)))
        assert bench.switch.executed[-1] == ("echo", text)


def test_a_string_that_is_no_utf_8_is_code_points(bench: Bench) -> None:
    for text, passed in ((b"\xe4", "ä".encode()), ("ä€".encode(), "ä€".encode()), (b"\xe4\xc3\xa4", "äÃ¤".encode())):
        bench.ask(api(Atom("echo"), text))
        assert bench.switch.executed[-1] == ("echo", passed)


def test_a_command_that_is_not_there(bench: Bench) -> None:
    assert bench.ask(api(Atom("wtf"), b"")) == [(ERROR, b"wtf: Command not found!\n")]
    assert bench.ask(api("Wörter".encode(), b"x")) == [(ERROR, "Wörter: Command not found!\n".encode())]


@pytest.mark.parametrize("kind", ["api", "bgapi"])
@pytest.mark.parametrize(
    "rest",
    [
        (),
        (12,),
        (Atom("echo"), 12),
        (Atom("echo"), 1.5),
        (Atom("echo"), {}),
        (Atom("echo"), ()),
        (Atom("echo"), [b"a", Atom("b")]),
        (Atom("echo"), [-1]),
        (Atom("echo"), [0x110000]),
        (Atom("echo"), List([97, 98], improper=True)),
        (Atom("echo"), Binary(b"\xe0", 3)),
        (Atom("echo"), SENDER),
        (Atom("echo"), b"a\0b"),
        (Atom("echo"), Binary(b"\0")),
        (b"ec\0ho", b""),
        (Binary(b"\xff\xfe"), b""),
    ],
)
def test_wrong_arguments(bench: Bench, kind: str, rest: tuple[Term, ...]) -> None:
    assert bench.ask((Atom(kind), *rest)) == BADARG
    assert bench.switch.executed == []
    assert bench.switch.fired.empty()


def test_a_bare_tag_is_unknown(bench: Bench) -> None:
    assert bench.ask(Atom("api")) == [(ERROR, Atom("undef"))]


def test_bgapi_answers_before_it_runs_and_after(bench: Bench) -> None:
    go = threading.Event()

    def slow(arguments: bytes) -> ApiResult:
        assert go.wait(DEADLINE)
        return ApiResult(True, True, b"+OK " + arguments)

    bench.switch.commands["slow"] = slow
    assert bench.ask(bgapi(Atom("slow"), b"x")) == [(OK, JOB.encode())]
    assert bench.link.sent.empty()
    go.set()
    assert bench.later() == (SENDER, (Atom("bgok"), JOB.encode(), b"+OK x"))
    assert bench.link.sent.empty()


@pytest.mark.parametrize(
    ("own", "job"), [(b"my job", b"my job"), (Binary(b"x" * 256), b"x" * 256), (b"", JOB.encode())]
)
def test_a_job_uuid_of_ones_own(bench: Bench, own: Term, job: bytes) -> None:
    bench.receive(encode(bgapi(Atom("echo"), b"x", own, Atom("ignored"))))
    assert bench.later()[1] == (OK, job)
    assert bench.later()[1] == (Atom("bgok"), job, b"x")
    assert bench.switch.fired.get(timeout=DEADLINE).header(b"Job-UUID") == job


@pytest.mark.parametrize("own", [12, (), b"x" * 257, b"a\0b", Binary(b"\xff")])
def test_no_job_uuid(bench: Bench, own: Term) -> None:
    assert bench.ask(bgapi(Atom("echo"), b"x", own)) == BADARG
    assert bench.switch.executed == []


def test_bgapi_of_a_quick_command_keeps_the_order(bench: Bench) -> None:
    for _ in range(200):
        link = bench.link
        bench.receive(encode(bgapi(Atom("echo"), b"x")))
        tags = [link.sent.get(timeout=DEADLINE)[1][0] for _ in range(2)]
        assert tags == [OK, Atom("bgok")]


@pytest.mark.parametrize(
    ("output", "success", "tag", "told"),
    [
        (b"+OK done\n", True, "bgok", b"true"),
        (b"", True, "bgok", b"true"),
        (b"-ERR no\n", True, "bgerror", b"false"),
        (b"failed", False, "bgerror", b"false"),
        (b"\xff\x80", True, "bgok", b"true"),
    ],
)
def test_bgapi_and_its_event(bench: Bench, output: bytes, success: bool, tag: str, told: bytes) -> None:
    says(bench, output, success)
    assert bench.ask(bgapi(Atom("Say"), b"a b"))[0] == (OK, JOB.encode())
    event = bench.switch.fired.get(timeout=DEADLINE)
    assert event == Event(
        "BACKGROUND_JOB",
        (
            (b"Job-UUID", JOB.encode()),
            (b"Job-Command", b"Say"),
            (b"Job-Command-Arg", b"a b"),
            (b"Job-Successful", told),
        ),
        output,
    )


@pytest.mark.parametrize(("output", "expected"), [(b"", []), (b"x", b"x"), (b"-no", b"-no")])
def test_what_bgapi_sends_at_the_end(bench: Bench, output: bytes, expected: Term) -> None:
    says(bench, output)
    bench.receive(encode(bgapi(Atom("say"))))
    assert bench.later()[1] == (OK, JOB.encode())
    tag = Atom("bgerror") if output.startswith(b"-") else Atom("bgok")
    assert encode(bench.later()[1]) == encode((tag, JOB.encode(), expected))


@BINARY
def test_bgapi_encoding_binary(bench: Bench) -> None:
    bench.receive(encode(bgapi(Atom("echo"), b"x")))
    assert bench.later()[1] == (OK, Binary(JOB.encode()))
    assert bench.later()[1] == (Atom("bgok"), Binary(JOB.encode()), Binary(b"x"))


def test_bgapi_of_a_command_that_is_not_there(bench: Bench) -> None:
    bench.receive(encode(bgapi(Atom("wtf"), b"")))
    assert bench.later()[1] == (OK, JOB.encode())
    assert bench.later()[1] == (Atom("bgerror"), JOB.encode(), b"wtf: Command not found!\n")


def test_bgapi_is_answered_when_the_event_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the switch shuts down."""

    def refuse(event: Event) -> None:
        raise SwitchError("switch_event_fire", "the switch takes no events")

    monkeypatch.setattr(bench.switch, "fire", refuse)
    bench.receive(encode(bgapi(Atom("echo"), b"x")))
    assert bench.later()[1] == (OK, JOB.encode())
    assert bench.later()[1] == (Atom("bgok"), JOB.encode(), b"x")


def test_bgapi_without_a_thread_for_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked is told, and nothing runs."""

    def refuse(*_: object) -> None:
        raise Exhausted("can't start new thread")

    monkeypatch.setattr(bench.workers, "submit", refuse)
    assert bench.ask(bgapi(Atom("echo"), b"x")) == [(ERROR, Atom("system_limit"))]
    assert bench.switch.executed == []


def test_an_output_that_is_no_json_is_a_line_about_its_node(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Of which there are so many a minute."""
    says(bench, b"{")
    ((error, (reason, _)),) = bench.ask(api(Atom("say"), b"", {Atom("format"): Atom("json")}))
    assert (error, reason) == (ERROR, Atom("notjson"))
    assert [getattr(record, "peer", None) for record in caplog.records] == ["peer@localhost"]
