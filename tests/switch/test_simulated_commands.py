"""The simulated switch's commands. The tables hold what FreeSWITCH 1.11.1 answered to the same words."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_erlang_py.switch.port import ApiResult, Module
from mod_erlang_py.switch.simulated import SimulatedSwitch
from mod_erlang_py.switch.simulated.commands.registry import command
from mod_erlang_py.switch.simulated.words import separate

NO_COMMAND = ApiResult(found=False, success=False, output=b"INVALID COMMAND!\n")
SHOW_USAGE = (
    "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|"
    "calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|"
    "say|interfaces|interface_types|tasks|limits|status\n"
)
UPTIME_USAGE = "-USAGE: [us|ms|s|m|h|d|microseconds|milliseconds|seconds|minutes|hours|days]\n"
NO_FILE = "-ERR [module load file routine returned an error]\n"
NOT_LOADED = "-ERR loading module [module load file routine returned an error]\n"

SAME_AS_FREESWITCH = [
    # text
    ("echo hello  world", "hello  world"),
    ("echo", ""),
    ("ECHO  a b ", "a b"),
    ("md5 abc", "900150983cd24fb0d6963f7d28e17f72"),
    ("md5 é", "66ddcd97cfdeabb2f6fb8a999b4bc76f"),
    ("md5", "!err!"),
    ("toupper abC é", "ABC é"),
    ("tolower abC É", "abc É"),
    ("url_encode a b%c&d/e?f=1\"'()~%41%zz", "a%20b%25c%26d/e%3Ff%3D1%22'()~%41%25zz"),
    ("url_encode 100%AB%ab", "100%AB%25ab"),
    ("url_decode a%20b%zz+%2", "a b%zz+%2"),
    ("url_decode %41%4", "A%4"),
    ("url_encode", ""),
    ("url_decode", ""),
    # eval
    ("eval", ""),
    ("eval plain", "plain"),
    ("eval ${nosuch}", ""),
    ("eval ${echo hi}", "hi"),
    ("eval ${nosuch x}z", "z"),
    ("eval ${toupper(abc)}d", "ABCd"),
    ("eval ${echo(a(b)c)}d", "a(b)cd"),
    ("eval ${echo a(b)c}", "a(b"),
    ("eval x${echo {a}}y", "x{a}y"),
    ("eval uuid:abc ${echo x}", ""),
    ("eval uuid:x", ""),
    (r"eval a\nb\\c\'d", r"a\nb\cd"),
    (r"eval \$ y", r"\$ y"),
    (r"eval \$${hostname} b", "${hostname} b"),
    (r"eval ${echo x} \$ $100 $ y", "x $ $100 $ y"),
    ("eval $$x", "$$x"),
    ("eval ${md5 a b}", "0cc9cd4dd26c5137b675a0d819cb9ab0"),
    # conditions
    ("cond 1 == 1 ? a : b", "a"),
    ("cond 1 == 2 ? a : b", "b"),
    ("cond 1 == 2 ? a", ""),
    ("cond 1.5 >= 1.5 ? a:b", "a"),
    ("cond 10 > 9 ? y : n", "y"),
    ("cond -1 < 1 ? y : n", "y"),
    ("cond +1 == 1 ? y : n", "y"),
    ("cond 5 != 5.0 ? y : n", "n"),
    ("cond abc < abcd ? a : b", "a"),
    ("cond ab > 1 ? y : n", "y"),
    ("cond a != b ? y : n", "y"),
    ("cond 'a' == 'a' ? yes : no", "yes"),
    ("cond 'x y' != 'x' ? ' a ' : b", " a "),
    ("cond '5' == 5 ? y : n", "n"),
    ("cond 1 == 1 ? 'a:b' : c", "a:b"),
    (r"cond 1 == 1 ? a\:b : c", "a:b"),
    ("cond 1 == 1 ?a:b:c:d", "a"),
    ("cond 1 == 1 ? : b", ""),
    ("cond 1 = 1 ? a : b", "-ERR"),
    ("cond 1 ==1 ? a : b", "-ERR"),
    ("cond 1 >=2 ? a : b", "-ERR"),
    ("cond 1 ! 2 ? a : b", "-ERR"),
    ("cond 'a'=='a' ? yes : no", "-ERR"),
    ("cond foo", "-ERR"),
    ("cond", "-ERR"),
    # time
    ("uptime x", UPTIME_USAGE),
    ("strftime abc", "abc"),
    ("strftime 86400| %Y", "1970"),
    ("strftime 0|%Y", "Y"),
    ("strftime %Q", ""),
    ("strftime %", ""),
    ("strftime a%%b", "a%b"),
    ("strepoch foo", "0"),
    ("strepoch 1960-01-01", "0"),
    ("msleep", "+OK"),
    ("msleep foo", "+OK"),
    ("msleep -1", "+OK"),
    # channels, when there are none
    ("uuid_exists", "false"),
    ("uuid_exists a", "false"),
    ("uuid_kill", "-USAGE: <uuid> [cause]\n"),
    ("uuid_kill a", "-ERR No such channel!\n"),
    ("uuid_getvar a", "-USAGE: <uuid> <var>\n"),
    ("uuid_getvar 'a b'", "-USAGE: <uuid> <var>\n"),
    ("uuid_getvar a b", "-ERR No such channel!\n"),
    ("uuid_setvar a", "-USAGE: <uuid> <var> [value]\n"),
    ("uuid_setvar a b", "-ERR No such channel!\n"),
    ("uuid_dump", "-USAGE: <uuid> [format]\n"),
    ("uuid_dump a", "-ERR No such channel!\n"),
    ("uuid_answer", "-ERROR\n"),
    ("uuid_answer a", "-ERROR\n"),
    ("uuid_pre_answer a", "-ERROR\n"),
    ("uuid_park", "-ERR No such channel!\n"),
    ("uuid_park a", "-ERR No such channel!\n"),
    ("uuid_transfer a", "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"),
    ("uuid_transfer a 1", "-ERR No such channel!\n"),
    ("uuid_bridge a", "-USAGE: <uuid> <other_uuid>\n"),
    ("uuid_bridge a a", "-ERR Invalid uuid\n"),
    ("uuid_send_dtmf a", "-USAGE: <uuid> <dtmf_data>\n"),
    ("uuid_send_dtmf a 1", "-ERR Cannot locate session!\n"),
    ("uuid_recv_dtmf", "-USAGE: <uuid> <dtmf_data>\n"),
    ("uuid_recv_dtmf a 1", "-ERR Cannot locate session!\n"),
    ("hupall", "+OK hangup all channels with cause MANAGER_REQUEST\n"),
    ("hupall user_busy", "+OK hangup all channels with cause USER_BUSY\n"),
    ("hupall NOSUCH", "+OK hangup all channels with cause NORMAL_CLEARING\n"),
    ("hupall 17 a b", "+OK hangup all channels matching [a]=[b] with cause: USER_BUSY\n"),
    # reports
    ("show", SHOW_USAGE),
    ("show nosuch", SHOW_USAGE),
    ("show channels", "\n0 total.\n"),
    ("SHOW CHANNELS", "\n0 total.\n"),
    ("show channels count", "\n0 total.\n"),
    ("show channels like foo", "\n0 total.\n"),
    ("show channels as xml", '<result row_count="0"/>\n'),
    ("show channels as json", '{"row_count": 0}\n'),
    ("show channels like a as json", '{"row_count": 0}\n'),
    ("show channels count as json", '{"row_count":0,"rows":[]}'),
    ("show channels count as xml", '<result row_count="0"></result>\n'),
    ("show channels as foo", "-ERR Cannot find format foo\n"),
    ("show calls", "\n0 total.\n"),
    ("show registrations", "\n0 total.\n"),
    ("show api nosuch", "\n0 total.\n"),
    ("show api echo", "name,description,syntax,ikey\necho,Echo,<data>,mod_commands\n\n1 total.\n"),
    ("show modules nosuch", "\n0 total.\n"),
    ("show statusfoo", "INVALID COMMAND!\n"),
    # modules
    ("module_exists", ""),
    ("module_exists mod_commands", "true"),
    ("module_exists MOD_COMMANDS", "false"),
    ("module_exists nosuch", "false"),
    ("load", "-USAGE: <mod_name>\n"),
    ("load nosuch", f"+OK Reloading XML\n{NO_FILE}"),
    ("load mod_commands", "+OK Reloading XML\n-ERR [Module already loaded]\n"),
    ("unload", "-USAGE: [-f] <mod_name>\n"),
    ("unload nosuch", "-ERR [No such module!]\n"),
    ("unload -f nosuch", "-ERR [No such module!]\n"),
    ("unload mod_commands", "-ERR [Module is not unloadable]\n"),
    ("reload", "-USAGE: [-f] <mod_name>\n"),
    (
        "reload nosuch",
        f"+OK Reloading XML\n-ERR unloading module [No such module!]\n{NOT_LOADED}",
    ),
    ("reloadxml", "+OK [Success]\n"),
    # log
    ("log", "+OK\n"),
    ("log info foo bar", "+OK\n"),
    ("console loglevel", "+OK console log level set to DEBUG\n"),
    ("console loglevel 3", "+OK console log level set to ERR\n"),
    ("console loglevel 9", "+OK console log level set to DEBUG\n"),
    ("console LOGLEVEL Notice", "+OK console log level set to NOTICE\n"),
    ("console loglevel foo", "-ERR Invalid console loglevel (foo)!\n\n"),
    ("global_setvar", "-USAGE: <var>=<value> [=<value2>]\n"),
    ("global_setvar =x", "-USAGE: <var>=<value> [=<value2>]\n"),
    ("global_getvar nosuch", ""),
]


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def switch(log: io.StringIO) -> SimulatedSwitch:
    return SimulatedSwitch(log_to=log)


def ask(switch: SimulatedSwitch, line: str) -> str:
    name, _, argument = line.partition(" ")
    return switch.execute(name, argument.encode()).output.decode()


@pytest.mark.parametrize(("line", "answer"), SAME_AS_FREESWITCH, ids=[line for line, _ in SAME_AS_FREESWITCH])
def test_answers_in_freeswitch_s_words(switch: SimulatedSwitch, line: str, answer: str) -> None:
    assert ask(switch, line) == answer


@pytest.mark.parametrize("name", ["nosuch", "sofia", "", "  ", "uuid_broadcast", "erlang", "é\udc80"])
def test_an_unknown_command(switch: SimulatedSwitch, name: str) -> None:
    assert switch.execute(name, b"x") == NO_COMMAND


def test_whitespace_goes_and_a_zero_byte_ends_the_text(switch: SimulatedSwitch) -> None:
    assert switch.execute(" \techo\n", b"\r\n a\tb \v\x00c").output == b"a\tb"


def test_bytes_that_are_no_utf_8_stay(switch: SimulatedSwitch) -> None:
    assert switch.execute("echo", b"\xff\xfe").output == b"\xff\xfe"
    assert switch.execute("eval", b"${echo \xff}").output == b"\xff"


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_commands_take_any_argument(argument: bytes) -> None:
    for line in ("eval", "cond", "strftime", "strepoch", "global_setvar", "url_decode", "show", "help", "log"):
        assert SWITCH.execute(line, argument).success, line


SWITCH = SimulatedSwitch(log_to=io.StringIO())


@settings(deadline=None)
@given(st.text("${}(): \\'ab[]0-", max_size=40))
def test_expanding_ends_and_never_fails(text: str) -> None:
    assert SWITCH.execute("eval", text.encode()).success


def test_expanding_what_is_nested_too_deep(switch: SimulatedSwitch) -> None:
    assert switch.execute("eval", b"${" * 5000 + b"}" * 5000).success


def test_status_says_that_it_is_simulated_in_the_form_of_the_real_one(switch: SimulatedSwitch) -> None:
    lines = ask(switch, "status").split("\n")
    assert re.fullmatch(
        r"UP 0 years, 0 days, 0 hours, 0 minutes, \d+ seconds?, \d+ milliseconds?, \d+ microseconds?", lines[0]
    )
    assert lines[1] == "FreeSWITCH (Version 1.11.1-simulated: the simulated switch, not FreeSWITCH) is ready"
    assert lines[2] == "0 session(s) since startup"
    assert lines[-1] == ""
    assert len(lines) == 9


def test_version(switch: SimulatedSwitch) -> None:
    assert ask(switch, "version") == "FreeSWITCH Version 1.11.1-simulated~64bit ( 64bit)\n"
    assert ask(switch, "version short") == "1.11.1-simulated\n"


@pytest.mark.parametrize(("unit", "divisor"), [("us", 1), ("ms", 10**3), ("S", 10**6), ("minutes", 6 * 10**7)])
def test_uptime_counts_in_the_unit(
    switch: SimulatedSwitch, monkeypatch: pytest.MonkeyPatch, unit: str, divisor: int
) -> None:
    now = time.monotonic_ns() + 7_384_000_000_000
    before = int(ask(switch, "uptime us"))
    with monkeypatch.context() as patch:
        patch.setattr("time.monotonic_ns", lambda: now)
        micros = int(ask(switch, "uptime us"))
        counted = ask(switch, f"uptime {unit}")
    assert micros >= before + 7_383_000_000
    assert counted == f"{micros // divisor}\n"


def test_dates_are_local(switch: SimulatedSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    try:
        assert ask(switch, "strepoch 2020-06-01 10:00") == "1590998400"
        assert ask(switch, "strepoch 20200601100000") == "1590998400"
        assert ask(switch, "strmicroepoch 2020-01-01") == "1577829600000000"
        assert ask(switch, "strftime 1590998400| %Y-%m-%d %T") == "2020-06-01 10:00:00"
        assert ask(switch, "strftime 1590998400|") == "2020-06-01 10:00:00"
        today = ask(switch, "strftime %Y-%m-%d")
        assert ask(switch, "strepoch 10:20") == ask(switch, f"strepoch {today} 10:20:00")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_now(switch: SimulatedSwitch) -> None:
    before = int(time.time())
    assert before <= int(ask(switch, "strepoch")) <= time.time()


def test_names(switch: SimulatedSwitch) -> None:
    assert ask(switch, "hostname") == ask(switch, "switchname") == switch.hostname() == socket.gethostname()


def test_uuids_are_random(switch: SimulatedSwitch) -> None:
    made = {ask(switch, "create_uuid"), ask(switch, "create_uuid"), switch.create_uuid(), switch.create_uuid()}
    assert len(made) == 4
    assert {uuid.UUID(text).version for text in made} == {4}


def test_global_variables(switch: SimulatedSwitch) -> None:
    assert ask(switch, "global_setvar Foo = bar ") == "+OK"
    assert ask(switch, "global_getvar fOO") == "bar"
    assert ask(switch, "global_setvar foo=baz=qux") == "+OK"
    assert ask(switch, "global_getvar foo") == "bar"
    assert ask(switch, "global_setvar foo=baz=bar") == "+OK"
    assert ask(switch, "global_getvar").endswith("\nfoo=baz\n")
    assert ask(switch, "global_setvar foo=") == "+OK"
    assert "foo" not in ask(switch, "global_getvar")
    assert ask(switch, "global_getvar").startswith(f"hostname={socket.gethostname()}\nlocal_ip_v4=")
    assert ask(switch, "global_setvar foo='a b'") == "+OK"
    assert ask(switch, "global_getvar foo") == "a b"


def test_eval_of_variables(switch: SimulatedSwitch) -> None:
    ask(switch, "global_setvar big=abcdef")
    ask(switch, "global_setvar name=big")
    assert ask(switch, "eval ${big:2:2} ${big:-2} ${big:-3:1} ${big:0:99} ${big:x}") == "cd ef d abcdef abcdef"
    assert ask(switch, "eval $${BIG}${big[0]}") == "abcdefabcdef"
    assert ask(switch, "eval ${${name}}") == "abcdef"
    assert ask(switch, "eval ${big") == "abcdef"
    assert ask(switch, "eval ${ big }") == ""
    ask(switch, "global_setvar v=${big}")
    assert ask(switch, "eval ${v}") == "%{big}"


def test_help_lists_every_command(switch: SimulatedSwitch) -> None:
    told = ask(switch, "help")
    first = "cond,<expr> ? <true val> : <false val>,Evaluate a conditional,mod_commands\n"
    assert told.startswith(f"\nValid Commands:\n\n{first}")
    assert ask(switch, "help echo") == told.removeprefix("\nValid Commands:\n\n") == ask(switch, "show help")
    names = {line.partition(",")[0] for line in ask(switch, "help echo").splitlines()}
    assert {"status", "uptime", "create_uuid", "sofia"} - names == {"sofia"}


def test_reports_of_commands(switch: SimulatedSwitch) -> None:
    commands = len(ask(switch, "help echo").splitlines())
    applications = len(ask(switch, "show application").splitlines()) - 3
    assert ask(switch, "show modules").endswith(f"\n\n{commands + applications} total.\n")
    assert ask(switch, "show modules mod_console") == (
        "type,name,ikey,filename\napi,console,mod_console,simulated mod_console\n\n1 total.\n"
    )
    expected = f"type|total\napi|{commands}\napplication|{applications}\n\n2 total.\n"
    assert ask(switch, "show interface_types as delim |") == expected
    in_json = f'{{"row_count":2,"rows":[{{"type":"api","total":"{commands}"}},'
    assert ask(switch, "show interface_types as json").startswith(in_json)
    assert "\n    <syntax>&lt;data&gt;</syntax>\n" in ask(switch, "show api as xml")
    interfaces = ask(switch, "show interfaces")
    assert interfaces.startswith("type,name,ikey\napi,cond,mod_commands\n")
    assert "\napplication,park,mod_dptools\n" in interfaces


def test_a_sleeping_command_holds_nobody_else(switch: SimulatedSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep, wake = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        assert seconds == 4
        asleep.set()
        assert wake.wait(10)

    answers: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr("mod_erlang_py.switch.simulated.commands.clock.time.sleep", sleep)
        sleeper = threading.Thread(target=lambda: answers.append(ask(switch, "msleep 4000")))
        sleeper.start()
        assert asleep.wait(10)
        assert ask(switch, "echo still here") == "still here"
        assert answers == []
        wake.set()
        sleeper.join(10)
    assert answers == ["+OK"]


def test_log_command(switch: SimulatedSwitch, log: io.StringIO) -> None:
    for line in ("log err a  b", "log nosuch c", "log d", "log 4 e\n"):
        assert ask(switch, line) == "+OK\n"
    lines = [re.sub(r"^\S+ \S+ (\[\w+\]) logs\.py:\d+", r"\1", line) for line in log.getvalue().splitlines()]
    assert lines == ["[ERR] a  b", "[DEBUG] c", "[DEBUG] d", "[WARNING] e"]


def test_console_loglevel_is_for_the_whole_log(switch: SimulatedSwitch, log: io.StringIO) -> None:
    ask(switch, "console loglevel warning")
    ask(switch, "log notice not written")
    ask(switch, "log warning written")
    assert ask(switch, "console loglevel disable") == "+OK console log level set to DISABLE\n"
    ask(switch, "log console not written")
    assert [line.rpartition(" ")[2] for line in log.getvalue().splitlines()] == ["written"]
    assert "not" not in log.getvalue()


def test_console_usage(switch: SimulatedSwitch) -> None:
    assert ask(switch, "console").startswith("USAGE:\n-----")
    assert ask(switch, "console") == ask(switch, "console foo") == ask(switch, "console help")
    assert "  7 debug\n" in ask(switch, "console loglevel help")


def test_the_module_s_own_command(switch: SimulatedSwitch) -> None:
    switch.load(Module(api=lambda argument: f"<{argument}>\n", shutdown=lambda: None))
    assert switch.execute("ERLANG", b" listeners \xff ") == ApiResult(True, True, b"<listeners \xff>\n")
    assert "erlang,The Erlang node,,mod_erlang_py\n" in ask(switch, "show api")
    assert ask(switch, "module_exists mod_erlang_py") == "true"
    assert ask(switch, "load mod_erlang_py.so") == "+OK Reloading XML\n-ERR [Module already loaded]\n"
    assert ask(switch, "unload -f mod_erlang_py") == "+OK\n"
    assert switch.execute("erlang", b"listeners") == NO_COMMAND
    assert ask(switch, "module_exists mod_erlang_py") == "false"
    assert ask(switch, "unload mod_erlang_py") == "-ERR [No such module!]\n"


def test_reload_of_the_module_unloads_it_as_a_real_switch_would(switch: SimulatedSwitch) -> None:
    switch.load(Module(api=lambda argument: argument, shutdown=lambda: None))
    assert ask(switch, "reload mod_erlang_py") == (f"+OK Reloading XML\n+OK module unloaded\n{NOT_LOADED}")
    assert switch.execute("erlang", b"") == NO_COMMAND


def test_a_command_that_raises_says_so_and_is_logged(switch: SimulatedSwitch, log: io.StringIO) -> None:
    def api(argument: str) -> str:
        raise RuntimeError("broken here")

    switch.load(Module(api, lambda: None))
    assert switch.execute("erlang", b"") == ApiResult(True, False, b"COMMAND RETURNED ERROR!\n")
    assert ask(switch, "eval [${erlang x}]") == "[]"
    assert "[ERR] switch.py:" in log.getvalue()
    assert "RuntimeError: broken here" in log.getvalue()


def test_a_command_cannot_be_registered_twice() -> None:
    with pytest.raises(ValueError, match="echo"):
        command("echo", "Echo")(lambda _context, argument: argument)


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
