"""The phone that listens to RTP."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from scripts.bench.errors import BenchError
from scripts.bench.peers.phone import Heard, Phone, heard

INVITE = """\
INVITE sip:phone@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK1
From: <sip:switch@127.0.0.1>;tag=1
To: <sip:phone@127.0.0.1>
Call-ID: 1
CSeq: 1 INVITE
Content-Length: 0

"""


def test_packets_in_time_have_no_jitter() -> None:
    assert heard([(number, 20.0 * number) for number in range(10)]) == Heard(0.0, 20.0, 20.0, 10, 0)


def test_a_packet_that_is_late_and_one_that_is_lost() -> None:
    moments = {65534: 0.0, 65535: 20.0, 0: 52.0, 2: 80.0}
    found = heard(list(moments.items()))
    assert (found.packets, found.lost, found.longest) == (4, 1, 32.0)
    assert found.jitter == pytest.approx((0 + 12 + 8) / 3)


def test_silence() -> None:
    with pytest.raises(BenchError, match="2 RTP packets"):
        heard([(1, 0.0), (2, 20.0)])


def test_a_call_is_answered_and_its_packets_are_heard() -> None:
    with Phone() as phone, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind(("127.0.0.1", 0))
        caller.settimeout(10)
        port = caller.getsockname()[1]
        caller.sendto(INVITE.format(port=port).replace("\n", "\r\n").encode(), ("127.0.0.1", phone.port))
        caller.sendto(b"ACK sip:phone@127.0.0.1 SIP/2.0\r\n\r\n", ("127.0.0.1", phone.port))
        phone.answer()
        answer = caller.recv(65536).decode()
        assert answer.startswith("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:")
        assert "\r\nTo: <sip:phone@127.0.0.1>;tag=phone\r\n" in answer
        rtp = int(answer.partition("m=audio ")[2].split()[0])
        ended = threading.Event()

        def play() -> None:
            number = 0
            while not ended.wait(0.02):
                caller.sendto(struct.pack(">BBHII", 0x80, 0, number, 0, 1), ("127.0.0.1", rtp))
                number += 1

        player = threading.Thread(target=play)
        player.start()
        try:
            found = phone.listen(0.5)
        finally:
            ended.set()
            player.join()
    assert found.packets > 5
    assert found.lost == 0
    assert found.longest >= 20.0
