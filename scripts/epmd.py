"""An epmd under our control, and what epmd knows: for the tests and `make run`."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable


class EpmdError(Exception):
    """Why there is no epmd, in a line."""


class Epmd:
    """An epmd of our own on 127.0.0.1, which may be stopped and started again on the same port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Returns when it answers. Raises EpmdError."""
        assert self._process is None, "already running"
        self._process = subprocess.Popen(
            ["epmd", "-port", str(self.port), "-address", "127.0.0.1", "-relaxed_command_check"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is not meant for it
        )
        deadline = time.monotonic() + 10
        while self.names() is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EpmdError(
                    f"no epmd can run on port {self.port}, which something else may have (ss -ltnp 'sport = "
                    f":{self.port}' says what); ERL_EPMD_PORT=... gives another"
                )
            time.sleep(0.005)

    @property
    def pid(self) -> int:
        """The operating system's."""
        assert self._process is not None, "not running"
        return self._process.pid

    def stop(self) -> None:
        """Ends it, and with it every registration; the nodes see their connection to it close."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def names(self) -> dict[str, int] | None:
        """What is registered, alive name to port (NAMES_REQ); None when no epmd answers."""
        return epmd_names(self.port)


def epmd_names(port: int) -> dict[str, int] | None:
    """The names that the epmd on 127.0.0.1 knows, with their ports; None when none answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"\x00\x01n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError:
        return None
    if answer[:4] != port.to_bytes(4, "big"):
        return None  # something else answers
    lines = answer[4:].decode(errors="replace").splitlines()  # "name NAME at port PORT"
    return {words[1]: int(words[4]) for words in (line.split() for line in lines) if len(words) == 5}


def wait_until_registered(name: str, node_port: int, epmd_port: int, alive: Callable[[], bool], timeout: float) -> bool:
    """True as soon as that alive name stands in epmd with that port; False when alive() ends or after `timeout` s."""
    deadline = time.monotonic() + timeout
    while (epmd_names(epmd_port) or {}).get(name) != node_port:
        if not alive() or time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
