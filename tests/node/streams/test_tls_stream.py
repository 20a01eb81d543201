"""TlsStream: bytes in both directions whatever TCP does to them, and nobody who waits for a peer."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_erlang_py.errors import HandshakeError
from mod_erlang_py.node.outbox import Outbox, Room
from mod_erlang_py.node.pool import Pool
from mod_erlang_py.node.streams import tls as module
from mod_erlang_py.node.streams.credentials import load
from mod_erlang_py.node.streams.tls import BATCH, TlsStream, shake_hands
from mod_erlang_py.node.streams.tls_errors import TlsError
from mod_erlang_py.node.threads import Threads
from tests.node.conftest import InThread
from tests.tls import ask_for_new_keys, client_context, make_all, tls
from tests.waiting import DEADLINE

Pair = tuple[socket.socket, socket.socket]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_all(tmp_path_factory.mktemp("certs"))


class Peer:
    """The other end: TLS in memory, whose encrypted bytes the test moves, as it likes to cut them."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.move()
                self.feed()
        self.move()

    def move(self, cuts: random.Random | None = None) -> None:
        """Send what is encrypted. cuts: in pieces of random length."""
        data = self.outgoing.read()
        while data:
            size = len(data) if cuts is None else cuts.choice([1, 2, 5, 100, 4000, 20000])
            self.sock.sendall(data[:size])
            data = data[size:]

    def feed(self, size: int = 65536) -> bool:
        """Take some of what came. Whether there was any."""
        came = self.sock.recv(size)
        self.incoming.write(came)
        return came != b""

    def read(self, number: int, size: int = 65536) -> bytes:
        """So many bytes of plain text. size: of each read of the socket."""
        data = b""
        while len(data) < number:
            try:
                data += self.tls.read(65536)
            except ssl.SSLWantReadError:
                assert self.feed(size), "closed too early"
        return data


class Bench:
    """A TlsStream that has accepted a Peer, through sockets with small buffers."""

    def __init__(self, pair: Pair, certs: Path, in_thread: InThread, version: ssl.TLSVersion | None = None) -> None:
        ours, theirs = pair
        self.peer = Peer(theirs, client_context(certs, version=version))
        credentials = load(tls(certs))
        accepting = in_thread(lambda: TlsStream(ours, shake_hands(ours, credentials.server, None), True))
        self.peer.shake_hands()
        stream = accepting.result()
        assert isinstance(stream, TlsStream)
        self.stream = stream


@pytest.fixture(params=VERSIONS, ids=["1.2", "1.3"])
def bench(request: pytest.FixtureRequest, pair: Pair, certs: Path, in_thread: InThread) -> Iterator[Bench]:
    bench = Bench(pair, certs, in_thread, request.param)
    yield bench
    bench.stream.shut_down("the test is over")


def test_what_it_speaks_and_who_the_peer_is(bench: Bench) -> None:
    assert bench.stream.protocol in ("TLSv1.2", "TLSv1.3")
    assert bench.stream.refuses("localhost") == ""
    assert bench.stream.refuses("elsewhere") == "the peer's certificate is for localhost, and not for elsewhere"
    for host in "LOCALHOST", "localhost.":  # to Erlang, and to the rules in <nodes>, another node's
        told = f"the peer's certificate is for localhost, and not for {host}, as its name spells it"
        assert bench.stream.refuses(host) == told


def test_a_read_gives_all_that_has_come(bench: Bench) -> None:
    """However many records that were."""
    for number in range(100):
        bench.peer.tls.write(b"%03d" % number)
    bench.peer.move()
    assert bench.stream.recv(65536) == b"".join(b"%03d" % number for number in range(100))


def test_a_record_of_which_a_byte_is_missing_waits_for_it(bench: Bench, in_thread: InThread) -> None:
    bench.peer.tls.write(b"hello")
    data = bench.peer.outgoing.read()
    reading = in_thread(lambda: bench.stream.recv(65536))
    bench.peer.sock.sendall(data[:-1])
    bench.peer.sock.sendall(data[-1:])
    assert reading.result() == b"hello"


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 3 * BATCH), max_size=4)), max_size=8),
    st.integers(),
    st.sampled_from(VERSIONS),
)
def test_both_directions_byte_for_byte(
    certs_for_hypothesis: Path, writes: list[tuple[bool, list[int]]], seed: int, version: ssl.TLSVersion
) -> None:
    """writes: by whom, of which lengths; cut at random on the peer's side, which also reads by random lengths."""
    cuts = random.Random(seed)
    to_peer = [[cuts.randbytes(size) for size in sizes] for ours, sizes in writes if ours]
    to_us = [cuts.randbytes(size) for ours, sizes in writes if not ours for size in sizes]
    with stream_and_peer(certs_for_hypothesis, version) as (stream, peer):

        def write() -> None:
            for buffers in to_peer:
                write_all(stream, list(buffers))

        def read() -> bytes:
            wanted, got = sum(map(len, to_us)), b""
            while len(got) < wanted:
                got += stream.recv(cuts.choice([1, 17, 4096, 65536]))
            return got

        got: list[bytes] = []
        threads = [threading.Thread(target=write), threading.Thread(target=lambda: got.append(read()))]
        for thread in threads:
            thread.start()
        talk(peer, to_us, cuts)
        expected = b"".join(part for buffers in to_peer for part in buffers)
        assert peer.read(len(expected), cuts.choice([1000, 65536])) == expected
        for thread in threads:
            thread.join(DEADLINE)
        assert got == [b"".join(to_us)]


def talk(peer: Peer, parts: list[bytes], cuts: random.Random) -> None:
    for part in parts:
        if part:
            view = memoryview(part)
            while view:
                view = view[peer.tls.write(view) :]
            peer.move(cuts)


def write_all(stream: TlsStream, buffers: list[bytes | memoryview]) -> None:
    """As an outbox would."""
    while buffers:
        taken = stream.send(buffers)
        while buffers and taken >= len(buffers[0]):
            taken -= len(buffers.pop(0))
        if buffers:
            buffers[0] = memoryview(buffers[0])[taken:]
            stream.wait_writable()


@pytest.fixture(scope="module")
def certs_for_hypothesis(certs: Path) -> Path:
    """Of the module, as hypothesis wants it."""
    return certs


@contextlib.contextmanager
def stream_and_peer(certs: Path, version: ssl.TLSVersion) -> Iterator[tuple[TlsStream, Peer]]:
    ours, theirs = socket.create_server(("127.0.0.1", 0)), None
    with ours as server:
        theirs = socket.create_connection(server.getsockname(), timeout=DEADLINE)
        accepted, _ = server.accept()
    peer = Peer(theirs, client_context(certs, version=version))
    made: list[TlsStream] = []
    context = load(tls(certs)).server
    accepting = threading.Thread(
        target=lambda: made.append(TlsStream(accepted, shake_hands(accepted, context, None), True))
    )
    accepting.start()
    peer.shake_hands()
    accepting.join(DEADLINE)
    (stream,) = made
    try:
        yield stream, peer
    finally:
        stream.shut_down("over")
        stream.close()
        theirs.close()


def test_a_peer_that_does_not_read_gets_no_more_than_fits(bench: Bench, in_thread: InThread) -> None:
    """The socket's buffers, and BATCH that is encrypted and kept. That does not count as taken, so that whoever sends
    comes again, and is not sent twice."""
    payload = random.Random(1).randbytes(16 << 20)
    taken = bench.stream.send([payload])
    for _ in range(100):
        taken += bench.stream.send([payload[taken:]])
        assert len(bench.stream._kept) + bench.stream._outgoing.pending <= BATCH + 4 * 64
    assert 0 < taken < len(payload)
    assert bench.stream._kept
    sending = in_thread(lambda: write_all(bench.stream, [memoryview(payload)[taken:]]))
    assert bench.peer.read(len(payload)) == payload
    sending.result()


def test_whoever_waits_for_room_is_told_when_there_is(bench: Bench, in_thread: InThread) -> None:
    taken = bench.stream.send([b"x" * (16 << 20)])
    waiting = in_thread(bench.stream.wait_writable)
    bench.peer.read(taken)
    waiting.result()


def test_a_reader_that_waits_keeps_nobody_from_writing(bench: Bench, in_thread: InThread) -> None:
    reading = in_thread(lambda: bench.stream.recv(100))
    assert bench.stream.send([b"hel", memoryview(b"lo")]) == 5
    assert bench.peer.read(5) == b"hello"
    bench.peer.tls.write(b"world")
    bench.peer.move()
    assert reading.result() == b"world"


def test_an_outbox_on_it(bench: Bench, threads: Threads) -> None:
    """A megabyte for a peer that is slow, from many threads: in order, and none is lost."""
    outbox = Outbox(bench.stream, Room(1 << 30, 1 << 20), threads.start, Pool(1 << 30))
    frames = [bytes([number]) * 1000 for number in range(100)]

    def put(number: int) -> None:
        for _ in range(20):
            outbox.put(frames[number])

    for number in range(100):
        threads.start("put", lambda number=number: put(number))  # type: ignore[misc]
    got = bench.peer.read(100 * 20 * 1000, size=3000)
    assert len(got) == 2_000_000
    assert sorted(got[i : i + 1000] for i in range(0, len(got), 1000)) == sorted(frames * 20)
    outbox.close()


def test_shut_down_wakes_everybody_and_says_goodbye(bench: Bench, in_thread: InThread) -> None:
    reading = in_thread(lambda: bench.stream.recv(100))
    bench.stream.shut_down("enough")
    assert reading.result() == b""
    assert bench.stream.why == "enough"
    bench.peer.feed()
    assert bench.peer.tls.read(100) == b""  # close_notify; of TCP's end it knows nothing
    with pytest.raises(OSError):
        bench.stream.send([b"x"])


def test_shut_down_wakes_whoever_waits_for_room(bench: Bench, in_thread: InThread) -> None:
    bench.stream.send([b"x" * (64 << 20)])
    waiting = in_thread(bench.stream.wait_writable)
    bench.stream.shut_down("enough")
    waiting.result()


def test_the_peers_goodbye_is_the_end(bench: Bench) -> None:
    bench.peer.tls.write(b"last")
    with contextlib.suppress(ssl.SSLWantReadError):
        bench.peer.tls.unwrap()
    bench.peer.move()
    assert [bench.stream.recv(100) for _ in range(3)] == [b"last", b"", b""]


def test_an_end_without_goodbye_is_the_end(bench: Bench) -> None:
    bench.peer.sock.close()
    assert bench.stream.recv(100) == b""


@pytest.mark.parametrize("garbage", [b"\0\0\0\5hello", b"\x17\x03\x03\0\x20" + bytes(32)], ids=["plain", "forged"])
def test_what_no_peer_of_ours_has_encrypted_is_an_error(bench: Bench, garbage: bytes) -> None:
    bench.peer.tls.write(b"good")
    bench.peer.move()
    bench.peer.sock.sendall(garbage)
    assert bench.stream.recv(65536) == b"good"
    for _ in range(2):
        with pytest.raises(TlsError):
            bench.stream.recv(65536)


def test_a_timeout_is_for_the_handshake_of_distribution(bench: Bench) -> None:
    bench.stream.set_timeout(0.05)
    with pytest.raises(TimeoutError):
        bench.stream.recv(100)
    bench.stream._must_read = True
    with pytest.raises(TimeoutError):
        bench.stream.wait_writable()


def test_a_record_that_trickles_gets_no_further_time(bench: Bench, in_thread: InThread) -> None:
    """Each byte is one, for the socket; the handshake of distribution has one deadline."""
    bench.peer.tls.write(b"x" * 1000)
    data = bench.peer.outgoing.read()
    bench.stream.set_timeout(0.3)
    reading = in_thread(lambda: bench.stream.recv(100))
    over = threading.Event()

    def trickle() -> None:
        for byte in data:
            bench.peer.sock.send(bytes([byte]))
            if over.wait(0.05):
                return

    trickling = in_thread(trickle)
    with pytest.raises(TimeoutError):
        reading.result()
    over.set()
    trickling.result()


def test_a_peer_that_asks_and_asks_without_reading_is_let_go(pair: Pair, certs: Path, in_thread: InThread) -> None:
    """Each request for new keys is answered. What is not read of that is not kept without end."""
    bench = Bench(pair, certs, in_thread, ssl.TLSVersion.TLSv1_3)

    def ask() -> None:
        with contextlib.suppress(OSError):  # once nobody reads
            for _ in range(1000):
                ask_for_new_keys(bench.peer.tls, 1000)
                bench.peer.move()

    asking = in_thread(ask)
    with pytest.raises(TlsError, match="the peer asks for more than it reads"):
        bench.stream.recv(65536)
    bench.peer.sock.shutdown(socket.SHUT_RDWR)
    asking.result()
    assert len(bench.stream._kept) + bench.stream._outgoing.pending < 4 * BATCH


def test_new_keys_are_given_to_whoever_reads(pair: Pair, certs: Path, in_thread: InThread) -> None:
    bench = Bench(pair, certs, in_thread, ssl.TLSVersion.TLSv1_3)
    ask_for_new_keys(bench.peer.tls, 3)
    bench.peer.tls.write(b"hello")
    bench.peer.move()
    assert bench.stream.recv(100) == b"hello"
    assert bench.stream.send([b"world"]) == 5
    assert bench.peer.read(5) == b"world"


def test_a_silent_peer_has_so_long_and_no_longer(pair: Pair, certs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_TIME", 0.2)
    with pytest.raises(HandshakeError, match=r"not done within 0\.2 s"):
        shake_hands(pair[0], load(tls(certs)).server, None)


def test_one_that_trickles_has_no_longer(
    pair: Pair, certs: Path, monkeypatch: pytest.MonkeyPatch, in_thread: InThread
) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_TIME", 0.3)
    ours, theirs = pair
    shaking = in_thread(lambda: shake_hands(ours, load(tls(certs)).server, None))
    peer = Peer(theirs, client_context(certs))
    with contextlib.suppress(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    over = threading.Event()
    left = list(peer.outgoing.read())

    def trickle() -> None:
        while left and not over.wait(0.02):
            theirs.send(bytes([left.pop(0)]))

    trickling = in_thread(trickle)
    with pytest.raises(HandshakeError, match=r"not done within 0\.3 s"):
        shaking.result()
    over.set()
    trickling.result()
    assert left
