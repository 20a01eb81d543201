"""No threads, descriptors, memory or disk to be had: limits of the process, while all is used."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from mod_erlang_py.errors import HandshakeError
from mod_erlang_py.etf import Atom, Binary, atom_text
from scripts.configuration import LOGFILE, logfile
from scripts.trials.client import Client
from scripts.trials.faults.fault import Fault, Trial
from scripts.trials.limits import NoLimit, without_descriptors, without_memory, without_threads

_MEBIBYTE = 1 << 20
_FRAME = 60 * _MEBIBYTE
_JOBS = 20


def _no_threads(trial: Trial) -> int:
    """FreeSWITCH has none for calls either. A node that does not read, one that is dialled, jobs: all need one."""
    tries = trial.tries(3)
    dialled = trial.victim()
    for _ in range(tries):
        with trial.victim() as victim, trial.victim() as deaf, trial.client("sender") as sender:
            victim.busy(10)
            deaf.busy(5)
            with without_threads(trial.switch.pid):
                deaf.stop()
                _sendevent(sender, 40)
                for number in range(_JOBS):
                    sender.send((Atom("bgapi"), Atom("msleep"), b"100", _job(number)))
                sender.send((Atom("api"), Atom("erlang"), f"connect {dialled.name}".encode()))
                for number in range(20):
                    with contextlib.suppress(HandshakeError, OSError):
                        trial.client(f"threadless{number}").close()
                trial.others_for(2)
            trial.check(_jobs_answered(sender), "a job that was accepted is never heard of")
            answer = trial.switch.fs_cli(f"erlang connect {dialled.name}")
            trial.check(answer.startswith("+OK"), f"a node that was dialled in that moment: {answer}")
            trial.switch.fs_cli(f"erlang disconnect {dialled.name}")
            deaf.resume()
            victim.hang_up()
            trial.all_came(victim.quiet(), link_lost=True)  # a socket that is full would need a thread
    return tries


def _job(number: int) -> bytes:
    """Its UUID."""
    return b"job-%d" % number


def _jobs_answered(client: Client) -> bool:
    """Whether each of its jobs was refused, or accepted and done; and what it asked behind them is answered."""
    refused, accepted, done, asked = 0, 0, 0, False
    while refused + done < _JOBS or not asked:
        try:
            answer = client.answer()
        except OSError:
            return False
        match answer:
            case (tag, bytes(uuid)) if atom_text(tag) == "ok" and uuid.startswith(b"job-"):
                accepted += 1
            case (tag, reason) if isinstance(reason, Atom):
                refused += 1
            case (tag, _, _):
                done += 1
            case _:
                asked = True
    return accepted == done


def _sendevent(client: Client, count: int) -> None:
    """So many events of a mebibyte, which go to all that want all."""
    for _ in range(count):
        client.send((Atom("sendevent"), Atom("CUSTOM"), b"trials::big", [(b"big", Binary(b"x" * _MEBIBYTE))]))
        client.receive()


def _no_descriptors(trial: Trial) -> int:
    """Nobody can connect, nor be connected to; those who are connected go on."""
    tries = trial.tries(5)
    for _ in range(tries):
        with trial.victim() as victim, contextlib.ExitStack() as held:
            victim.busy(10)
            with without_descriptors(trial.switch.pid):
                for _ in range(100):
                    held.enter_context(socket.create_connection(("127.0.0.1", trial.switch.port), timeout=10))
                trial.others_for(2)
            victim.hang_up()
            trial.all_came(victim.quiet())
    return tries


def _no_memory(trial: Trial) -> int:
    """There is some, but not for all that one node sends."""
    tries = trial.tries(8)
    with trial.victim() as victim:
        victim.busy(10)
        with without_memory(trial.switch.pid, 48 * _MEBIBYTE):
            for number in range(tries):
                with contextlib.suppress(HandshakeError, OSError), trial.client(f"fat{number}") as client:
                    client.sock.settimeout(5)
                    client.send((Atom("api"), Atom("echo"), Binary(b"x" * _FRAME)))
                    client.receive()
        refused = trial.switch.scratch.log().count("no memory for what it sends")
        trial.check(refused == tries, f"{tries - refused} links did not end for want of memory")
        victim.hang_up()
        trial.all_came(victim.quiet())
    return tries


_TOLD = "notice,warning,err,crit,alert"


@contextlib.contextmanager
def _noticed(_folder: Path) -> Iterator[Mapping[str, str]]:
    """The log tells why links end."""
    yield {LOGFILE: logfile(_TOLD, {"rollover": "0"})}


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Mapping[str, str]]:
    """A megabyte, for the log alone."""
    disk = folder / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True, text=True)
    if made.returncode:
        raise NoLimit(made.stderr.strip())
    try:
        yield {LOGFILE: logfile(f"debug,info,{_TOLD}", {"logfile": f"{disk}/freeswitch.log", "rollover": "0"})}
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _full_disk(trial: Trial) -> int:
    """It fills up with the log of calls, at its level DEBUG; then there is room again."""
    log = trial.folder / "disk" / "freeswitch.log"
    with trial.victim() as victim:
        victim.busy(30)
        trial.until(lambda: log.stat().st_size >= 0.9 * _MEBIBYTE, 60, "the disk was never full")
        trial.others_for(3)
        victim.hang_up()
        trial.all_came(victim.quiet())
    log.write_bytes(b"")
    trial.until(lambda: b"switch_core" in log.read_bytes(), 10, "the log does not go on")
    return 1


FAULTS = (
    Fault("no-threads", "no thread to be had", _no_threads, allowed=5.0, refuses=True),
    Fault("no-descriptors", "no descriptor to be had", _no_descriptors),
    Fault(
        "no-memory",
        "no memory to be had for frames of 60 MiB",
        _no_memory,
        allowed=3.0,
        refuses=True,
        settings=dict.fromkeys(("max-frame-bytes", "max-term-bytes"), str(_FRAME + _MEBIBYTE)),
        room=_noticed,
    ),
    Fault("full-disk", "a full disk under the log", _full_disk, room=_small_disk),
)
