"""The plain client of mod_event_socket, and what it makes of the bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.bench.errors import BenchError
from scripts.bench.peers.event_socket import EventSocket, SocketPeers, Wire

Serve = Callable[[socket.socket], None]
GREETING = b"Content-Type: auth/request\n\n"
ACCEPTED = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"


def event(number: int, sent: int, kind: str = "plain") -> bytes:
    body = f"Event-Name: CUSTOM\nNumber: {number}\nSent: {sent}\n\n".encode()
    if kind == "json":
        body = f'{{"Event-Name":"CUSTOM","Number":"{number}","Sent":"{sent}"}}'.encode()
    return b"Content-Length: %d\nContent-Type: text/event-%s\n\n%s" % (len(body), kind.encode(), body)


@pytest.fixture
def serve() -> Iterator[Callable[[Serve], int]]:
    """serve(what it does with a connection once somebody has logged in): its port."""
    threads = []

    def start(then: Serve) -> int:
        listening = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with listening, listening.accept()[0] as client:
                client.settimeout(10)
                client.sendall(GREETING)
                assert client.recv(1000) == b"auth secret\n\n"
                client.sendall(ACCEPTED)
                then(client)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        port: int = listening.getsockname()[1]
        return port

    yield start
    for thread in threads:
        thread.join()


@given(bodies=st.lists(st.binary(max_size=40), min_size=1, max_size=6), piece=st.integers(1, 50))
def test_messages_are_whole_however_they_come(bodies: list[bytes], piece: int) -> None:
    sent = b"".join(b"Content-Length: %d\nContent-Type: x\n\n%s" % (len(body), body) for body in bodies)
    wire, found = Wire(), []
    for at in range(0, len(sent), piece):
        wire.add(sent[at : at + piece])
        found += [body for _, body in wire.cut()]
    assert found == bodies


def test_a_message_without_a_body() -> None:
    wire = Wire()
    wire.add(GREETING + ACCEPTED)
    assert [body for _, body in wire.cut()] == [b"", b""]


def test_the_switch_hangs_up(serve: Callable[[Serve], int]) -> None:
    with EventSocket(serve(lambda client: None), "secret") as client, pytest.raises(BenchError, match="hung up"):
        client.message()


def test_an_answer_is_found_among_events(serve: Callable[[Serve], int]) -> None:
    def answer(client: socket.socket) -> None:
        assert client.recv(1000) == b"api status\n\n"
        client.sendall(event(1, 1) + b"Content-Type: api/response\nContent-Length: 3\n\nUP\n")

    with EventSocket(serve(answer), "secret") as client:
        assert client.api("status") == "UP\n"


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_what_is_lost_out_of_order_and_how_long_it_took_is_seen(serve: Callable[[Serve], int], kind: str) -> None:
    def fire(client: socket.socket) -> None:
        assert client.recv(1000).startswith(b"event ")
        client.sendall(ACCEPTED)
        for number in (1, 2, 4, 3, 5):
            client.sendall(event(number, 1, kind))
        client.recv(1)

    port = serve(fire)
    found = SocketPeers(port, "secret", clients=1, events=5, kind=f"event {kind}").end()
    assert (found.events, found.lost) == (5, 3)  # after 2, 4 and 3 each came what was not next
    assert found.delays is not None
    assert found.delays.longest >= found.delays.p50 > 1e9  # since the epoch


def test_what_does_not_come_is_lost(serve: Callable[[Serve], int]) -> None:
    def fire(client: socket.socket) -> None:
        client.recv(1000)
        client.sendall(ACCEPTED + event(1, 1) + event(2, 1))
        client.recv(1)

    found = SocketPeers(serve(fire), "secret", clients=1, events=5, kind="event plain", idle=0.2).end()
    assert (found.events, found.lost) == (2, 3)
