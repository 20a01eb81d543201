"""The parts of the doctor that need no switch; tests/peers/test_doctor.py has the others."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from mod_erlang_py.config import settings as config
from mod_erlang_py.distribution.flags import MANDATORY_26, OURS
from mod_erlang_py.distribution.handshake import AcceptorHandshake
from mod_erlang_py.distribution.handshake_events import Established, LocalNode, NameReceived, Status
from mod_erlang_py.errors import HandshakeError
from mod_erlang_py.node import names
from mod_erlang_py.switch.freeswitch.switch import settings_in
from scripts import erlang_py_doctor as doctor
from scripts.erlang_py_doctor import Level, Node, Process, Trouble, find_node

ANY = Node("freeswitch@vm", "0.0.0.0", "8031")
LOOPBACK = Node("freeswitch@localhost", "127.0.0.1", "8031")


def located(*params: tuple[str, str]) -> str:
    """What xml_locate prints."""
    inner = "".join(f'<param name="{name}" value="{value}"></param>\n' for name, value in params)
    return f'<configuration name="erlang_event.conf">\n<settings>\n{inner}</settings>\n</configuration>\n'


# --- settings and names -------------------------------------------------------------------------------------------


def test_settings() -> None:
    settings, finding = doctor.check_settings(located(("listen-port", "8032"), ("nodename", "fs@vm")))
    assert finding is None
    assert settings == doctor.DEFAULTS | {"listen-port": "8032", "nodename": "fs@vm"}


@pytest.mark.parametrize("last", ["cookie", "cookie-file"])
def test_the_last_cookie_counts(last: str) -> None:
    first = "cookie" if last == "cookie-file" else "cookie-file"
    settings, _ = doctor.check_settings(located((first, "a"), (last, "b")))
    assert settings[last] == "b"
    assert first not in settings


NODES = """<nodes>
  <node name="other@*"><param name="cookie" value="theirs"/></node>
  <node name="%s"><param name="allow" value="api"/>%s</node>
  <node name="*"><param name="cookie" value="everybody's"/></node>
</nodes></configuration>"""


@pytest.mark.parametrize(
    ("name", "param", "cookie"),
    [
        ("doctor_*@*", '<param name="cookie" value="own"/>', {"cookie": "own"}),
        ("doctor_*@*", '<param name="cookie-file" value="/f"/>', {"cookie-file": "/f"}),
        ("doctor_*@*", "", {"cookie": "general"}),
        ("*@127.0.0.1", "", {"cookie": "everybody's"}),
    ],
)
def test_the_cookie_of_the_names_that_the_doctor_has(name: str, param: str, cookie: dict[str, str]) -> None:
    """The nodes' own rules; those of other nodes change nothing."""
    xml = located(("cookie", "general")).replace("</configuration>", NODES % (name, param))
    settings, _ = doctor.check_settings(xml)
    assert settings["cookie"] == "general"
    found = doctor.with_cookie_of_ours(settings, xml, LOOPBACK)
    assert {key: value for key, value in found.items() if key.startswith("cookie")} == cookie
    rules = settings_in(etree.fromstring(xml)).nodes
    if "cookie" in cookie:
        of = config.read([("cookie", "general")], nodes=rules)[0].cookie_of("doctor_00000000@localhost")
        assert of == cookie["cookie"]


def test_no_settings() -> None:
    settings, finding = doctor.check_settings("can't find anything")
    assert settings == doctor.DEFAULTS
    assert finding is not None
    assert finding.level is Level.WARN


@pytest.mark.parametrize("port", ["0", "65536", "eight", ""])
def test_wrong_port(port: str) -> None:
    settings, finding = doctor.check_settings(located(("listen-port", port)))
    assert settings["listen-port"] == "8031"
    assert finding is not None
    assert finding.level is Level.FAIL
    assert repr(port) in finding.text


@pytest.mark.parametrize("ip", ["0.0.0.0", "*", "::", "127.0.0.1", "192.0.2.1", "sw.example.com"])
@pytest.mark.parametrize("nodename", ["freeswitch", "fs@a.example.com"])
@pytest.mark.parametrize("shortname", ["true", "false", "no", "1", "0", "perhaps"])
def test_the_name_is_that_of_the_node(ip: str, nodename: str, shortname: str) -> None:
    """The node's own rules, which the doctor cannot import."""
    params = [("listen-ip", ip), ("nodename", nodename), ("shortname", shortname)]
    reverse = {"127.0.0.1": "localhost", "192.0.2.1": "192.0.2.1", "sw.example.com": "sw.example.com"}.__getitem__
    expected = names.node_name(config.read(params)[0], "vm.example.com", reverse)
    settings, _ = doctor.check_settings(located(*params))
    assert doctor.node_name(settings, "vm.example.com", reverse) == expected


@pytest.mark.parametrize(
    ("node", "addresses", "local", "level", "text"),
    [
        (ANY, [], [], Level.FAIL, "does not resolve"),
        (ANY, ["192.0.2.1"], ["192.0.2.1"], Level.OK, "-sname"),
        (ANY, ["127.0.1.1", "192.0.2.1"], ["127.0.1.1", "192.0.2.1"], Level.OK, "-sname"),
        (Node("fs@a.example.com", "*", "1"), ["192.0.2.1"], ["192.0.2.1"], Level.OK, "-name"),
        (ANY, ["127.0.1.1"], ["127.0.1.1"], Level.WARN, "vm is 127.0.1.1 on this machine"),
        (ANY, ["192.0.2.1"], [], Level.WARN, "no address of this machine"),
        (LOOPBACK, ["127.0.0.1"], ["127.0.0.1"], Level.OK, "localhost is 127.0.0.1"),
        (LOOPBACK, ["::1"], ["::1"], Level.OK, "localhost is ::1"),
    ],
)
def test_judge_name(node: Node, addresses: list[str], local: list[str], level: Level, text: str) -> None:
    finding = doctor.judge_name(node, addresses, local)
    assert finding.level is level
    assert text in finding.text


def test_addresses() -> None:
    assert doctor.resolve("127.0.0.1") == ["127.0.0.1"]
    assert doctor.resolve("no-such-host.invalid") == []
    assert doctor.resolve("a" * 64 + ".invalid") == []
    assert doctor.is_local("127.0.0.1")
    assert not doctor.is_local("192.0.2.1")


# --- the cookie ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "owner", "reader", "wrong"),
    [
        (0o100600, 1, 1, None),
        (0o100400, 1, 0, None),
        (0o100600, 1, None, None),
        (0o100640, 1, 1, "mode 0640, others may read it, so it is refused; chmod 600 /c"),
        (0o100604, 1, 0, "mode 0604"),
        (0o100600, 0, 987654, "belongs to root, FreeSWITCH is 987654 and cannot read it; chown 987654 /c"),
    ],
)
def test_judge_cookie_file(mode: int, owner: int, reader: int | None, wrong: str | None) -> None:
    judged = doctor.judge_cookie_file(Path("/c"), mode, owner, reader)
    assert judged is None if wrong is None else judged is not None and wrong in judged


def test_how_erl_comes_by_tls() -> None:
    params = {"tls-listen-port": "8032", "tls-cert": "/c", "tls-key": "/k", "tls-ca": "/a", "tls-passphrase": 'a "b"'}
    found = find_node({**doctor.DEFAULTS, **params}, "sw").tls
    assert found is not None
    assert '{certfile, "/c"}, {keyfile, "/k"}, {password, "a \\"b\\""}, {cacertfile, "/a"}' in found.optfile()
    assert "password" not in replace(found, passphrase="").optfile()
    assert "a " not in repr(found)


def test_a_cookie_of_the_configuration() -> None:
    cookie, finding = doctor.check_cookie({"cookie": "secret"}, ANY, Process())
    assert (cookie, finding.level) == ("secret", Level.OK)
    assert "secret" not in finding.text


@pytest.mark.parametrize(("node", "level"), [(ANY, Level.WARN), (LOOPBACK, Level.OK)])
def test_the_cookie_that_everybody_knows(node: Node, level: Level, tmp_path: Path) -> None:
    for settings in ({"cookie": "ClueCon"}, {}):
        cookie, finding = doctor.check_cookie(settings, node, Process(environment={"HOME": str(tmp_path)}))
        assert (cookie, finding.level) == ("ClueCon", level)


def test_a_cookie_file(tmp_path: Path) -> None:
    file = tmp_path / ".erlang.cookie"
    file.write_bytes(b"s\xe9cret\r\nmore\n")
    file.chmod(0o600)
    settings = {"cookie-file": str(file)}
    for given in (settings, {}):
        cookie, finding = doctor.check_cookie(given, ANY, Process(environment={"HOME": str(tmp_path)}))
        assert (cookie, finding.level) == ("s\xe9cret", Level.OK)
        assert str(file) in finding.text
        assert "mode 0600" in finding.text
        assert "cret" not in finding.text
    file.write_text("\n")
    cookie, finding = doctor.check_cookie(settings, ANY, Process())
    assert (cookie, finding.level) == (None, Level.FAIL)
    file.unlink()
    cookie, finding = doctor.check_cookie(settings, ANY, Process())
    assert (cookie, finding.level) == (None, Level.FAIL)
    assert "No such file" in finding.text


def test_the_process(tmp_path: Path) -> None:
    assert [Process(environment={"ERL_EPMD_PORT": port}).epmd_port for port in ("4370", "x")] == ["4370", "4369"]
    assert doctor.parse_environment(b"HOME=/h\0A=b=c\0EMPTY=\0") == {"HOME": "/h", "A": "b=c", "EMPTY": ""}
    assert doctor.find_process(str(tmp_path)).uid is None
    for text in ("", "x", "0"):
        (tmp_path / "freeswitch.pid").write_text(text)
        assert doctor.find_process(str(tmp_path)).uid is None


# --- what answers at the port -------------------------------------------------------------------------------------


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Something that takes one connection; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listening.getsockname()[1])
        thread.join()


def test_flags_are_what_otp_26_demands() -> None:
    assert MANDATORY_26.value == doctor.FLAGS


def test_it_shakes_hands_with_the_node() -> None:
    """The node's own machine answers."""

    def answer(connection: socket.socket) -> None:
        machine = AcceptorHandshake(LocalNode("freeswitch@vm", OURS, 7), lambda _: "secret", 8)
        try:
            while data := connection.recv(4096):
                machine.receive_data(data)
                for event in machine.events_received():
                    if isinstance(event, NameReceived):
                        machine.send_status(Status.OK)
                    if isinstance(event, Established):
                        established.append(event.peer.name)
                connection.sendall(machine.data_to_send())
        except HandshakeError:
            pass

    established: list[str] = []
    for cookie, accepted in (("secret", True), ("other", False), (None, None)):
        with server(answer) as port:
            contact = doctor.greet("127.0.0.1", port, False, cookie)
        assert contact == doctor.Contact("freeswitch@vm", accepted)
    (name,) = established
    assert name.startswith("doctor_")
    assert name.endswith("@localhost")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "closes the connection at once: apply-inbound-acl"),
        (b"\0", "closes the connection at once"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Erlang node"),
        (b"\0\3abc", "no Erlang node"),
        (b"\0\x0csnot_allowed", "refuses connections: not_allowed"),
        (b"\0\3sok\0\3abc", "no Erlang node"),
    ],
)
def test_strangers(said: bytes, told: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)

    with server(answer) as port, pytest.raises(Trouble, match=told):
        doctor.greet("127.0.0.1", port, False, "secret")


def test_a_silent_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 0.1)
    done = threading.Event()
    with server(lambda _: done.wait()) as port:
        try:
            with pytest.raises(Trouble, match="says nothing for"):
                doctor.greet("127.0.0.1", port, False, "secret")
        finally:
            done.set()


def epmd(names: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        assert connection.recv(3) == b"\0\1n"
        connection.sendall(names)

    return answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"\0\0\x11\x11name freeswitch at port 8031\nname a at port 1\n", {"freeswitch": 8031, "a": 1}),
        (b"\0\0\x11\x11", {}),
        (b"\0\0\x11\x11name x\nname y at port z\n", {}),
    ],
)
def test_epmd_names(answer: bytes, expected: dict[str, int]) -> None:
    with server(epmd(answer)) as port:
        assert doctor.epmd_names("127.0.0.1", port) == expected


@pytest.mark.parametrize(
    ("registered", "level", "text"),
    [
        (b"name freeswitch at port 8031\n", Level.OK, "has freeswitch at port 8031"),
        (b"name freeswitch at port 9\n", Level.FAIL, "has freeswitch at port 9, not 8031"),
        (b"name other at port 8031\n", Level.FAIL, "does not know freeswitch"),
    ],
)
def test_check_epmd(registered: bytes, level: Level, text: str) -> None:
    with server(epmd(b"\0\0\x11\x11" + registered)) as port:
        finding = doctor.check_epmd(LOOPBACK, ["127.0.0.1"], str(port))
    assert finding.level is level
    assert text in finding.text


def test_no_epmd(free_port: Callable[[], int]) -> None:
    finding = doctor.check_epmd(LOOPBACK, [], str(free_port()))
    assert finding.level is Level.FAIL
    assert doctor.check_epmd(LOOPBACK, [], None).level is Level.WARN


# --- an Erlang node that connects ---------------------------------------------------------------------------------


@pytest.fixture
def fake_erl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """fake_erl(TEXT): an erl that prints that; the file in which it notes how it was called."""
    calls = tmp_path / "calls"

    def put(text: str) -> Path:
        erl = tmp_path / "erl"
        erl.write_text(f"""#!/bin/sh
{{ echo "$@"; ls -l "$HOME/.erlang.cookie"; env; }} > {calls}
cat <<'END'
{text}
END
""")
        erl.chmod(0o755)
        return calls

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("ERL_FLAGS", "-setcookie other")
    return put


@pytest.mark.parametrize(
    ("printed", "otp", "call"),
    [
        (
            "\nanswer pong ok FreeSWITCH Version 1\n\ncall over",
            (Level.OK, "connects: pong, FreeSWITCH Version 1"),
            (Level.OK, "a process had it, and hung it up"),
        ),
        (
            "answer pong ok Version 1\ncall no call came in 5 s, originate got ok +OK 1234",
            (Level.OK, "pong, Version 1"),
            (Level.FAIL, "no call came in 5 s, originate got ok +OK 1234: FreeSWITCH was to make one into"),
        ),
        (
            "answer pong ok Version 1\ncall no call came in 5 s, originate got ok -ERR CHAN_NOT_IMPLEMENTED",
            (Level.OK, "pong, Version 1"),
            (Level.WARN, "not tried: FreeSWITCH has no endpoint `null`, which mod_loopback brings"),
        ),
        ("answer pong ok Version 1", (Level.OK, "pong, Version 1"), (Level.FAIL, "nothing was said of it")),
        ("answer pong no answer in 5 s", (Level.FAIL, "{api, version} got no answer in 5 s"), None),
        ("answer pang ", (Level.FAIL, "net_adm:ping says pang, although the node takes the cookie"), None),
        (
            "{error_logger,...}\nKernel pid terminated\n",
            (Level.FAIL, "does not start: Kernel pid terminated"),
            None,
        ),
    ],
)
def test_otp(
    fake_erl: Callable[[str], Path], printed: str, otp: tuple[Level, str], call: tuple[Level, str] | None
) -> None:
    calls = fake_erl(printed)
    findings = list(doctor.check_otp(LOOPBACK, "secret", doctor.Contact(LOOPBACK.name, True), "4370"))
    expected = [("OTP", *otp)] + ([("call", *call)] if call else [])
    assert [(finding.check, finding.level) for finding in findings] == [found[:2] for found in expected]
    for finding, (_, _, text) in zip(findings, expected, strict=True):
        assert text in finding.text
    called = calls.read_text()
    assert "secret" not in called
    assert "-rw-------" in called
    assert "ERL_EPMD_PORT=4370" in called
    assert "ERL_FLAGS" not in called


def test_otp_not_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    accepted = doctor.Contact(LOOPBACK.name, True)
    (without_cookie,) = doctor.check_otp(LOOPBACK, None, doctor.Contact(LOOPBACK.name, None), "4369")
    assert without_cookie.level is Level.WARN
    assert "nor a call" in without_cookie.text
    (without_epmd,) = doctor.check_otp(LOOPBACK, "secret", accepted, None)
    assert without_epmd.level is Level.WARN
    (refused,) = doctor.check_otp(LOOPBACK, "secret", doctor.Contact(LOOPBACK.name, False), "4369")
    assert refused.level is Level.FAIL
    assert refused.text.startswith("wrong cookie")
    monkeypatch.setenv("PATH", str(tmp_path))
    (without_erl,) = doctor.check_otp(LOOPBACK, "secret", accepted, "4369")
    assert "not tried, nor a call, without erl here" in without_erl.text


@pytest.mark.parametrize(
    ("status", "level", "text"),
    [
        ('{"listeners": [{}, {}]}', Level.OK, "loaded; nodes connected: 2"),
        ("USAGE:\n----\nerlang listeners\n", Level.OK, "nodes connected: 0"),  # the first versions
        (
            "-ERR erlang status json Command not found!",
            Level.FAIL,
            "its command `erlang` is gone or another's: -ERR erlang status json Command not found!; unload",
        ),
        ("-ERR the module is being unloaded", Level.FAIL, "is being unloaded"),
        ('{"error": "internal"}', Level.FAIL, "internal"),
        ("", Level.FAIL, "gone or another's"),
    ],
)
def test_the_command_that_is_not_ours(status: str, level: Level, text: str) -> None:
    """An error message was taken for a list of nodes."""
    finding = doctor.check_command(status)
    assert (finding.check, finding.level) == ("mod_erlang_py", level)
    assert text in finding.text


# --- as a whole ---------------------------------------------------------------------------------------------------


def test_no_fs_cli(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert doctor.main(["--fs-cli", str(tmp_path / "fs_cli")]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        f"FAIL  fs_cli         {tmp_path / 'fs_cli'}: No such file or directory; is FreeSWITCH running"
    )


def test_a_finding_is_one_line() -> None:
    assert str(doctor.warn("OTP", "one\n  two")) == "warn  OTP            one two"


def test_a_switch_without_us(tmp_path: Path) -> None:
    """What depends on the module is not looked at; the rest is."""
    answers = {
        "global_getvar script_dir": str(tmp_path),
        "global_getvar conf_dir": str(tmp_path),
        "status": "UP 0 years\nFreeSWITCH is ready",
        "module_exists mod_python3": "false",
        "global_getvar run_dir": "-ERR no reply",
        "global_getvar hostname": "vm",
        "xml_locate configuration configuration name erlang_event.conf": "can't find anything",
    }
    findings = list(doctor.examine(answers.__getitem__, None))
    assert [finding.check for finding in findings] == ["fs_cli", "mod_python3", "files", "settings", "cookie", "name"]
    assert [finding.check for finding in findings if finding.level is Level.FAIL][:1] == ["mod_python3"]


# --- the files ----------------------------------------------------------------------------------------------------

NOBODY = Process(uid=65534, gid=65534)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who can be another user")


@pytest.fixture
def installed() -> Iterator[Path]:
    """A script folder that everybody can reach; it has the configuration too."""
    with tempfile.TemporaryDirectory(prefix="erlang_py_test.") as temporary:
        folder = Path(temporary)
        (folder / "erlang_py_packages" / "mod_erlang_py").mkdir(parents=True)
        (folder / "autoload_configs").mkdir()
        files = ("erlang_py.py", "erlang_py_packages/mod_erlang_py/entry.py", "autoload_configs/python.conf.xml")
        for name in files:
            (folder / name).touch()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


@as_root
def test_files_that_the_switch_can_read(installed: Path) -> None:
    finding = doctor.check_files(installed, installed, NOBODY)
    assert finding == doctor.ok("files", f"nobody can read all 5, in {installed} and {installed}")
    assert os.geteuid() == 0


@as_root
@pytest.mark.parametrize(
    ("name", "mode", "more"),
    [
        ("erlang_py.py", 0o640, ""),
        ("erlang_py_packages/mod_erlang_py/entry.py", 0o640, ""),
        ("erlang_py_packages/mod_erlang_py", 0o750, " and 1 more"),
        ("autoload_configs/python.conf.xml", 0o600, ""),
    ],
)
def test_files_that_the_switch_cannot_read(installed: Path, name: str, mode: int, more: str) -> None:
    (installed / name).chmod(mode)
    finding = doctor.check_files(installed, installed, NOBODY)
    assert finding.level is Level.FAIL
    assert finding.text.startswith(f"nobody cannot read {installed / name}{more}, which the next start needs;")
    os.chown(installed / name, 0, 12345)
    assert doctor.check_files(installed, installed, Process(uid=65534, gid=1, groups=[12345])).level is (
        Level.FAIL if mode == 0o600 else Level.OK
    )


def test_files_that_are_gone(installed: Path) -> None:
    (installed / "erlang_py.py").unlink()
    finding = doctor.check_files(installed, installed, NOBODY)
    assert finding.level is Level.FAIL
    assert finding.text.startswith(f"{installed / 'erlang_py.py'} is not there")


def test_files_of_a_switch_that_cannot_be_seen(installed: Path) -> None:
    assert doctor.check_files(installed, installed, Process()).level is Level.WARN


def test_what_runs_is_not_what_is_installed(installed: Path) -> None:
    old = {"versions": {"mod_erlang_py": "0.1.0"}, "warnings": ["the cookie is ClueCon"]}
    assert list(doctor.check_status(old, installed)) == []
    (installed / "erlang_py_packages" / "mod_erlang_py" / "code.py").touch()
    newer = "files are newer, running is %s: unload mod_erlang_py, then pyrun erlang_py"
    assert list(doctor.check_status(old, installed)) == [doctor.warn("version", newer % "0.1.0")]
    assert list(doctor.check_status(doctor.read_status("USAGE:"), installed)) == [
        doctor.warn("version", newer % "an early version")
    ]
    told = "files are 0.2.0 (1234567), running is 0.2.0 (89abcde): unload mod_erlang_py, then pyrun erlang_py"
    new = {"versions": {"mod_erlang_py": "0.2.0", "digest": "89abcde"}, "warnings": [told]}
    assert list(doctor.check_status(new, installed)) == [doctor.warn("version", told)]
    assert list(doctor.check_status(new | {"warnings": []}, installed)) == []


@pytest.mark.parametrize(
    ("warning", "level"),
    [
        ("erlang_event.conf: encoding='utf-9': expected string or binary; it has no effect", Level.WARN),
        ("erlang_event.conf: there is no access control list office: nobody can connect", Level.FAIL),
        ("/c/erlang_event.conf.xml is broken: unclosed <!--, near line 2; the settings are those ...", Level.FAIL),
        ("mod_erlang_event has our command `erlang`, and the applications that have its names: unload it", Level.WARN),
    ],
)
def test_what_the_node_warns_of(installed: Path, warning: str, level: Level) -> None:
    status = {"versions": {"digest": "1"}, "warnings": [warning]}
    assert list(doctor.check_status(status, installed)) == [doctor.Finding(level, "status", warning)]


# --- the event source ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "reason", "found"),
    [
        ("compiled", "", [doctor.ok("source", "compiled")]),
        ("python", "", [doctor.ok("source", "python, as event-source says")]),
        (
            "python",
            "the compiled event source: not built, or not for this Python: No module",
            [
                doctor.ok(
                    "source",
                    "python, so events cost more; the compiled event source: not built, or not for this Python: No "
                    "module; apt-get install gcc python3-dev, make install again, then unload mod_erlang_py, pyrun "
                    "erlang_py",
                )
            ],
        ),
        (
            "python",
            "the compiled event source: of another layout",
            [doctor.ok("source", "python, so events cost more; the compiled event source: of another layout")],
        ),
        (None, "", []),
    ],
)
def test_where_events_come_from(source: str | None, reason: str, found: list[doctor.Finding]) -> None:
    status = {"event_source": source, "event_source_reason": reason} if source else {"node": "of an early version"}
    assert list(doctor.check_source(status)) == found
