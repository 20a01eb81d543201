"""A node of a few lines, on one socket, that also does what erl never would."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import TracebackType

from mod_erlang_py import etf
from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import FrameReader, Received, decode_body, encode_frame
from mod_erlang_py.distribution.control import ControlMessage
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.handshake import InitiatorHandshake, fresh_challenge
from mod_erlang_py.distribution.handshake_events import Established, LocalNode, Status, StatusReceived
from mod_erlang_py.etf import Pid, Term

TIMEOUT = 10.0
CREATION = 7


class Client:
    """A link to the node `to`, which listens on `port` of 127.0.0.1.

    extra: bytes that go out with the last packet of the handshake. before_reply: called before that one is sent.
    Raises HandshakeError and OSError as its handshake does.
    """

    def __init__(
        self,
        port: int,
        *,
        name: str = "client@localhost",
        to: str = "freeswitch@localhost",
        cookie: str = "ClueCon",
        extra: bytes = b"",
        before_reply: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.pid = Pid(name, 1, 0, CREATION)
        self.statuses: list[Status] = []
        self._before_reply = before_reply
        self._frames = FrameReader(1 << 26)
        self._bodies: list[bytes] = []
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        try:
            self._shake_hands(InitiatorHandshake(LocalNode(name, OURS, CREATION), to, cookie, fresh_challenge()), extra)
        except BaseException:
            self.sock.close()
            raise

    def _shake_hands(self, machine: InitiatorHandshake, extra: bytes) -> None:
        while True:
            data = machine.data_to_send()
            if data[2:3] == b"r":
                self._before_reply()
                data += extra
            self.sock.sendall(data)
            received = self.sock.recv(65536)
            if not received:
                raise ConnectionResetError("closed in the handshake")
            machine.receive_data(received)
            for event in machine.events_received():
                if isinstance(event, StatusReceived):
                    self.statuses.append(event.status)
                    if event.status is Status.ALIVE:
                        machine.answer_alive(replace=True)
                elif isinstance(event, Established):
                    self._bodies += self._frames.receive_data(machine.trailing_data)
                    return

    def send(self, term: Term, to: str = "foo") -> None:
        """`{To, Node} ! Term`"""
        self.send_frame(encode_frame(control.encode_control(control.RegSend(self.pid, to)), etf.encode(term)))

    def signal(self, message: ControlMessage) -> None:
        self.send_frame(encode_frame(control.encode_control(message)))

    def send_frame(self, frame: bytes) -> None:
        self.sock.sendall(frame)

    def receive(self) -> Received:
        """The next control message that is no tick. Raises OSError, or TimeoutError after TIMEOUT."""
        while True:
            while self._bodies:
                body = self._bodies.pop(0)
                if body:
                    return decode_body(body)
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionResetError("closed")
            self._bodies += self._frames.receive_data(data)

    def answer(self) -> Term:
        """The next message's term."""
        received = self.receive()
        assert received.payload is not None, received
        return etf.decode(received.payload)

    def wait_closed(self) -> bytes:
        """What came until the node closed the link."""
        rest = b""
        try:
            while data := self.sock.recv(65536):
                rest += data
        except ConnectionResetError:
            pass
        return rest

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
