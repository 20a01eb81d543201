"""A SIP phone that takes a call and notes when each RTP packet came, by the clock of the kernel that received it."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from types import TracebackType

from scripts.bench.errors import BenchError
from scripts.bench.peers.received import percentile

_TIMESTAMPNS = 35  # SO_TIMESTAMPNS of Linux
_TIMESPEC = struct.Struct("qq")
_RTP = struct.Struct(">BBHII")
_SECONDS = 10.0
INTERVAL = 20.0
"""Milliseconds from one packet to the next, as it should be."""
_ANSWER = """\
v=0
o=phone 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio {port} RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=ptime:20
"""


@dataclass(frozen=True)
class Heard:
    """Of a call's packets, in milliseconds. jitter: by how much the time from one packet to the next differs from what
    it should be, on average. p99, longest: of those times. lost: packets, by their numbers."""

    jitter: float
    p99: float
    longest: float
    packets: int
    lost: int


class Phone:
    """Listens on 127.0.0.1; has one call, ever."""

    def __init__(self) -> None:
        self._sip = self._bound()
        self._rtp = self._bound()
        self._rtp.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        self.port: int = self._sip.getsockname()[1]

    def __enter__(self) -> Phone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sip.close()
        self._rtp.close()

    def answer(self) -> None:
        """The call that comes. Raises BenchError."""
        try:
            invite, caller = self._sip.recvfrom(65536)
            while not invite.startswith(b"INVITE "):
                invite, caller = self._sip.recvfrom(65536)
            self._sip.sendto(_accepted(invite.decode(), self.port, self._rtp.getsockname()[1]), caller)
            while not self._sip.recv(65536).startswith(b"ACK "):
                pass
        except TimeoutError:
            raise BenchError("no call came to the phone") from None

    def listen(self, seconds: float) -> Heard:
        """What comes from now on for so long. Raises BenchError."""
        packets: list[tuple[int, float]] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                data, ancillary, _, _ = self._rtp.recvmsg(2048, socket.CMSG_SPACE(_TIMESPEC.size))
            except TimeoutError:
                raise BenchError("no RTP came to the phone") from None
            whole, part = _TIMESPEC.unpack(ancillary[0][2])
            packets.append((_RTP.unpack_from(data)[2], whole * 1000 + part / 1e6))
        return heard(packets)

    @staticmethod
    def _bound() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(_SECONDS)
        return sock


def heard(packets: Sequence[tuple[int, float]]) -> Heard:
    """Of packets in the order in which they came, each its number and its moment in ms. Raises BenchError."""
    if len(packets) < 3:
        raise BenchError(f"{len(packets)} RTP packets came to the phone")
    gaps = [later[1] - earlier[1] for earlier, later in pairwise(packets)]
    jitter = mean(abs(gap - INTERVAL) for gap in gaps)
    expected = ((packets[-1][0] - packets[0][0]) & 0xFFFF) + 1
    ordered = sorted(gaps)
    return Heard(jitter, percentile(ordered, 0.99), ordered[-1], len(packets), expected - len(packets))


def _accepted(invite: str, sip_port: int, rtp_port: int) -> bytes:
    """The 200 to it."""
    body = _ANSWER.format(port=rtp_port).replace("\n", "\r\n")
    headers = re.findall(r"(?im)^((?:via|from|call-id|cseq|record-route):[^\r\n]*)", invite)
    to = re.search(r"(?im)^to:[^\r\n]*", invite)
    lines = [
        "SIP/2.0 200 OK",
        *headers,
        f"{to[0] if to else 'To: <sip:phone>'};tag=phone",
        f"Contact: <sip:phone@127.0.0.1:{sip_port}>",
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
