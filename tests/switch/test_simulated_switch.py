"""The simulated switch: start and stop, its module, its settings, its log."""

from __future__ import annotations

import io
import logging
import queue
import re
import threading
import time
from pathlib import Path

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.log_levels import NOTICE, LogLevel
from mod_erlang_py.switch.port import ALL, Event, LogLine, Module, Settings, Switch, Wanted
from mod_erlang_py.switch.simulated import SimulatedSwitch
from tests.batches import take

WAIT = 10.0  # seconds, for what comes at once
FILE = "erlang_event.conf"


def simulated(**arguments: object) -> SimulatedSwitch:
    return SimulatedSwitch(log_to=io.StringIO(), **arguments)  # type: ignore[arg-type]


def heartbeat_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "simulated-heartbeat"]


def test_it_is_a_switch() -> None:
    switch: Switch = simulated()
    assert switch.description == "simulated switch"


def test_start_says_what_it_is_and_stop_says_goodbye() -> None:
    log = io.StringIO()
    switch = SimulatedSwitch(log_to=log, heartbeat=0)
    source = switch.events({})
    source.want(Wanted(frozenset({ALL})))
    switch.start()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \[NOTICE\] switch\.py:\d+ "
        r"This is the simulated switch of mod_erlang_py, not FreeSWITCH: only loopback calls\.\n",
        log.getvalue(),
    )
    switch.stop()
    startup, shutdown = take(source, 0, 10)
    assert (startup.name, shutdown.name) == ("STARTUP", "SHUTDOWN")
    assert shutdown.header(b"Event-Info") == b"System Shutting Down"


def test_nothing_is_delivered_after_stop() -> None:
    switch = simulated(heartbeat=0)
    switch.start()
    switch.stop()
    source = switch.events({})
    source.want(Wanted(frozenset({ALL})))
    switch.fire(Event("TRAP"))
    assert switch.execute("echo", b"x").output == b"x"
    assert list(source.take(0, 1)) == []


def test_its_only_thread_is_the_heartbeat_and_ends_with_it() -> None:
    before = threading.active_count()
    switch = simulated(heartbeat=3600)
    switch.start()
    assert threading.active_count() == before + 1
    assert [thread.daemon for thread in heartbeat_threads()] == [True]
    switch.stop()
    assert heartbeat_threads() == []


def test_without_heartbeat_there_is_no_thread() -> None:
    before = threading.active_count()
    switch = simulated(heartbeat=0)
    switch.start()
    assert threading.active_count() == before
    switch.stop()


def test_stop_twice_and_stop_without_start() -> None:
    switch = simulated()
    switch.stop()
    switch.stop()
    with pytest.raises(SwitchError, match="started once"):
        switch.start()
    assert heartbeat_threads() == []


def test_start_twice() -> None:
    switch = simulated()
    switch.start()
    with pytest.raises(SwitchError, match="started once"):
        switch.start()
    assert len(heartbeat_threads()) == 1
    switch.stop()


class Counted:
    """A module that counts how often it is shut down."""

    def __init__(self, switch: SimulatedSwitch) -> None:
        self.shutdowns = 0
        self.found: list[bool] = []
        self._switch = switch
        self.module = Module(lambda argument: argument, self._shutdown)

    def _shutdown(self) -> None:
        self.shutdowns += 1
        self.found.append(self._switch.execute("erlang", b"").found)


@pytest.mark.parametrize("way", ["unload", "command", "stop"])
def test_the_module_is_shut_down_once_however_it_ends(way: str) -> None:
    switch = simulated(heartbeat=0)
    switch.start()
    counted = Counted(switch)
    switch.load(counted.module)
    if way == "unload":
        switch.unload()
    elif way == "command":
        assert switch.execute("unload", b"mod_erlang_py").output == b"+OK\n"
    switch.stop()
    switch.unload()
    assert counted.shutdowns == 1
    assert counted.found == [False]  # its command is gone by then


def test_many_unload_it_once() -> None:
    switch = simulated()
    counted = Counted(switch)
    switch.load(counted.module)
    together = threading.Barrier(8)

    def unload() -> None:
        together.wait(WAIT)
        switch.unload()

    threads = [threading.Thread(target=unload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert counted.shutdowns == 1


def test_only_one_module_at_a_time() -> None:
    switch = simulated()
    first, second = Counted(switch), Counted(switch)
    switch.load(first.module)
    with pytest.raises(SwitchError, match="Module already loaded"):
        switch.load(second.module)
    switch.unload()
    switch.load(second.module)
    switch.unload()
    assert (first.shutdowns, second.shutdowns) == (1, 1)


def test_a_module_that_fails_to_shut_down_is_gone_all_the_same() -> None:
    def shutdown() -> None:
        raise RuntimeError("stuck there")

    log = io.StringIO()
    switch = SimulatedSwitch(log_to=log)
    switch.load(Module(lambda argument: argument, shutdown))
    assert switch.execute("unload", b"mod_erlang_py").output == b"+OK\n"
    assert "mod_erlang_py did not shut down well" in log.getvalue()
    assert "RuntimeError: stuck there" in log.getvalue()
    assert not switch.execute("erlang", b"").found


def write(conf_dir: Path, content: str, file: str = FILE) -> SimulatedSwitch:
    folder = conf_dir / "autoload_configs"
    folder.mkdir(exist_ok=True)
    (folder / f"{file}.xml").write_text(content, encoding="utf-8")
    return simulated(conf_dir=conf_dir)


def test_settings_from_the_file(tmp_path: Path) -> None:
    switch = write(
        tmp_path,
        """<configuration name="erlang_event.conf" description="x">
             <settings>
               <param name="listen-ip" value="$${local_ip_v4}:$${nosuch}"/>
               <!-- <param name="cookie" value="not this"/> -->
               <param name="apply-inbound-acl" value="lan"/>
               <param name="apply-inbound-acl" value="&lt;é&gt;"/>
               <param value="no name"/>
               <param name="no-value"/>
             </settings>
             <other><param name="elsewhere" value="x"/></other>
           </configuration>""",
    )
    address = switch.execute("global_getvar", b"local_ip_v4").output.decode()
    assert switch.settings(FILE).params == [
        ("listen-ip", f"{address}:"),
        ("apply-inbound-acl", "lan"),
        ("apply-inbound-acl", "<é>"),
        ("no-value", ""),
    ]


def test_settings_of_another_name_do_not_count(tmp_path: Path) -> None:
    configuration = '<configuration name="%s"><settings><param name="%s" value="v"/></settings></configuration>'
    both = "<include>" + configuration % ("other.conf", "a") + configuration % (FILE, "b") + "</include>"
    assert write(tmp_path, both).settings(FILE).params == [("b", "v")]


def test_nodes(tmp_path: Path) -> None:
    """Wherever they stand: a right that were not seen would be one more, not one less."""
    switch = write(
        tmp_path,
        """<configuration name="erlang_event.conf">
             <settings><param name="a" value="1"/></settings>
             <nodes>
               <node name="one@$${nosuch}host"><param name="cookie" value="$${nosuch}x"/><param name="allow"/></node>
               <!-- <node name="not@this"/> -->
               <node/>
             </nodes>
             <node name="two@*"><param name="allow" value="api"/><param name="allow" value="logs"/></node>
           </configuration>""",
    )
    assert switch.settings(FILE) == (
        [("a", "1")],
        [
            ("one@host", [("cookie", "x"), ("allow", "")]),
            ("", []),
            ("two@*", [("allow", "api"), ("allow", "logs")]),
        ],
    )


def test_a_file_is_read_anew_every_time(tmp_path: Path) -> None:
    text = '<configuration name="erlang_event.conf"><settings><param name="a" value="%d"/></settings></configuration>'
    switch = write(tmp_path, text % 1)
    assert switch.settings(FILE).params == [("a", "1")]
    write(tmp_path, text % 2)
    assert switch.settings(FILE).params == [("a", "2")]


def test_no_settings(tmp_path: Path) -> None:
    assert simulated().settings(FILE) == Settings()
    assert simulated(conf_dir=tmp_path).settings(FILE) == Settings()


def test_settings_given_directly_go_first(tmp_path: Path) -> None:
    other = '<configuration name="other.conf"><settings><param name="a" value="1"/></settings></configuration>'
    write(tmp_path, other, "other.conf")
    switch = simulated(conf_dir=tmp_path, settings={FILE: [("cookie", "x")]})
    assert switch.settings(FILE).params == (("cookie", "x"),)
    assert switch.settings("other.conf").params == [("a", "1")]


@pytest.mark.parametrize(
    "content",
    [
        "<configuration",
        "",
        '<!DOCTYPE c [<!ENTITY e "boom">]><configuration name="erlang_event.conf">&e;</configuration>',
        '<!DOCTYPE c SYSTEM "http://127.0.0.1:9/x.dtd"><configuration name="erlang_event.conf"/>',
    ],
    ids=["broken", "empty", "entity", "dtd"],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(SwitchError, match=r"erlang_event\.conf\.xml: .*"):
        write(tmp_path, content).settings(FILE)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "autoload_configs" / f"{FILE}.xml").mkdir(parents=True)
    with pytest.raises(SwitchError, match=r"erlang_event\.conf\.xml: Is a directory"):
        simulated(conf_dir=tmp_path).settings(FILE)


@pytest.fixture
def logger() -> logging.Logger:
    made = logging.Logger("test")  # noqa: LOG001 - one a test
    made.setLevel(logging.DEBUG)
    return made


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (logging.CRITICAL, "CRIT"),
        (logging.ERROR, "ERR"),
        (logging.WARNING, "WARNING"),
        (NOTICE, "NOTICE"),
        (logging.INFO, "INFO"),
        (logging.DEBUG, "DEBUG"),
    ],
)
def test_log_lines_look_as_on_freeswitch_s_console(logger: logging.Logger, level: int, name: str) -> None:
    out = io.StringIO()
    logger.addHandler(SimulatedSwitch(log_to=out).log_handler())
    record = logger.makeRecord("x", level, "/some/where/file.py", 12, "text %d", (1,), None)
    record.created = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1)) + 0.25
    logger.handle(record)
    assert out.getvalue() == f"2026-11-23 12:00:00.250000 [{name}] file.py:12 text 1\n"


def test_text_that_the_stream_cannot_show_is_written_all_the_same(logger: logging.Logger) -> None:
    raw = io.BytesIO()
    logger.addHandler(SimulatedSwitch(log_to=io.TextIOWrapper(raw, "ascii")).log_handler())
    logger.error("é \udcff")
    assert raw.getvalue().endswith(b" \\xe9 \\udcff\n")


def test_a_closed_log_does_no_harm(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    switch = SimulatedSwitch(log_to=out)
    logger.addHandler(switch.log_handler())
    out.close()
    logger.error("nobody hears")
    assert switch.execute("log", b"err x").output == b"+OK\n"
    assert capsys.readouterr().err == ""


def test_standard_error_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    SimulatedSwitch().execute("log", b"err over here")
    assert capsys.readouterr().err.endswith("over here\n")


class Listener:
    """Keeps the lines it is told, and says when there is one."""

    def __init__(self) -> None:
        self.lines: queue.Queue[LogLine] = queue.Queue()
        self.threads: set[threading.Thread] = set()

    def __call__(self, line: LogLine) -> None:
        self.threads.add(threading.current_thread())
        self.lines.put(line)

    def next(self) -> LogLine:
        return self.lines.get(timeout=WAIT)


HERE = b"test_a_listener_gets_every_line"


def test_a_listener_gets_every_line(logger: logging.Logger) -> None:
    out = io.StringIO()
    switch = SimulatedSwitch(log_to=out)
    logger.addHandler(switch.log_handler())
    listener = Listener()
    end = switch.bind_log(listener)
    switch.execute("log", b"err from a command \xff")
    logger.info("from here %s", "\udcff")
    command, here = listener.next(), listener.next()
    end()
    assert (command.level, command.file, command.function) == (LogLevel.ERR, b"core.py", b"log")
    assert re.fullmatch(rb"\S+ \S+ \[ERR\] core\.py:\d+ from a command \\xff\n", command.text)
    assert (here.level, here.channel, here.uuid) == (LogLevel.INFO, 0, b"")
    assert (here.file, here.function) == (b"test_simulated_switch.py", HERE)
    assert here.text.endswith(b"test_simulated_switch.py:%d from here \\udcff\n" % here.line)
    assert listener.threads.isdisjoint({threading.current_thread()})


def test_a_listener_that_is_ended_hears_no_more() -> None:
    switch = simulated()
    ended, other = Listener(), Listener()
    before = threading.active_count()
    end, end_other = switch.bind_log(ended), switch.bind_log(other)
    end()
    switch.execute("log", b"err x")
    other.next()
    end_other()
    end()
    assert ended.lines.empty()
    assert threading.active_count() == before


def test_a_listener_may_end_itself_raise_and_be_slow_without_holding_up_the_log() -> None:
    switch = simulated()
    listener, go = Listener(), threading.Event()

    def slow(line: LogLine) -> None:
        assert go.wait(WAIT)
        listener(line)
        if line.text.endswith(b"two\n"):
            end()
        raise RuntimeError("one")

    end = switch.bind_log(slow)
    for word in (b"one", b"two", b"three"):
        switch.execute("log", b"err " + word)
    assert listener.lines.empty()
    go.set()
    assert [listener.next().text.split()[-1] for _ in range(2)] == [b"one", b"two"]
    (thread,) = listener.threads
    thread.join(WAIT)
    assert not thread.is_alive()
    assert listener.lines.empty()


def test_stop_tells_listeners_what_waits_and_ends_them() -> None:
    before = threading.active_count()
    switch = simulated(heartbeat=0)
    listener = Listener()
    end = switch.bind_log(listener)
    switch.start()
    switch.execute("log", b"err last")
    switch.stop()
    texts = [listener.lines.get_nowait().text for _ in range(2)]
    assert texts[1].endswith(b"last\n")
    assert threading.active_count() == before
    end()


@pytest.mark.parametrize(
    ("expression", "matching", "other"),
    [
        (b"/^a.c$/", b"abc", b"xabc"),
        (b"/b/", b"abc", b"aBc"),
        (b"/b/i", b"aBc", b"ac"),
        (b"/a.c/s", b"a\nc", b"ac"),
        (b"/A.C/is", b"a\nc", b"ac"),
        (b"/a.c/", b"abc", b"a\nc"),
        (b"/a/b/", b"xa/bx", b"ab"),
        (b"^\xff", b"\xff\xfe", b"\xfe"),
    ],
)
def test_regular_expressions(expression: bytes, matching: bytes, other: bytes) -> None:
    matches = simulated().matcher(expression)
    assert matches(matching)
    assert not matches(other)


@pytest.mark.parametrize("expression", [b"/(/", b"/a", b"/", b"*"])
def test_what_is_no_regular_expression(expression: bytes) -> None:
    with pytest.raises(SwitchError, match="switch_regex"):
        simulated().matcher(expression)
