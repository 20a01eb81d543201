#!/usr/bin/env python3
"""Checks a running installation of mod_erlang_py, on the machine of the switch: one line a check.

    erlang_py_doctor [--fs-cli PATH] [-H HOST] [-P PORT] [-p PASSWORD] [--cookie-file FILE]

`ok`, `warn` or `FAIL`, what was found, and what to do. Exits with 1 when something failed. Run it as root or as
FreeSWITCH's user, who may read the cookie; it is never printed. Needs Python 3.10 and nothing else: copy it where you
like. It asks FreeSWITCH (fs_cli), epmd, the node itself, and an `erl` where there is one, to which it has FreeSWITCH
make a call of nobody with nobody.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import hashlib
import ipaddress
import json
import os
import pwd
import secrets
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

SECONDS = 5.0
"""For an answer of epmd, and of the node."""
FS_CLI_SECONDS = 15.0
ERL_SECONDS = 30.0
DEFAULTS = {"listen-ip": "0.0.0.0", "listen-port": "8031", "nodename": "freeswitch", "shortname": "true"}
DEFAULT_COOKIE = "ClueCon"
DEFAULT_EPMD_PORT = "4369"
ENTRY = "erlang_py.py"
PACKAGES = "erlang_py_packages"
CONFIGURATION = ("erlang_event.conf.xml", "python.conf.xml", "modules.conf.xml")
FS_CLI_FOLDERS = "/usr/bin:/usr/local/bin:/opt/freeswitch/bin:/usr/local/freeswitch/bin"


class Level(Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    level: Level
    check: str
    text: str

    def __str__(self) -> str:
        return f"{self.level.value:4}  {self.check:13}  {' '.join(self.text.split())}"


def ok(check: str, text: str) -> Finding:
    return Finding(Level.OK, check, text)


def warn(check: str, text: str) -> Finding:
    return Finding(Level.WARN, check, text)


def fail(check: str, text: str) -> Finding:
    return Finding(Level.FAIL, check, text)


class Trouble(Exception):
    """Why something that was asked gave no answer, in one line."""


# --- the checks, in their order -----------------------------------------------------------------------------------


def examine(ask: Callable[[str], str], cookie_file: Path | None) -> Iterator[Finding]:
    """ask: fs_cli. A check that cannot succeed after what was found before is left out."""
    try:
        yield ok("fs_cli", ask("status").partition("\n")[0])
    except Trouble as trouble:
        yield fail("fs_cli", f"{trouble}; is FreeSWITCH running, and are -H -P -p those of event_socket.conf.xml?")
        return
    module = check_module(ask)
    yield from module
    running = all(finding.level is not Level.FAIL for finding in module)

    switch = find_process(ask("global_getvar run_dir"))
    script_dir = Path(ask("global_getvar script_dir"))
    yield check_files(script_dir, Path(ask("global_getvar conf_dir")), switch)
    if running:
        told = read_status(ask("erlang status json"))
        yield from check_status(told, script_dir)
        yield from check_source(told)
        yield from check_protection(told)
    located = ask("xml_locate configuration configuration name erlang_event.conf")
    settings, finding = check_settings(located)
    node = find_node(settings, ask("global_getvar hostname"))
    settings = with_cookie_of_ours(settings, located, node)
    by = " by TLS" if node.tls else ""
    yield finding or ok("settings", f"{node.name}, listening on {node.ip}:{node.port}{by}")
    cookie, finding = check_cookie(settings, node, switch)
    yield finding
    if cookie_file is not None:
        try:
            cookie = read_cookie(cookie_file)
        except OSError as error:
            cookie = None
            yield fail("--cookie-file", f"{cookie_file}: {error.strerror}")
    addresses = resolve(node.host)
    name = judge_name(node, addresses, [address for address in addresses if is_local(address)])
    yield name
    if not running:
        return
    epmd_port = None if settings.get("epmd") == "none" else switch.epmd_port
    epmd = check_epmd(node, addresses, epmd_port)
    yield epmd
    contact, finding = check_port(node, addresses, cookie)
    yield finding
    if contact is not None and Level.FAIL not in (name.level, epmd.level):
        yield from check_otp(node, cookie, contact, epmd_port)


def check_module(ask: Callable[[str], str]) -> list[Finding]:
    if ask("module_exists mod_python3") != "true":
        return [fail("mod_python3", 'is not loaded; modules.conf.xml needs <load module="mod_python3"/>')]
    findings = [ok("mod_python3", "loaded")]
    if ask("module_exists mod_erlang_py") != "true":
        findings.append(
            fail(
                "mod_erlang_py",
                "is not loaded; `pyrun erlang_py` in fs_cli starts it, startup-script in python.conf.xml with the "
                "switch; when it does not start, FreeSWITCH's log says why",
            )
        )
    elif ask("module_exists mod_erlang_event") == "true":
        findings.append(fail("mod_erlang_py", "loaded, and mod_erlang_event too; unload one of them"))
    else:
        findings.append(check_command(ask("erlang status json")))
    return findings


def check_command(status: str) -> Finding:
    """Whether the command `erlang` is ours. status: what `erlang status json` says."""
    told = read_status(status)
    if not told and not status.startswith("USAGE:"):  # which version 0.1 said before it had that
        return fail(
            "mod_erlang_py",
            f"loaded, but its command `erlang` is gone or another's: {last_line(status.encode())}; unload "
            "mod_erlang_py, then pyrun erlang_py",
        )
    return ok("mod_erlang_py", f"loaded; nodes connected: {len(told.get('listeners', ()))}")


def read_status(status: str) -> dict[str, Any]:
    """What the node tells: `erlang status json`. {} when it is none."""
    try:
        told = json.loads(status)
    except ValueError:
        return {}
    return told if isinstance(told, dict) and "error" not in told else {}


def check_files(script_dir: Path, conf_dir: Path, switch: Process) -> Finding:
    """Whether the switch's user can read what its next start needs."""
    entry, packages = script_dir / ENTRY, script_dir / PACKAGES
    missing = [path for path in (entry, packages) if not path.exists()]
    if missing:
        return fail("files", f"{missing[0]} is not there, so the next start brings no node; make install puts it there")
    if switch.uid is None or os.geteuid() not in (0, switch.uid):
        return warn("files", f"not tried: run this as root or as {user(switch.uid)}, on FreeSWITCH's machine")
    files = [entry, packages, *sorted(packages.rglob("*"))]
    files += [file for name in CONFIGURATION if (file := conf_dir / "autoload_configs" / name).exists()]
    with acting_as(switch):
        refused = [file for file in files if not can_read(file)]
    if refused:
        more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        return fail(
            "files",
            f"{user(switch.uid)} cannot read {refused[0]}{more}, which the next start needs; make install again mends "
            "what it wrote, chmod or chown the rest",
        )
    return ok("files", f"{user(switch.uid)} can read all {len(files)}, in {script_dir} and {conf_dir}")


@contextlib.contextmanager
def acting_as(switch: Process) -> Iterator[None]:
    """With the rights of FreeSWITCH's user, for who is root."""
    if os.geteuid() != 0 or switch.uid is None:
        yield
        return
    ours = os.getgroups()
    os.setgroups(switch.groups)
    os.setegid(switch.gid)
    os.seteuid(switch.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(ours)


def can_read(path: Path) -> bool:
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            path.open("rb").close()
    except OSError:
        return False
    return True


def check_status(told: Mapping[str, Any], script_dir: Path) -> Iterator[Finding]:
    """What the node itself warns of; first, whether what runs is what is installed."""
    versions = told.get("versions", {})
    if "digest" not in versions and (script_dir / PACKAGES / "mod_erlang_py" / "code.py").exists():
        running = versions.get("mod_erlang_py", "an early version")
        yield warn("version", f"files are newer, running is {running}: unload mod_erlang_py, then pyrun erlang_py")
    for warning in told.get("warnings", ()):
        if warning.startswith("the cookie is "):
            continue  # found below, too
        check = "version" if warning.startswith("files are ") else "status"
        serious = " is broken: " in warning or ": nobody can connect" in warning
        yield Finding(Level.FAIL if serious else Level.WARN, check, warning)


def check_source(told: Mapping[str, Any]) -> Iterator[Finding]:
    """Where the node's events come from; nothing of a node that does not tell."""
    source, reason = told.get("event_source"), told.get("event_source_reason", "")
    if source == "compiled":
        yield ok("source", "compiled")
    elif source == "python" and not reason:
        yield ok("source", "python, as event-source says")
    elif source == "python":  # all works, so it is no warning
        to_do = ""
        if "not built" in reason:
            to_do = "; apt-get install gcc python3-dev, make install again, then unload mod_erlang_py, pyrun erlang_py"
        yield ok("source", f"python, so events cost more; {reason}{to_do}")


def check_protection(told: Mapping[str, Any]) -> Iterator[Finding]:
    """What the settings protect from; nothing of a node that does not tell."""
    protection = told.get("protection")
    if isinstance(protection, dict):
        yield Finding(Level.OK if protection.get("enough") else Level.WARN, "protection", str(protection.get("text")))


@dataclass(frozen=True)
class Tls:
    """How other nodes reach ours by TLS, as the doctor does with the node's own certificate: files in PEM.

    passphrase: of the key, where it has one. ca: None when nobody is verified. host: of the node's name, which must be
    that of ours then.
    """

    cert: str
    key: str
    ca: str | None
    host: str
    passphrase: str = field(default="", repr=False)

    def over(self, connection: socket.socket) -> ssl.SSLSocket:
        """Raises Trouble."""
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_REQUIRED if self.ca else ssl.CERT_NONE
            context.load_cert_chain(self.cert, self.key, self.passphrase)  # with None, OpenSSL would ask
            if self.ca:
                context.load_verify_locations(self.ca)
        except OSError as error:
            raise Trouble(f"is for TLS, and the node's files cannot be used: {error.strerror or error}") from None
        try:
            return context.wrap_socket(connection, server_hostname=self.host)
        except ssl.SSLCertVerificationError as error:
            raise Trouble(f"has a certificate that nodes refuse: {error.verify_message}; see docs/tls.md") from None
        except ssl.SSLError as error:
            why = (error.reason or str(error)).lower().replace("_", " ")
            raise Trouble(f"does not speak TLS as its settings say: {why}; restart the node, or see its log") from None

    def optfile(self) -> str:
        """For erl's -ssl_dist_optfile."""
        texts = [("certfile", self.cert), ("keyfile", self.key), ("password", self.passphrase), ("cacertfile", self.ca)]
        options = [f"{{{name}, {json.dumps(text)}}}" for name, text in texts if text]
        options += ["{versions, ['tlsv1.3', 'tlsv1.2']}", f"{{verify, verify_{'peer' if self.ca else 'none'}}}"]
        return f"[{{server, [{', '.join(options)}]}}, {{client, [{', '.join(options)}]}}].\n"


@dataclass(frozen=True)
class Node:
    """The node, as its settings say it is. port: that epmd has; not a number when the setting is wrong. tls: when it is
    the port for TLS."""

    name: str
    ip: str
    port: str
    tls: Tls | None = None

    @property
    def alive_name(self) -> str:
        return self.name.partition("@")[0]

    @property
    def host(self) -> str:
        return self.name.partition("@")[2]

    @property
    def is_long(self) -> bool:
        """Whether it is for nodes that were started with -name."""
        return "." in self.host

    @property
    def listens_on_any(self) -> bool:
        return self.ip == "*" or (is_address(self.ip) and ipaddress.ip_address(self.ip).is_unspecified)

    @property
    def is_for_this_machine(self) -> bool:
        return self.ip == "localhost" or (is_address(self.ip) and ipaddress.ip_address(self.ip).is_loopback)


def check_settings(located: str) -> tuple[dict[str, str], Finding | None]:
    """located: what xml_locate says. Returns the settings with their defaults, and what is wrong with them."""
    try:
        params = params_of(ET.fromstring(located), ".//settings/param")
    except ET.ParseError:
        return dict(DEFAULTS), warn(
            "settings", "FreeSWITCH has no erlang_event.conf: the defaults hold; `make install` puts one there"
        )
    settings = dict(DEFAULTS)
    for name, value in params:
        if name in COOKIES:  # the last one counts
            settings = without_cookie(settings)
        settings[name] = value
    port = settings["listen-port"]
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        settings["listen-port"] = DEFAULTS["listen-port"]
        return settings, fail(
            "settings", f"listen-port {port!r} is no port; the default {settings['listen-port']} holds"
        )
    return settings, None


def find_node(settings: Mapping[str, str], hostname: str) -> Node:
    name = node_name(settings, hostname)
    port = settings.get("tls-listen-port")
    if port is None or settings.get("proto-dist") == "inet_tcp":
        return Node(name, settings["listen-ip"], settings["listen-port"])
    cert = settings.get("tls-cert", "")
    ca = None if settings.get("tls-verify") == "none" else settings.get("tls-ca")
    tls = Tls(cert, settings.get("tls-key", cert), ca, name.partition("@")[2], settings.get("tls-passphrase", ""))
    return Node(name, settings["listen-ip"], port, tls)


COOKIES = ("cookie", "cookie-file")


def params_of(element: ET.Element, path: str) -> list[tuple[str, str]]:
    return [(str(param.get("name")), str(param.get("value"))) for param in element.iterfind(path)]


def without_cookie(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name not in COOKIES}


def with_cookie_of_ours(settings: dict[str, str], located: str, node: Node) -> dict[str, str]:
    """With that of the first <node> that has the names which we connect by, if it has one."""
    try:
        rules = list(ET.fromstring(located).iter("node"))
    except ET.ParseError:
        return settings
    ours = name_doctor(node.is_long, node.tls)
    for rule in rules:
        if fnmatch.fnmatchcase(ours, str(rule.get("name"))):
            own = [(name, value) for name, value in params_of(rule, "param") if name in COOKIES]
            return {**without_cookie(settings), **dict(own[-1:])} if own else settings
    return settings


def node_name(settings: Mapping[str, str], hostname: str, name_of: Callable[[str], str] | None = None) -> str:
    """As the node names itself (node/names.py). name_of: the name of an address."""
    nodename, ip = settings["nodename"], settings["listen-ip"]
    if "@" in nodename:
        return nodename
    host = hostname if Node(nodename, ip, "").listens_on_any else (name_of or reverse)(ip)
    is_false = ("no", "off", "false", "f", "disabled", "inactive", "disallow", "0")
    if settings["shortname"].strip().lower() not in is_false and not is_address(host):
        host = host.partition(".")[0]
    return f"{nodename}@{host}"


def check_cookie(settings: Mapping[str, str], node: Node, switch: Process) -> tuple[str | None, Finding]:
    """The cookie that the switch has been told, None when that cannot be found out, and what there is to say of it."""
    path = Path(settings["cookie-file"]) if "cookie-file" in settings else None
    cookie, where = settings.get("cookie"), "in erlang_event.conf.xml"
    if path is None and cookie is None:
        path = switch.home / ".erlang.cookie" if switch.home else None
        try:
            if path is None or not path.exists():
                path, cookie, where = None, DEFAULT_COOKIE, "the default"
        except OSError:
            pass  # not for us to see; told below
    if path is not None:
        where = str(path)
        try:
            status = path.stat()
            wrong = judge_cookie_file(path, status.st_mode, status.st_uid, switch.uid)
            cookie = read_cookie(path)
        except PermissionError:
            return None, warn("cookie", f"{path}: not for this user to read; run this as root or as {user(switch.uid)}")
        except OSError as error:
            return None, fail(
                "cookie", f"{path}: {error.strerror}; cookie-file needs a file of {user(switch.uid)}, mode 0600"
            )
        if wrong:
            return cookie, fail("cookie", wrong)
        if not cookie:
            return None, fail("cookie", f"{path}: its first line is empty; it must be the cookie")
        where += f", of {user(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):04o}"
    if cookie == DEFAULT_COOKIE and not node.is_for_this_machine:
        return cookie, warn("cookie", f"{where}: it is ClueCon, which everybody knows, on {node.ip}; choose another")
    return cookie, ok("cookie", where)


def judge_cookie_file(path: Path, mode: int, owner: int, reader: int | None) -> str | None:
    """What is wrong with a cookie file for the user `reader`, and what to do."""
    if mode & 0o077:
        return f"{path}: mode {stat.S_IMODE(mode):04o}, others may read it, so it is refused; chmod 600 {path}"
    if reader not in (None, 0, owner):
        name = user(reader)
        return f"{path}: belongs to {user(owner)}, FreeSWITCH is {name} and cannot read it; chown {name} {path}"
    return None


def judge_name(node: Node, addresses: Sequence[str], local: Sequence[str]) -> Finding:
    """addresses: what the host of the name resolves to; local: which of them this machine has."""
    if not addresses:
        return fail(
            "name",
            f"{node.host} does not resolve, so no node can connect to {node.name}; put it into DNS or /etc/hosts, here "
            "and on the other machines, or set nodename to freeswitch@HOST with a host that resolves",
        )
    found = f"{node.host} is {', '.join(addresses)}"
    if not local:
        return warn("name", f"{found}: no address of this machine; correct DNS or /etc/hosts, or nodename")
    if not node.is_for_this_machine and all(ipaddress.ip_address(address).is_loopback for address in local):
        return warn(
            "name",
            f"{found} on this machine: nodes of other machines need it in DNS or /etc/hosts with an address that they "
            "reach",
        )
    return ok("name", f"{found}; for nodes started with {'-name' if node.is_long else '-sname'}")


def check_epmd(node: Node, addresses: Sequence[str], port: str | None) -> Finding:
    """Whether every epmd that a node would ask knows ours. port: None when there is to be none."""
    if port is None:
        return warn("epmd", "none, by the setting epmd: other nodes must be told the port")
    for address in ["127.0.0.1", *(address for address in addresses if not ipaddress.ip_address(address).is_loopback)]:
        try:
            names = epmd_names(address, int(port))
        except Trouble as trouble:
            if address == "127.0.0.1":
                todo = "start it with epmd -daemon; if FreeSWITCH has another ERL_EPMD_PORT, give it to the doctor too"
            else:
                todo = "let it listen there too (ERL_EPMD_ADDRESS), and the firewall let it through"
            return fail("epmd", f"no epmd answers on {address}:{port} ({trouble}); {todo}")
        registered = names.get(node.alive_name)
        if registered is None:
            return fail(
                "epmd",
                f"on {address}:{port} does not know {node.alive_name}; FreeSWITCH's log says why (cannot register, or "
                "no listen-port to be had)",
            )
        if str(registered) != node.port:
            return fail(
                "epmd",
                f"on {address}:{port} has {node.alive_name} at port {registered}, not {node.port}: another node has "
                "the name, or listen-port was changed; choose another nodename, or restart the node",
            )
    return ok("epmd", f"answers on port {port}, and has {node.alive_name} at port {node.port}")


def check_port(node: Node, addresses: Sequence[str], cookie: str | None) -> tuple[Contact | None, Finding]:
    """What answers at the addresses that the name has; where it has none, where the node should listen."""
    contact = None
    addresses = addresses or ["127.0.0.1" if node.listens_on_any else node.ip]
    for address in addresses:
        where = f"{address}:{node.port}"
        try:
            contact = greet(address, int(node.port), node.is_long, cookie, node.tls)
        except OSError as error:
            why = error.strerror or error
            return None, fail(
                "port",
                f"{where} is not reachable ({why}); the node listens on {node.ip}; correct listen-ip, nodename, or the "
                "firewall",
            )
        except Trouble as trouble:
            return None, fail("port", f"{where} {trouble}")
        if contact.name != node.name:
            return None, fail(
                "port",
                f"{where} is {contact.name}, not {node.name}; were settings changed? restart the node: `unload "
                "mod_erlang_py`, `pyrun erlang_py`",
            )
    return contact, ok("port", f"{node.name} answers on {', '.join(addresses)}, port {node.port}")


def check_otp(node: Node, cookie: str | None, contact: Contact, epmd_port: str | None) -> Iterator[Finding]:
    """An Erlang node connects, asks for the version, and takes a call."""
    if cookie is None:
        yield warn("OTP", "not tried without the cookie, nor a call; --cookie-file FILE gives one")
        return
    if not contact.cookie_accepted:
        yield fail(
            "OTP", "wrong cookie: the node refuses it; if the file was changed since it started, restart the node"
        )
        return
    erl = shutil.which("erl")
    if erl is None or epmd_port is None:
        lacking = "an epmd" if erl else "erl here"
        yield warn("OTP", f"not tried, nor a call, without {lacking}; but the node takes the cookie")
        return
    try:
        said = erl_asks(erl, node, cookie, epmd_port)
    except Trouble as trouble:
        yield fail("OTP", str(trouble))
        return
    pong, _, version = said["answer"].partition(" ")
    if pong != "pong":
        yield fail("OTP", f"{erl}: net_adm:ping says {pong}, although the node takes the cookie; see FreeSWITCH's log")
    elif DENIED in version:
        yield warn("OTP", f"{erl} connects: pong; {{api, version}} is {NO_RIGHT}")
    elif not version.startswith("ok "):
        yield fail("OTP", f"connected, but {{api, version}} got {version}")
    else:
        yield ok("OTP", f"{erl} connects: pong, {version[3:]}")
        yield judge_call(said.get("call", "nothing was said of it"))


DENIED = "eacces"
NO_RIGHT = "denied to nodes like this one, as `erlang rights doctor_0@localhost` says in fs_cli"


def judge_call(said: str) -> Finding:
    """said: "over", or what went wrong."""
    if said == "over":
        return ok("call", "FreeSWITCH made one into the application `erlang`; a process had it, and hung it up")
    if DENIED in said:
        return warn("call", f"not tried: {NO_RIGHT}")
    if "CHAN_NOT_IMPLEMENTED" in said:
        return warn("call", "not tried: FreeSWITCH has no endpoint `null`, which mod_loopback brings")
    return fail(
        "call",
        f"{said}: FreeSWITCH was to make one into the application `erlang`; its log says more. Where that has Invalid "
        "Application: unload mod_erlang_py, then pyrun erlang_py",
    )


# --- what is asked: FreeSWITCH, its process, the resolver ---------------------------------------------------------


class FsCli:
    """fs_cli with the given arguments. Raises Trouble when it does not answer."""

    def __init__(self, program: str | None, arguments: Sequence[str]) -> None:
        self._program = program or shutil.which("fs_cli") or shutil.which("fs_cli", path=FS_CLI_FOLDERS)
        self._arguments = arguments

    def __call__(self, command: str) -> str:
        """What the command printed."""
        if self._program is None:
            raise Trouble("there is no fs_cli in PATH; give --fs-cli PATH")
        try:
            done = subprocess.run(
                [self._program, *self._arguments, "-x", command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=FS_CLI_SECONDS,
            )
        except OSError as error:
            raise Trouble(f"{self._program}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise Trouble(f"no answer in {FS_CLI_SECONDS:g} s") from None
        if done.returncode:
            raise Trouble(last_line(done.stderr or done.stdout) or f"exit code {done.returncode}")
        return done.stdout.decode(errors="replace").strip()


@dataclass(frozen=True)
class Process:
    """FreeSWITCH's process, as far as it can be seen."""

    uid: int | None = None
    gid: int = 0
    groups: Sequence[int] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """Ours, where its own is not for us to read."""

    @property
    def home(self) -> Path | None:
        home = self.environment.get("HOME")
        return Path(home) if home else None

    @property
    def epmd_port(self) -> str:
        port = self.environment.get("ERL_EPMD_PORT", "")
        return port if port.isdecimal() else DEFAULT_EPMD_PORT


def find_process(run_dir: str) -> Process:
    """The one whose pid is in run_dir."""
    try:
        folder = Path("/proc", str(int(Path(run_dir, "freeswitch.pid").read_text())))
        lines = [line.split() for line in (folder / "status").read_text().splitlines()]
        ids = {
            words[0]: [int(word) for word in words[1:]]
            for words in lines
            if words[:1] in (["Uid:"], ["Gid:"], ["Groups:"])
        }
        uid, gid, groups = ids["Uid:"][1], ids["Gid:"][1], ids["Groups:"]
    except (OSError, ValueError, LookupError):
        return Process()
    try:
        return Process(uid, gid, groups, parse_environment((folder / "environ").read_bytes()))
    except OSError:
        try:
            return Process(uid, gid, groups, {**os.environ, "HOME": pwd.getpwuid(uid).pw_dir})
        except KeyError:
            return Process(uid, gid, groups)


def parse_environment(environ: bytes) -> dict[str, str]:
    """/proc/PID/environ."""
    pairs = (os.fsdecode(entry).partition("=") for entry in environ.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def read_cookie(file: Path) -> str:
    """Its first line, as the node reads it."""
    return file.read_text("latin-1").partition("\n")[0].rstrip("\r")


def resolve(host: str) -> list[str]:
    """The addresses of a host, IPv4 where it has one, as Erlang looks it up; none when it does not resolve."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            continue
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return []


def reverse(address: str) -> str:
    """The name of an address, else the address."""
    try:
        return socket.getnameinfo((address, 0), 0)[0]
    except OSError:
        return address


def is_local(address: str) -> bool:
    """Whether this machine has the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def user(uid: int | None) -> str:
    if uid is None:
        return "FreeSWITCH's user"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


# --- what is asked: epmd, the node, erl (ERTS, "Distribution Protocol") -------------------------------------------


def epmd_names(address: str, port: int) -> dict[str, int]:
    """The nodes that an epmd knows, with their ports (NAMES_REQ). Raises Trouble."""
    try:
        with socket.create_connection((address, port), timeout=SECONDS) as connection:
            connection.sendall(b"\0\1n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError as error:
        raise Trouble(error.strerror or str(error)) from None
    if len(answer) < 4:
        raise Trouble("no answer to NAMES_REQ")
    lines = (line.split() for line in answer[4:].decode(errors="replace").splitlines())  # name NAME at port PORT
    return {words[1]: int(words[4]) for words in lines if len(words) == 5 and words[4].isdecimal()}


@dataclass(frozen=True)
class Contact:
    """What a node says of itself, and whether it took our cookie; None when we offered none."""

    name: str
    cookie_accepted: bool | None


FLAGS = 0x4_0307_0F94
"""What OTP 26 demands of a node: dist.h, DFLAG_DIST_MANDATORY."""


def name_doctor(long_name: bool, tls: Tls | None) -> str:
    """The name of a node for this once; by TLS it must be on the host that the certificate is for."""
    host = tls.host if tls else "127.0.0.1" if long_name else "localhost"
    return f"doctor_{secrets.token_hex(4)}@{host}"


def greet(address: str, port: int, long_name: bool, cookie: str | None, tls: Tls | None = None) -> Contact:
    """The distribution handshake, up to the node's challenge, and to its end with a cookie. Raises OSError, Trouble."""
    ours = name_doctor(long_name, tls).encode()
    length = LENGTH if tls is None else LENGTH_BY_TLS
    with contextlib.ExitStack() as open_:
        connection = open_.enter_context(socket.create_connection((address, port), timeout=SECONDS))
        try:
            if tls is not None:
                connection = open_.enter_context(tls.over(connection))
            send_packet(connection, struct.pack(">cQIH", b"N", FLAGS, secrets.randbits(32), len(ours)) + ours, length)
            status = receive_packet(connection, length)
            if not status.startswith(b"s"):
                raise Trouble(STRANGER)
            if not status.startswith(b"sok"):
                raise Trouble(f"refuses connections: {status[1:80].decode(errors='replace')}")
            challenge, name = parse_challenge(receive_packet(connection, length))
            if cookie is None:
                return Contact(name, None)
            theirs = secrets.randbits(32)
            send_packet(connection, struct.pack(">cI", b"r", theirs) + digest(cookie, challenge), length)
            try:
                ack = receive_packet(connection, length)
            except (Trouble, OSError):
                return Contact(name, False)  # closed, as for any wrong cookie
            return Contact(name, ack == b"a" + digest(cookie, theirs))
        except TimeoutError:
            raise Trouble(
                f"says nothing for {SECONDS:g} s, as no Erlang node does; choose another listen-port"
            ) from None
        except ConnectionError:
            raise Trouble(CLOSED) from None


LENGTH, LENGTH_BY_TLS = struct.Struct(">H"), struct.Struct(">I")
"""Of a packet of the handshake."""
STRANGER = "is answered by something that is no Erlang node; choose another listen-port"
CLOSED = "closes the connection at once: apply-inbound-acl refuses the address, or it is no Erlang node"


def send_packet(connection: socket.socket, packet: bytes, length: struct.Struct) -> None:
    connection.sendall(length.pack(len(packet)) + packet)


def receive_packet(connection: socket.socket, length: struct.Struct) -> bytes:
    (size,) = length.unpack(receive(connection, length.size))
    if size > 1200:  # as 16 bits of a text are
        raise Trouble(STRANGER)
    return receive(connection, size)


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise Trouble(CLOSED)
        data += chunk
    return data


def parse_challenge(packet: bytes) -> tuple[int, str]:
    """The challenge and the node's name, of OTP 23's send_challenge."""
    header = struct.Struct(">cQIIH")
    if len(packet) < header.size or packet[:1] != b"N":
        raise Trouble(STRANGER)
    _, _, challenge, _, length = header.unpack_from(packet)
    return challenge, packet[header.size : header.size + length].decode(errors="replace")


def digest(cookie: str, challenge: int) -> bytes:
    return hashlib.md5(cookie.encode("latin-1", "replace") + str(challenge).encode(), usedforsecurity=False).digest()


ASKING = """
[Name] = init:get_plain_arguments(),
Node = list_to_atom(Name),
Ask = fun(Request) ->
    {doctor, Node} ! Request,
    receive
        {ok, Reply} -> ["ok ", Reply];
        ok -> "ok";
        {error, Reason} -> io_lib:format("{error,~0p}", [Reason])
    after 5000 -> "no answer in 5 s"
    end
end,
Say = fun(What, Text) -> io:format("~n~s ~s~n", [What, string:replace(Text, "\\n", " ", all)]) end,
Hung = fun(UUID) ->
    Hangup = [{"call-command", "hangup"}, {"hangup-cause", "NORMAL_CLEARING"}],
    case lists:flatten(Ask({sendmsg, UUID, Hangup})) of
        "ok" ->
            receive {call_hangup, UUID} -> "over"
            after 5000 -> "the call was not hung up in 5 s"
            end;
        Other -> ["a call came, but sendmsg got ", Other]
    end
end,
case net_adm:ping(Node) of
    pong ->
        Say("answer", ["pong ", Ask({api, version, ""})]),
        register(doctor, self()),
        Variables = "{origination_caller_id_name=erlang_py_doctor,erlang_on_handler_exit=hangup,process_cdr=false}",
        Dial = [Variables, "null/doctor '&erlang(doctor ", atom_to_list(node()), ")'"],
        Made = Ask({api, originate, lists:flatten(Dial)}),
        Say("call", receive
            {call, {event, [UUID | _]}} -> Hung(UUID)
        after 5000 -> ["no call came in 5 s, originate got ", Made]
        end);
    pang ->
        Say("answer", "pang ")
end,
halt().
"""


def erl_asks(erl: str, node: Node, cookie: str, epmd_port: str) -> dict[str, str]:
    """What an Erlang node says that pings ours, asks for {api, version}, and has a call made to it: "answer", as
    "pong ok VERSION", and "call", as "over". Raises Trouble."""
    command = [erl, "-noinput", "-boot", "start_clean", "-hidden", "-start_epmd", "false", "-dist_listen", "false"]
    command += ["-name" if node.is_long else "-sname", name_doctor(node.is_long, node.tls)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ERL_")}
    with tempfile.TemporaryDirectory(prefix="erlang_py_doctor.") as home:
        file = Path(home, ".erlang.cookie")
        file.touch(mode=0o600)
        file.write_bytes(cookie.encode("latin-1", "replace"))
        if node.tls is not None:
            optfile = Path(home, "inet_tls.conf")
            optfile.write_text(node.tls.optfile())
            command += ["-proto_dist", "inet_tls", "-ssl_dist_optfile", str(optfile)]
        try:
            done = subprocess.run(
                [*command, "-eval", ASKING, "-extra", node.name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=ERL_SECONDS,
                env=environment | {"HOME": home, "ERL_EPMD_PORT": epmd_port, "ERL_CRASH_DUMP_SECONDS": "0"},
                cwd=home,
            )
        except OSError as error:
            raise Trouble(f"{erl}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise Trouble(f"{erl}: no answer in {ERL_SECONDS:g} s") from None
    lines = [line.partition(" ") for line in done.stdout.decode(errors="replace").splitlines()]
    said = {what: text for what, _, text in lines if what in ("answer", "call")}
    if "answer" not in said:
        raise Trouble(f"{erl} does not start: {last_line(done.stdout)}")
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="erlang_py_doctor", description="Check a running mod_erlang_py, on the machine of the switch."
    )
    parser.add_argument("--fs-cli", metavar="PATH", help="FreeSWITCH's fs_cli; in PATH when not given")
    parser.add_argument("-H", dest="host", metavar="HOST", help="for fs_cli, as are -P and -p")
    parser.add_argument("-P", dest="port", metavar="PORT")
    parser.add_argument("-p", dest="password", metavar="PASSWORD")
    parser.add_argument("--cookie-file", type=Path, metavar="FILE", help="connect with this cookie, not the switch's")
    options = parser.parse_args(arguments)
    given = (("-H", options.host), ("-P", options.port), ("-p", options.password))
    ask = FsCli(options.fs_cli, [word for flag, value in given if value is not None for word in (flag, value)])
    failed = False
    try:
        for finding in examine(ask, options.cookie_file):
            print(finding, flush=True)
            failed = failed or finding.level is Level.FAIL
    except Trouble as trouble:
        print(fail("fs_cli", f"{trouble}; FreeSWITCH went away"), flush=True)
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
