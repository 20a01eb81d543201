"""The simulated switch's commands. What the table says is asked of a real FreeSWITCH too."""

from __future__ import annotations

import io
import re
import threading
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_erlang_py.switch.port import ApiResult, Module
from mod_erlang_py.switch.simulated import SimulatedSwitch
from mod_erlang_py.switch.simulated.commands.registry import command
from mod_erlang_py.switch.simulated.words import is_true, separate, whole_number
from tests.switch.conftest import Ask, asked

NO_COMMAND = ApiResult(found=False, success=False, output=b"INVALID COMMAND!\n")

FSAPI = (
    '{"command":"fsapi","data":{"cmd":"echo","arg":"a \\"b\\" é"},"status":"success",'
    '"response":{"message":"a \\"b\\" é"}}\n'
)
NO_JSON_COMMAND = (
    '{"command":"nosuch","data":"","status":"error","message":"Invalid request or non-existant command",'
    '"response":null}\n'
)
SAME_AS_FREESWITCH = [
    # text
    ("echo hello  world", "hello  world"),
    ("echo", ""),
    ("ECHO  a b ", "a b"),
    ("echo é", "é"),
    ("msleep", "+OK"),
    ("msleep foo", "+OK"),
    ("msleep -1", "+OK"),
    ("msleep 1", "+OK"),
    # JSON
    ("json", "-ERR No JSON supplied.\n"),
    ("json {", "-ERR Parse error.\n"),
    ('json {"command":"fsapi","data":{"cmd":"echo","arg":"a \\"b\\" é"}}', FSAPI),
    ('json {"command":"nosuch","data":""}', NO_JSON_COMMAND),
    ("show channels count as json", '{"row_count":0,"rows":[]}'),
    # channels, when there are none
    ("uuid_exists", "false"),
    ("uuid_exists a", "false"),
    ("uuid_kill", "-USAGE: <uuid> [cause]\n"),
    ("uuid_kill a", "-ERR No such channel!\n"),
    ("uuid_getvar a", "-USAGE: <uuid> <var>\n"),
    ("uuid_getvar 'a b'", "-USAGE: <uuid> <var>\n"),
    ("uuid_getvar a b", "-ERR No such channel!\n"),
    ("uuid_send_dtmf a", "-USAGE: <uuid> <dtmf_data>\n"),
    ("uuid_send_dtmf a 1", "-ERR Cannot locate session!\n"),
    ("uuid_recv_dtmf", "-USAGE: <uuid> <dtmf_data>\n"),
    ("uuid_recv_dtmf a 1", "-ERR Cannot locate session!\n"),
    ("show channels count", "\n0 total.\n"),
    ("SHOW CHANNELS count", "\n0 total.\n"),
    ("show  channels  COUNT", "\n0 total.\n"),
    # modules
    ("unload", "-USAGE: [-f] <mod_name>\n"),
    ("unload nosuch", "-ERR [No such module!]\n"),
    ("unload -f nosuch", "-ERR [No such module!]\n"),
    ("reloadxml", "+OK [Success]\n"),
    # log
    ("log", "+OK\n"),
    ("log info foo bar", "+OK\n"),
    ("log nosuch foo", "+OK\n"),
    ("global_getvar nosuch", ""),
    # users
    ("user_exists", "false"),
    ("user_exists id 7 nosuch", "false"),
    ("user_data", ""),
    ("user_data 7", ""),
    ("user_data 7 param password", ""),
    ("find_user_xml", "-ERR bad args\n"),
    ("find_user_xml id 7 nosuch", "-ERR can't find user\n"),
]


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def switch(log: io.StringIO) -> SimulatedSwitch:
    return SimulatedSwitch(log_to=log)


@pytest.mark.parametrize(("line", "answer"), SAME_AS_FREESWITCH, ids=[line for line, _ in SAME_AS_FREESWITCH])
def test_answers_in_freeswitch_s_words(ask: Ask, line: str, answer: str) -> None:
    assert ask(line) == answer


UP = r"UP 0 years, 0 days, \d+ hours?, \d+ minutes?, \d+ seconds?, \d+ milliseconds?, \d+ microseconds?"
STATUS = [
    UP,
    r"FreeSWITCH \(Version 1\.\S+(:? .*) is ready",
    r"\d+ session\(s\) since startup",
    r"\d+ session\(s\) - peak \d+, last 5min \d+ ",
    r"\d+ session\(s\) per Sec out of max \d+, peak \d+, last 5min \d+ ",
    r"\d+ session\(s\) max",
    r"min idle cpu \d+\.\d\d/\d+\.\d\d",
    r"Current Stack Size/Max \d+K/\d+K",
    "",
]


def test_status(ask: Ask) -> None:
    lines = ask("status").split("\n")
    assert len(lines) == len(STATUS)
    for line, form in zip(lines, STATUS, strict=True):
        assert re.fullmatch(form, line), line


def test_status_says_that_it_is_simulated(switch: SimulatedSwitch) -> None:
    assert "\nFreeSWITCH (Version 1.11.1-simulated: the simulated switch, not FreeSWITCH) is ready\n" in asked(
        switch, "status"
    )


def test_version(ask: Ask) -> None:
    assert re.fullmatch(r"FreeSWITCH Version (1\.\S+)~64bit \( 64bit\)\n", ask("version"))
    assert re.fullmatch(r"1\.[\d.]+(?:-\w+)?\n", ask("version short"))
    assert re.fullmatch(r"FreeSWITCH Version (1\.\S+)~64bit \(\S+  64bit\)\n", ask("version nosuch"))


def test_global_variables(ask: Ask) -> None:
    told = dict(line.split("=", 1) for line in ask("global_getvar").splitlines())
    assert {"hostname", "local_ip_v4", "local_ip_v6", "core_uuid"} <= set(told)
    assert next(iter(told)) == "hostname"
    assert ask("global_getvar hostname") == told["hostname"]
    assert ask("global_getvar HOSTNAME") == told["hostname"]
    assert uuid.UUID(ask("global_getvar core_uuid")).version == 4


def test_an_unknown_command(switch: SimulatedSwitch) -> None:
    for name in ("nosuch", "sofia", "", "  ", "uuid_broadcast", "erlang", "é\udc80"):
        assert switch.execute(name, b"x") == NO_COMMAND


def test_whitespace_goes_and_a_zero_byte_ends_the_text(switch: SimulatedSwitch) -> None:
    assert switch.execute(" \techo\n", b"\r\n a\tb \v\x00c").output == b"a\tb"


def test_bytes_that_are_no_utf_8_stay(switch: SimulatedSwitch) -> None:
    assert switch.execute("echo", b"\xff\xfe").output == b"\xff\xfe"


COMMANDS = ("global_getvar", "log", "originate", "show", "unload", "uuid_getvar", "uuid_kill", "user_data")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_commands_take_any_argument(argument: bytes) -> None:
    for name in COMMANDS:
        assert SWITCH.execute(name, argument).success, name


SWITCH = SimulatedSwitch(log_to=io.StringIO())


def test_other_reports_than_the_number_of_channels(switch: SimulatedSwitch) -> None:
    for line in ("show", "show calls", "show channels", "show channels count as xml"):
        assert asked(switch, line) == "-USAGE: channels count\n"


def test_uuids_are_random(switch: SimulatedSwitch) -> None:
    made = {switch.create_uuid(), switch.create_uuid()}
    assert len(made) == 2
    assert {uuid.UUID(text).version for text in made} == {4}


def test_a_sleeping_command_holds_nobody_else(switch: SimulatedSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep, wake = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        assert seconds == 4
        asleep.set()
        assert wake.wait(10)

    answers: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr("mod_erlang_py.switch.simulated.commands.core.time.sleep", sleep)
        sleeper = threading.Thread(target=lambda: answers.append(asked(switch, "msleep 4000")))
        sleeper.start()
        assert asleep.wait(10)
        assert asked(switch, "echo still here") == "still here"
        assert answers == []
        wake.set()
        sleeper.join(10)
    assert answers == ["+OK"]


def test_msleep_takes_its_time(ask: Ask) -> None:
    began = time.monotonic()
    ask("msleep 60")
    assert time.monotonic() - began >= 0.06


def test_log_command(switch: SimulatedSwitch, log: io.StringIO) -> None:
    for line in ("log err a  b", "log nosuch c", "log d", "log 4 e\n"):
        assert asked(switch, line) == "+OK\n"
    lines = [re.sub(r"^\S+ \S+ (\[\w+\]) core\.py:\d+", r"\1", line) for line in log.getvalue().splitlines()]
    assert lines == ["[ERR] a  b", "[DEBUG] c", "[DEBUG] d", "[WARNING] e"]


def test_the_module_s_own_command(switch: SimulatedSwitch) -> None:
    switch.load(Module(api=lambda argument: f"<{argument}>\n", shutdown=lambda: None))
    assert switch.execute("ERLANG", b" listeners \xff ") == ApiResult(True, True, b"<listeners \xff>\n")
    assert asked(switch, "unload -f mod_erlang_py") == "+OK\n"
    assert switch.execute("erlang", b"listeners") == NO_COMMAND
    assert asked(switch, "unload mod_erlang_py") == "-ERR [No such module!]\n"


def test_a_command_that_raises_says_so_and_is_logged(switch: SimulatedSwitch, log: io.StringIO) -> None:
    def api(argument: str) -> str:
        raise RuntimeError("broken here")

    switch.load(Module(api, lambda: None))
    assert switch.execute("erlang", b"") == ApiResult(True, False, b"COMMAND RETURNED ERROR!\n")
    assert "[ERR] switch.py:" in log.getvalue()
    assert "RuntimeError: broken here" in log.getvalue()


def test_a_command_cannot_be_registered_twice() -> None:
    with pytest.raises(ValueError, match="echo"):
        command("echo")(lambda _context, argument: argument)


# --- texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "delimiter", "most", "words"),
    [
        (b"", b" ", 3, []),
        (b"  a   b  c d ", b" ", 3, [b"a", b"b", b"c d"]),
        (b"a=b=c=d", b"=", 3, [b"a", b"b", b"c=d"]),
        (b"a = b = ", b"=", 3, [b"a", b"b", b""]),
        (b"a=", b"=", 3, [b"a"]),
        (b"'a=b'=c", b"=", 3, [b"a=b", b"c"]),
        (rb"a\=b\n\s\q", b"=", 3, [rb"a=b" + b"\n " + rb"\q"]),
        (b"'it", b" ", 2, [b"'it"]),
        (b"x' y 'z", b"=", 2, [b"x y z"]),
        (b"^^:a:b c", b" ", 3, [b"a", b"b c"]),
    ],
)
def test_words(text: bytes, delimiter: bytes, most: int, words: list[bytes]) -> None:
    assert separate(text, delimiter, most) == words


@pytest.mark.parametrize(("text", "number"), [(b"", 0), (b" 12x", 12), (b"-3", -3), (b"+4", 4), (b"x1", 0)])
def test_numbers(text: bytes, number: int) -> None:
    assert whole_number(text) == number


def test_what_is_true() -> None:
    assert all(map(is_true, [b"yes", b"ON", b"true", b"t", b"Enabled", b"active", b"allow", b"2", b"-1"]))
    assert not any(map(is_true, [None, b"", b"0", b"no", b"y"]))
