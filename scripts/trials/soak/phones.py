"""SIP calls by sipp, so many a second, in batches: each leaves nothing behind."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from scripts.bench.peers.sipp import SCENARIO
from scripts.scratch import free_port
from scripts.trials.soak.counts import NOTHING, Count, bucket

RATE = 3
"""Calls a second."""
_BATCH = 60
_AT_ONCE = 30
_PATIENCE = 60
"""Seconds after which a message of SIP that has not come is lost."""


def lacks() -> str | None:
    return None if shutil.which("sipp") else "no sipp (sip-tester)"


class Phones:
    """They call the extension `sip`, from when this is made until it is closed."""

    def __init__(self, port: int) -> None:
        """port: where the switch takes SIP."""
        self._target = f"127.0.0.1:{port}"
        self._own = free_port()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._made = NOTHING
        self._sipp: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._call, name="phones")
        self._thread.start()

    def made(self) -> Count:
        """answered: those that went well from the INVITE to the answer to its BYE. How long they took: from the INVITE
        to its 200."""
        with self._lock:
            return self._made

    def close(self) -> None:
        """No more calls; returns when the last one is done."""
        self._end(signal.SIGUSR1)  # which sipp takes so

    def kill(self) -> None:
        """Leave the calls as they are."""
        self._end(signal.SIGKILL)

    def _end(self, by: signal.Signals) -> None:
        self._closing.set()
        with self._lock:
            if self._sipp is not None:
                self._sipp.send_signal(by)
        self._thread.join()

    def _call(self) -> None:
        while not self._closing.is_set():
            with tempfile.TemporaryDirectory(prefix="sipp.") as folder:
                made = self._batch(Path(folder))
            with self._lock:
                self._made += made

    def _batch(self, folder: Path) -> Count:
        local = ["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(self._own)]
        work = ["-s", "sip", "-m", str(_BATCH), "-r", str(RATE), "-l", str(_AT_ONCE)]
        patience = ["-recv_timeout", str(_PATIENCE * 1000), "-timeout", str(2 * _PATIENCE + _BATCH), "-timeout_error"]
        told = ["-trace_rtt", "-rtt_freq", "1", "-trace_stat", "-fd", "3600", "-nostdin"]
        with self._lock:
            if self._closing.is_set():
                return NOTHING
            self._sipp = subprocess.Popen(
                ["sipp", self._target, *local, "-sf", str(SCENARIO), *work, *patience, *told],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is not meant for it
            )
        self._sipp.wait()
        return told_by_sipp(folder)


def told_by_sipp(folder: Path) -> Count:
    """Of the files that it has written there. One that has written none has made none."""
    last = [
        list(csv.DictReader(file.read_text().splitlines(), delimiter=";"))[-1] for file in folder.glob("*_[0-9]*_.csv")
    ]
    made = sum(int(row["TotalCallCreated"]) for row in last)
    well = sum(int(row["SuccessfulCall(C)"]) for row in last)
    times = [
        float(line.split(";")[1]) / 1000  # moment;milliseconds;which
        for file in folder.glob("*_rtt.csv")
        for line in file.read_text().splitlines()[1:]
    ]
    buckets = list(NOTHING.buckets)
    for seconds in times:
        buckets[bucket(seconds)] += 1
    return Count(made, well, 0, max(times, default=0.0), tuple(buckets))


def checked(made: Count, handled: Count) -> Count:
    """The calls that went well on both sides. handled: answered is how many had a `call` and a `call_hangup`. One that
    was handled and never made is one too many."""
    return replace(
        made,
        answered=min(made.answered, handled.answered),
        doubled=handled.doubled + max(0, handled.asked - made.asked),
    )
