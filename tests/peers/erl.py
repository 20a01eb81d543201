"""A real Erlang/OTP node under the test's control.

    peer = Erl("test", folder=tmp_path, epmd_port=4369, cookie="ClueCon")
    peer.text("{foo, 'freeswitch@localhost'} ! {api, status, \\"\\"}, receive R -> R after 5000 -> timeout end.")
    peer.close()

`tests/conftest.py` makes them with its `erl` and `peer` fixtures and closes them. What an expression may call besides
OTP is at the top of `evaluator.erl`: request, flush, collect, wait_until.
"""

from __future__ import annotations

import base64
import contextlib
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import erlang

_SOURCE = Path(__file__).with_name("evaluator.erl")
_START_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_GRACE_SECONDS = 5.0  # over the timeout that the evaluator itself keeps


class ErlError(Exception):
    """The expression raised; str() is {Class, Reason} as ~0tp prints it."""


class ErlTimeout(Exception):
    """The expression did not end in time; it was killed, and its process's mailbox is gone."""


class ErlGone(Exception):
    """The node is not there any more; str() has the last lines that it printed."""


def missing() -> str | None:
    """Why no node can be started, or None."""
    absent = [program for program in ("erl", "erlc", "epmd") if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)} (apt-get install erlang-base)" if absent else None


class Erl:
    """A running node. Methods may be called from any thread; evaluations run one after the other.

    name: "test" (becomes test@localhost) or "test@host"; with an address for a host it listens there. folder: for
    evaluator.beam and the node's home; may be shared by several nodes. epmd_port: where an epmd runs already; none is
    started.
    """

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        epmd_port: int,
        cookie: str = "ClueCon",
        hidden: bool = False,
        ipv6: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        self.name = name if "@" in name else f"{name}@localhost"
        self.cookie = cookie
        self.epmd_port = epmd_port
        self._lock = threading.Lock()
        self._replies: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self._output: list[str] = []
        _compile(folder)
        host = self.name.partition("@")[2]
        naming, address = ("-name", host) if "." in host else ("-sname", "127.0.0.1")
        interface = "{0,0,0,0,0,0,0,1}" if ipv6 else f"{{{address.replace('.', ',')}}}"
        command = ["erl", "-noshell", naming, self.name, "-setcookie", cookie, "-start_epmd", "false"]
        command += ["-kernel", "inet_dist_use_interface", interface, "-pa", str(folder), "-s", "evaluator"]
        command += ["-hidden"] if hidden else []
        command += ["-proto_dist", "inet6_tcp"] if ipv6 else []
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ERL_")}
        environment |= {"ERL_EPMD_PORT": str(epmd_port), "ERL_CRASH_DUMP_SECONDS": "0", "HOME": str(folder)}
        self._process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        )
        self._reader = threading.Thread(target=self._read, name=f"erl {self.name}", daemon=True)
        self._reader.start()
        try:
            self._reply(_START_SECONDS)
        except (ErlGone, ErlTimeout):
            self.close()
            raise ErlGone(f"{self.name} did not start\n{self.output()}") from None

    @property
    def pid(self) -> int:
        """The operating system's."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def output(self) -> str:
        """What the node printed besides our replies: crash and error reports."""
        return "\n".join(self._output)

    def eval(self, expressions: str, timeout: float = 10.0) -> Any:
        """The value as erlang-py gives it. The final full stop may be left out.

        timeout: in seconds. Raises ErlError, ErlTimeout, ErlGone.
        """
        return erlang.binary_to_term(self._request("term", expressions, timeout))

    def text(self, expressions: str, timeout: float = 10.0) -> str:
        """The value as Erlang prints it (~0tp), on one line; otherwise as eval."""
        return self._request("text", expressions, timeout).decode()

    def request(self, node: str, term: str, timeout: float = 5.0) -> str:
        """The text of the answer to `{foo, Node} ! Term`, sent from a process of its own, which self() is in it;
        "timeout" if there is none."""
        return self.text(f"request('{node}', fun() -> {term} end, {int(timeout * 1000)})", timeout + _GRACE_SECONDS)

    def forget(self) -> None:
        """Begin anew: no variables, another evaluating process, whose mailbox is empty."""
        self._command("forget\n", _START_SECONDS)

    def suspend(self) -> None:
        """SIGSTOP: the node's connections stay open and take nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill9(self) -> None:
        """The node is gone at once; its sockets are closed by the kernel."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """End the node, however it stands; may be called again."""
        if self.alive:
            self.resume()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_CLOSE_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Erl:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, kind: str, expressions: str, timeout: float) -> bytes:
        source = expressions.rstrip().rstrip(".") + "."
        line = f"{kind} {int(timeout * 1000)} {base64.b64encode(source.encode()).decode()}\n"
        status, payload = self._command(line, timeout + _GRACE_SECONDS)
        if status == "timeout":
            raise ErlTimeout(f"{timeout} s: {expressions}")
        if status == "error":
            raise ErlError(payload.decode())
        return payload

    def _command(self, line: str, timeout: float) -> tuple[str, bytes]:
        assert self._process.stdin is not None
        with self._lock:
            try:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                raise ErlGone(f"{self.name}\n{self.output()}") from None
            return self._reply(timeout)

    def _reply(self, timeout: float) -> tuple[str, bytes]:
        try:
            reply = self._replies.get(timeout=timeout)
        except queue.Empty:
            self._process.kill()  # a reply that came later would be taken for the next one's
            raise ErlTimeout(f"{self.name} said nothing for {timeout} s") from None
        if reply is None:
            self._replies.put(None)
            raise ErlGone(f"{self.name}\n{self.output()}")
        return reply

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"=> "):
                _, status, payload = line.rstrip(b"\n").split(b" ", 2)
                self._replies.put((status.decode(), base64.b64decode(payload)))
            else:
                self._output.append(line.decode(errors="replace").rstrip())
        self._replies.put(None)


def _compile(folder: Path) -> None:
    """evaluator.beam into the folder, unless it is there."""
    if (folder / "evaluator.beam").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["erlc", "-o", str(folder), str(_SOURCE)], check=True, timeout=60)
