"""A scratch FreeSWITCH: a configuration of its own in an empty folder, only loopback addresses, started and stopped.

Used by the tests and by `make run`. What it runs is what `make install` installs.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from scripts.configuration import LOGFILE, logfile
from scripts.folders import InstallError
from scripts.install import CONFIGURATION, MANIFEST, PACKAGES, ROOT, install_configuration, install_scripts
from scripts.preflight import embedded_python, python_version

PREFIXES = ("/opt/freeswitch", "/usr/local/freeswitch", "/usr")
# In this order; those that are not installed are left out. Everything a call without media needs.
MODULES = (
    "mod_console",
    "mod_logfile",
    "mod_event_socket",
    "mod_commands",
    "mod_dptools",
    "mod_expr",
    "mod_hash",
    "mod_db",
    "mod_loopback",
    "mod_dialplan_xml",
    "mod_tone_stream",
)
_FOLDERS = ("conf", "log", "db", "run", "temp")
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0


class ScratchError(Exception):
    """FreeSWITCH could not be started, or did not answer."""


@dataclass(frozen=True)
class FreeSwitch:
    """An installed FreeSWITCH with mod_python3. python: an interpreter of the version that mod_python3 embeds."""

    binary: Path
    fs_cli: Path
    mod_dir: Path
    python: str


def find_freeswitch() -> FreeSwitch | str:
    """The first usable FreeSWITCH: FREESWITCH_PREFIX alone when that is set, else the usual prefixes, then PATH.

    Returns in one line why there is none, otherwise.
    """
    given = os.environ.get("FREESWITCH_PREFIX")
    on_path = shutil.which("freeswitch")
    prefixes = [Path(prefix) for prefix in ([given] if given else PREFIXES)]
    if on_path and not given:
        prefixes.append(Path(on_path).resolve().parent.parent)
    reasons = []
    for prefix in prefixes:
        found = _look_in(prefix)
        if isinstance(found, FreeSwitch):
            return found
        reasons.append(found)
    told = [reason for reason in reasons if reason]
    return told[0] if told else f"no FreeSWITCH in {', '.join(map(str, prefixes))} (FREESWITCH_PREFIX)"


def _look_in(prefix: Path) -> FreeSwitch | str:
    """The FreeSWITCH under that prefix; else why it cannot be used, "" when there is none at all."""
    binary, fs_cli = prefix / "bin" / "freeswitch", prefix / "bin" / "fs_cli"
    if not binary.exists() or not fs_cli.exists():
        return ""
    folders = [prefix / "lib" / "freeswitch" / "mod", prefix / "mod", *prefix.glob("lib/*/freeswitch/mod")]
    for mod_dir in folders:
        if (mod_dir / "mod_python3.so").exists():
            version = embedded_python(mod_dir / "mod_python3.so")
            python = _python(version)
            if python is None:
                return f"{binary}: its mod_python3 embeds Python {version}, but no such interpreter is here"
            return FreeSwitch(binary, fs_cli, mod_dir, python)
    return f"{binary} has no mod_python3"


def _python(version: str | None) -> str | None:
    for candidate in ("/usr/bin/python3", f"/usr/bin/python{version}", f"python{version}"):
        try:
            if version is None or python_version(candidate) == version:
                return candidate
        except InstallError:
            continue
    return None


_PORTS = range(20_000, 32_000)
"""Below those that Linux gives to connections, one of which could take a port before its listener does."""
_ports = iter(random.SystemRandom().sample(_PORTS, len(_PORTS)))


def share_ports(number: int, of: int) -> None:
    """From now on free_port gives only those of this process, the number-th (from 0) of several that run at once: until
    a listener has its port, another could find the same one free."""
    global _ports
    mine = _PORTS[number::of]
    _ports = iter(random.SystemRandom().sample(mine, len(mine)))


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now, and another one each time. Raises ScratchError."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ScratchError("no free port left")


def local_host_name() -> str:
    """The host part that the node finds for listen-ip 127.0.0.1 and shortname true: "localhost"."""
    return socket.gethostbyaddr("127.0.0.1")[0].split(".")[0]


class ScratchFreeSwitch:
    """One FreeSWITCH in a folder of its own. Made, then start()ed; stop() returns its exit code.

    Args:
        folder: empty or not there yet; holds everything, and can be removed after stop().
        settings: of erlang_event.conf, by name; those not given have their defaults.
        nodes: XML of its <node> elements.
        erlang: the module that is the Erlang node, loaded last: mod_python3, or mod_erlang_event to compare with; None
            for a switch where nothing of ours is installed yet.
        epmd_port: of an epmd that runs; goes into the environment as ERL_EPMD_PORT.
        event_socket_port: for fs_cli; a free one when not given.
        modules: loaded before `erlang`, as far as they are installed.
        shared: a folder for what several may share and takes seconds to make, filled by the first of them: our scripts
            with their packages (pip), and the certificates that FreeSWITCH makes. `folder` itself when not given.
        files: more files, their path in conf_dir -> their text; they win over all others.
        environment: variables in place of ours.
        libraries: a folder that has what the package needs; taken by pip when not given.
    """

    def __init__(
        self,
        found: FreeSwitch,
        folder: Path,
        *,
        settings: Mapping[str, str],
        nodes: str = "",
        epmd_port: int,
        erlang: str | None = "mod_python3",
        event_socket_port: int | None = None,
        modules: Sequence[str] = MODULES,
        shared: Path | None = None,
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        libraries: Path | None = None,
    ) -> None:
        self.found = found
        self.folder = folder
        self.conf_dir = folder / "conf"
        shared = shared or folder
        self.script_dir = shared / "scripts"
        self._certs = shared / "certs"
        self.event_socket_port = event_socket_port or free_port()
        self._environment = _environment(epmd_port, folder) | dict(environment or {})
        self.password = os.urandom(12).hex()
        self._process: subprocess.Popen[bytes] | None = None
        for made in [*(folder / name for name in _FOLDERS), self.script_dir, self._certs]:
            made.mkdir(parents=True, exist_ok=True)
        if erlang == "mod_python3" and not (self.script_dir / PACKAGES).exists():
            for _ in install_scripts(self.script_dir, found.python, fetched=libraries):
                pass
        self._write_configuration([*modules, erlang] if erlang else modules)
        if erlang:
            self._install_configuration(settings, nodes)
        _write_files(self.conf_dir, files or {})

    @property
    def pid(self) -> int:
        """The operating system's, of the last start."""
        if self._process is None:
            raise ScratchError("not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Returns when the modules are loaded and fs_cli answers. Raises ScratchError, with the log's end."""
        if self.alive:
            raise ScratchError("already started")
        with (self.folder / "log" / "stdout").open("wb") as output:
            self._process = subprocess.Popen(
                [*self._command(), "-nf", "-nc", "-nonat", "-nort", "-nocal", "-np"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C in the terminal is not meant for it
            )
        deadline = time.monotonic() + _START_SECONDS
        pause = 0.02
        while not self._answers():
            if not self.alive or time.monotonic() > deadline:
                code = self._process.poll()
                self.kill()
                state = "did not answer" if code is None else f"ended with exit code {code}"
                raise ScratchError(f"FreeSWITCH {state}\n{self._tail()}")
            time.sleep(pause)
            pause = min(pause * 1.2, 0.1)

    def fs_cli(self, command: str, timeout: float = 30.0) -> str:
        """What the command printed, without its final line breaks. Raises ScratchError."""
        try:
            done = subprocess.run(
                [*self.fs_cli_command(command), "-t", str(int(timeout * 1000))],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                env=self._environment,
            )
        except subprocess.TimeoutExpired:
            raise ScratchError(f"fs_cli {command}: no answer in {timeout} s") from None
        if done.returncode:
            raise ScratchError(f"fs_cli {command}: {(done.stderr or done.stdout).decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace").rstrip("\n")

    def log(self) -> str:
        """The log so far, without colours."""
        file = self.folder / "log" / "freeswitch.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def fs_cli_command(self, command: str) -> list[str]:
        """For a shell."""
        address = ["-H", "127.0.0.1", "-P", str(self.event_socket_port), "-p", self.password]
        return [str(self.found.fs_cli), *address, *(["-x", command] if command else [])]

    def wait(self) -> int:
        """Blocks until FreeSWITCH ends by itself; the exit code."""
        if self._process is None:
            raise ScratchError("not started")
        return self._process.wait()

    def stop(self) -> int:
        """Shut down as an operator does; the exit code. Killed (-9) when it does not end in time."""
        if self._process is None:
            raise ScratchError("not started")
        if self.alive:
            try:
                self.fs_cli("shutdown", timeout=10)
            except ScratchError:
                self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL, as a crash would be."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _command(self) -> list[str | Path]:
        folders = {name: self.folder / name for name in _FOLDERS}
        folders |= dict.fromkeys(("htdocs", "grammar", "recordings", "storage", "cache", "sounds"), folders["temp"])
        folders |= {"scripts": self.script_dir, "certs": self._certs, "mod": self.found.mod_dir}
        command: list[str | Path] = [self.found.binary]
        for name, path in folders.items():
            command += [f"-{name}", path]
        return command

    def _answers(self) -> bool:
        """The event socket greets: it does so only after all modules are loaded."""
        try:
            with socket.create_connection(("127.0.0.1", self.event_socket_port), timeout=1) as connection:
                return connection.recv(64).startswith(b"Content-Type: auth/request")
        except OSError:
            return False

    def _tail(self) -> str:
        output = (self.folder / "log" / "stdout").read_text(errors="replace")
        return "\n".join((self.log() or output).splitlines()[-20:])

    def _write_configuration(self, modules: Sequence[str]) -> None:
        installed = [name for name in modules if (self.found.mod_dir / f"{name}.so").exists()]
        ours = {
            "freeswitch.xml": _FREESWITCH_XML,
            "dialplan/default.xml": _DIALPLAN_XML,
            "autoload_configs/modules.conf.xml": _configuration(
                "modules.conf", "modules", [f"<load module={quoteattr(name)}/>" for name in installed]
            ),
            "autoload_configs/switch.conf.xml": _settings("switch.conf", _SWITCH),
            LOGFILE: logfile(_LEVELS, {"rollover": "0"}),
            "autoload_configs/acl.conf.xml": _configuration("acl.conf", "network-lists", []),
            "autoload_configs/hash.conf.xml": _configuration("hash.conf", "remotes", []),
            "autoload_configs/event_socket.conf.xml": _settings(
                "event_socket.conf",
                {
                    "listen-ip": "127.0.0.1",
                    "listen-port": str(self.event_socket_port),
                    "password": self.password,
                    "stop-on-bind-error": "true",
                },
            ),
        }
        _write_files(self.conf_dir, ours)

    def _install_configuration(self, settings: Mapping[str, str], nodes: str) -> None:
        for _ in install_configuration(self.conf_dir, self.folder / MANIFEST, dialplan=True):
            pass
        erlang_event = self.conf_dir / CONFIGURATION[0]
        erlang_event.write_text(with_settings(erlang_event.read_text(), settings, nodes))


def write_settings(conf_dir: Path, settings: Mapping[str, str], nodes: str = "") -> None:
    """erlang_event.conf.xml as it is shipped, with those settings, and <node> elements, for a switch that has no other
    configuration."""
    shipped = (ROOT / "conf" / CONFIGURATION[0]).read_text()
    _write_files(conf_dir, {str(CONFIGURATION[0]): with_settings(shipped, settings, nodes)})


def write_dialplan(conf_dir: Path) -> None:
    """The dialplan as it is shipped, for a switch that has no other configuration."""
    shutil.copytree(ROOT / "conf" / "dialplan", conf_dir / "dialplan", dirs_exist_ok=True)


def link_extensions(conf_dir: Path, files: Sequence[Path]) -> None:
    """Those files, of extensions in the context "default"; what is changed in them later counts, as they are links.

    Raises OSError for one that is not there.
    """
    folder = conf_dir / "dialplan" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        link = folder / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file.resolve(strict=True))


def with_settings(text: str, settings: Mapping[str, str], nodes: str = "") -> str:
    """The file with each of the settings given, in its place where it has one there, else as the last. nodes: <node>
    elements, which it has then, too."""
    for name, value in settings.items():
        line = f"<param name={quoteattr(name)} value={quoteattr(value)}/>"
        pattern = rf"(?:<!--\s*)?<param name={re.escape(quoteattr(name))} value=\"[^\"]*\"/>(?:\s*-->)?"
        text, count = re.subn(pattern, line.replace("\\", r"\\"), text, count=1)
        if not count:
            text = text.replace("  </settings>", f"    {line}\n  </settings>")
    return text.replace("</configuration>", f"<nodes>{nodes}</nodes>\n</configuration>") if nodes else text


def _environment(epmd_port: int, folder: Path) -> dict[str, str]:
    """Ours without what would lead the interpreter inside to our .venv, or Erlang to the user's own epmd or cookie."""
    dropped = ("PYTHON", "ERL_", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return kept | {"ERL_EPMD_PORT": str(epmd_port), "HOME": str(folder)}


def _write_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _configuration(name: str, element: str, lines: Sequence[str]) -> str:
    inner = "".join(f"    {line}\n" for line in lines)
    return f'<configuration name="{name}">\n  <{element}>\n{inner}  </{element}>\n</configuration>\n'


def _settings(name: str, settings: Mapping[str, str]) -> str:
    lines = [f"<param name={quoteattr(key)} value={quoteattr(value)}/>" for key, value in settings.items()]
    return _configuration(name, "settings", lines)


_SWITCH = {
    "colorize-console": "false",
    "loglevel": "debug",
    "max-sessions": "2000",
    "sessions-per-second": "1000",
    "rtp-start-port": "26384",
    "rtp-end-port": "28384",
}

_FREESWITCH_XML = """\
<document type="freeswitch/xml">
  <section name="configuration">
    <X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
  </section>
  <section name="dialplan">
    <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
  <section name="directory"/>
</document>
"""

_DIALPLAN_XML = """\
<include>
  <context name="default">
    <X-PRE-PROCESS cmd="include" data="default/*.xml"/>
    <extension name="park">
      <condition field="destination_number" expression="^park$">
        <action application="answer"/>
        <action application="park"/>
      </condition>
    </extension>
  </context>
</include>
"""

_LEVELS = "console,debug,info,notice,warning,err,crit,alert"
