"""Distribution by TLS with real Erlang nodes, in both directions; and whoever is refused, each with one line."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mod_erlang_py.config.tls import ProtoDist
from mod_erlang_py.errors import HandshakeError
from mod_erlang_py.node.streams.tls_errors import PLAIN
from scripts.certs import make_certificate, optfile
from scripts.trials.client import Client
from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import called, dial, exists, gone, hang_up, with_module
from tests.peers.test_console import configure
from tests.peers.test_scripts_calls import give_dialplan
from tests.tls import client_context, make_all
from tests.waiting import wait_until

FreePort = Callable[[], int]
VERSIONS = ["tlsv1.2", "tlsv1.3"]
KINDS = ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)]


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = ["erl", "-noinput", "-eval", "halt(case code:which(ssl) of non_existing -> 1; _ -> 0 end)."]
    if subprocess.run(asked).returncode:
        pytest.skip("erl has no ssl (apt-get install erlang-ssl)")
    return make_all(tmp_path_factory.mktemp("certs"))


class Start:
    """Starts our node with TLS, and Erlang nodes that speak it."""

    def __init__(self, certs: Path, folder: Path, start_node: StartNode, erl: StartErl, free_port: FreePort) -> None:
        self.certs = certs
        self._folder = folder
        self._start_node = start_node
        self._erl = erl
        self._free_port = free_port

    def node(self, kind: str = "simulated", name: str = "localhost", **settings: str) -> RunningNode:
        """name: of the certificate."""
        files = {
            "tls_listen_port": str(self._free_port()),
            "tls_cert": str(self.certs / f"{name}.pem"),
            "tls_key": str(self.certs / f"{name}.key"),
            "tls_ca": str(self.certs / "ca.pem"),
        }
        return self._start_node(kind, **{**files, **settings})  # type: ignore[arg-type]

    def erl(self, node: RunningNode, options: str, name: str | None = None) -> Erl:
        """options: what is in its -ssl_dist_optfile."""
        file = self._folder / f"inet_tls.{self._free_port()}.conf"
        file.write_text(options)
        return self._erl(node, name=name, arguments=("-proto_dist", "inet_tls", "-ssl_dist_optfile", str(file)))

    def peer(self, node: RunningNode, version: str = "tlsv1.3", name: str = "localhost") -> Erl:
        """One that we like, unless the certificate says otherwise."""
        return self.erl(node, optfile(self.certs, name, [version]))


@pytest.fixture
def start(certs: Path, tmp_path: Path, start_node: StartNode, erl: StartErl, free_port: FreePort) -> Start:
    return Start(certs, tmp_path, start_node, erl, free_port)


def works(node: RunningNode, peer: Erl) -> None:
    assert peer.request(node.name, "getpid").startswith("{ok,"), node.log()[-2000:] + peer.output()


def protocols(log: str, name: str) -> list[str]:
    return re.findall(rf"node up: {name}, from \S+, by (\S+)", log)


# --- those who get in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_calls_in_both_directions(start: Start, kind: str, version: str) -> None:
    """A node that connects takes one, and so does one that we connect to, to ask for the process."""
    node = start.node(kind)
    give_dialplan(node)
    first, second = (with_module(start.peer(node, version)) for _ in range(2))
    works(node, first)
    for peer in (first, second):
        peer.eval("T = call_tests:start(taker), ok")
        dial(node, first, f"taker {peer.name}")
        uuid = called(peer)
        assert protocols(node.log(), peer.name) == ["TLSv" + version[-3:]]
        assert exists(node, first, uuid)
        hang_up(node, first, uuid)
        gone(node, first, uuid)
        assert peer.text("call_tests:wait(T, call_hangup, 1)").strip('"') == uuid


def test_big_and_many(start: Start) -> None:
    """Frames of megabytes, and thousands of small ones, in both directions."""
    node = start.node()
    peer = start.peer(node)
    for size in (16_384, 100_000, 1_000_000):
        text = f"lists:duplicate({size}, $x)"
        answer = f"request('{node.name}', {{api, echo, {text}}}, 20000)"
        assert peer.text(f"{{ok, Answer{size}}} = {answer}, {text} =:= Answer{size}", 30) == "true"
    peer.eval(f"[{{foo, '{node.name}'}} ! {{api, echo, integer_to_list(N)}} || N <- lists:seq(1, 2000)], ok")
    answers = "[{ok, integer_to_list(N)} || N <- lists:seq(1, 2000)]"
    assert peer.text(f"collect(2000, 20000) =:= {answers}", 30) == "true"


@pytest.mark.parametrize(
    ("version", "option"),
    [("tlsv1.3", "{key_update_at, 20000}"), ("tlsv1.2", "{renegotiate_at, 20}")],
    ids=["key update", "renegotiation"],
)
def test_keys_change_while_the_link_is_up(start: Start, version: str, option: str) -> None:
    """As OTP does after terabytes, or 2^28 records; here all the time. In both directions."""
    node = start.node()
    options = optfile(start.certs, "localhost", [version])
    options = options.replace("{verify, verify_peer}", f"{{verify, verify_peer}}, {option}")
    first, second = start.erl(node, options), start.erl(node, options)
    assert first.request(node.name, f'{{api, erlang, "connect {second.name}"}}').startswith('{ok,"+OK')
    for peer in (first, second):
        for _ in range(3):
            send = f"{{foo, '{node.name}'}} ! {{api, echo, lists:duplicate(3000, $x)}}"
            peer.eval(f"[{send} || _ <- lists:seq(1, 100)], ok")
            lengths = "[length(Text) || {ok, Text} <- collect(100, 20000)]"
            assert peer.text(f"{lengths} =:= lists:duplicate(100, 3000)", 30) == "true"
        assert protocols(node.log(), peer.name) == ["TLSv" + version[-3:]], node.log()


def test_a_node_that_does_not_read(start: Start) -> None:
    """Its memory is bounded, others are served, and what it has not read comes when it reads again."""
    node = start.node(outbox_bytes="2000000")
    peer, other = start.peer(node), start.peer(node)
    works(node, peer)
    peer.eval(f"{{foo, '{node.name}'}} ! register_event_handler, receive ok -> ok end")
    peer.eval(f"{{foo, '{node.name}'}} ! {{event, 'CUSTOM', 'py::test'}}, receive ok -> ok end")
    peer.suspend()
    before = node.resident_kib()
    event = "{sendevent, 'CUSTOM', 'py::test', [{\"body\", lists:duplicate(9000, $x)}]}"
    other.eval(f"[begin {{foo, '{node.name}'}} ! {event}, receive ok -> ok end end || _ <- lists:seq(1, 1000)], ok", 60)
    works(node, other)
    assert node.resident_kib() - before < 20_000
    peer.resume()
    wait_until(lambda: int(peer.text("length(flush())")) > 0)
    works(node, peer)


# --- both ports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ProtoDist)
def test_plain_and_tls_beside_each_other(start: Start, erl: StartErl, free_port: FreePort, first: ProtoDist) -> None:
    """epmd has one of the ports; the other one is for whoever knows it."""
    plain, by_tls = free_port(), free_port()
    node = start.node(listen_port=str(plain), tls_listen_port=str(by_tls), tls_only="false", proto_dist=first.value)
    tls_peer = start.peer(node) if first is ProtoDist.TLS else None
    peer = tls_peer or erl(node)
    works(node, peer)
    printed = node.api("erlang status") if tls_peer is None else peer.request(node.name, '{api, erlang, "status"}')
    ports = (by_tls, plain) if first is ProtoDist.TLS else (plain, by_tls)
    assert f"127.0.0.1:{ports[0]}, 127.0.0.1:{ports[1]}" in printed
    with Client(plain, name="plain@localhost"), tls_client(by_tls, client_context(start.certs)):
        wait_until(lambda: protocols(node.log(), "plain@localhost") == ["TCP"])


def test_names_that_have_to_come_by_tls(start: Start, free_port: FreePort) -> None:
    """Whoever has the cookie cannot come under them by the plain port; nor are they connected to by plain TCP."""
    plain, by_tls = free_port(), free_port()
    settings = {
        "listen_port": str(plain),
        "tls_listen_port": str(by_tls),
        "tls_only": "false",
        "proto_dist": "inet_tcp",
    }
    settings |= {"tls_cert": str(start.certs / "localhost.pem"), "tls_key": str(start.certs / "localhost.key")}
    node = start.node(**settings, tls_ca=str(start.certs / "ca.pem"))
    rule = '<node name="safe*@localhost"><param name="tls-required" value="true"/></node>'
    configure(node, rule, **settings, tls_ca=str(start.certs / "ca.pem"))
    answer = node.api("erlang reload")
    assert "changed: nodes none -> safe*@localhost (allow api" in answer
    assert ", tls-required)" in answer
    with pytest.raises(HandshakeError, match="not_allowed"):
        Client(plain, name="safe1@localhost", to=node.name)
    told = "safe1@localhost comes by plain TCP, and has to come by TLS: tls-required of <node safe*@localhost>"
    wait_until(lambda: f"refused: status: {told}" in node.log(), told=node.log)
    assert told.replace("safe1", "safe2") in node.api("erlang connect safe2@localhost")
    with Client(plain, name="other@localhost", to=node.name):
        wait_until(lambda: protocols(node.log(), "other@localhost") == ["TCP"])


def tls_client(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname="localhost")


def test_with_tls_alone_the_plain_port_is_closed(start: Start, free_port: FreePort) -> None:
    port = free_port()
    start.node(listen_port=str(port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


# --- those who do not ---------------------------------------------------------------------------------------------


def refused(node: RunningNode, count: int = 1) -> str:
    """The lines about refused connections, of which there is one for each."""

    def lines() -> list[str]:
        return [line for line in node.log().splitlines() if " refused: " in line]

    wait_until(lambda: len(lines()) >= count, told=node.log)
    assert len(lines()) == count, lines()
    assert "Traceback" not in node.log()
    return lines()[-1].partition(" refused: ")[2]


WITHOUT_CERTIFICATE = "[{server, []}, {client, [{verify, verify_none}]}].\n"
NOT_KNOWN = "TLS: the peer's certificate is refused: unable to get local issuer certificate: its CA is not in tls-ca"
EXPIRED = "TLS: the peer's certificate is refused: certificate has expired"
NO_CLIENT = (
    "TLS: the peer's certificate is refused: un(supported|suitable) certificate purpose: whoever connects needs "
    "clientAuth in it, who is connected to serverAuth"
)
ELSEWHERE = "send_name: .*@localhost: the peer's certificate is for elsewhere.example, and not for localhost"


WRONG = {"stranger": NOT_KNOWN, "expired": EXPIRED, "server-only": NO_CLIENT, "elsewhere": ELSEWHERE}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_node_with_a_wrong_certificate_or_none(start: Start, version: str) -> None:
    node = start.node()
    for number, (name, told) in enumerate(WRONG.items(), 1):
        peer = start.peer(node, version, name)
        assert peer.text(f"net_kernel:connect_node('{node.name}')", 20) == "false"
        assert re.fullmatch(told, refused(node, number))
        peer.close()
    peer = start.erl(node, f"[{{server, []}}, {{client, [{{verify, verify_none}}, {{versions, ['{version}']}}]}}].\n")
    assert peer.text(f"net_kernel:connect_node('{node.name}')", 20) == "false"
    assert refused(node, len(WRONG) + 1) == "TLS: the peer has no certificate, and tls-verify asks for one"


def test_a_node_that_does_not_speak_tls(start: Start, erl: StartErl) -> None:
    node = start.node()
    peer = erl(node)
    assert peer.text(f"net_kernel:connect_node('{node.name}')", 20) == "false"
    assert refused(node) == f"TLS: {PLAIN}"


def test_a_node_that_only_speaks_an_older_version(start: Start) -> None:
    node = start.node(tls_min_version="1.3")
    peer = start.peer(node, "tlsv1.2")
    assert peer.text(f"net_kernel:connect_node('{node.name}')", 20) == "false"
    assert refused(node) == "TLS: the two have no version of TLS in common; see tls-min-version"


def test_a_node_with_another_cookie(start: Start, certs: Path, tmp_path: Path, erl: StartErl) -> None:
    """TLS does not take its place."""
    node = start.node()
    file = tmp_path / "inet_tls.conf"
    file.write_text(optfile(certs, "localhost"))
    arguments = ("-proto_dist", "inet_tls", "-ssl_dist_optfile", str(file))
    peer = erl(node, cookie="other", arguments=arguments)
    assert peer.text(f"net_kernel:connect_node('{node.name}')", 20) == "false"
    assert refused(node) == "send_challenge_reply: the peer has another cookie"


def test_a_node_that_speaks_tls_to_a_plain_port(start: Start, start_node: StartNode) -> None:
    node = start_node("simulated")
    peer = start.peer(node)
    assert peer.text(f"net_kernel:connect_node('{node.name}')", 20) == "false"
    assert "the peer speaks TLS, and this port is for plain TCP" in refused(node)


def test_others(start: Start) -> None:
    node = start.node()
    said = [
        (b"GET / HTTP/1.0\r\n\r\n", "TLS: the peer does not speak TLS, but HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "TLS: the peer does not speak TLS"),
        (b"", "TLS: closed by the peer"),
    ]
    for number, (data, told) in enumerate(said, 1):
        with socket.create_connection(("127.0.0.1", node.port), timeout=10) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
        assert refused(node, number) == told


@pytest.mark.parametrize("version", VERSIONS)
def test_we_refuse_a_node_that_we_connect_to(start: Start, version: str) -> None:
    node = start.node()
    helper = start.peer(node)
    wrong = {
        "stranger": NOT_KNOWN.replace("unable to get local issuer certificate", "[^:]*"),
        "expired": EXPIRED,
        "elsewhere": "TLS: the peer's certificate is for elsewhere.example, and not for localhost",
    }
    for name, told in wrong.items():
        peer = start.peer(node, version, name)
        answer = helper.request(node.name, f'{{api, erlang, "connect {peer.name}"}}', 15)
        assert re.search(f"no connection to {peer.name}: {told}", answer), answer
        peer.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_node_that_refuses_us(start: Start, version: str) -> None:
    """Ours has expired; in both directions."""
    node = start.node(name="expired", tls_verify="none")
    assert "tls-cert: it ended on" in node.log()
    peer = start.peer(node, version)
    assert peer.text(f"net_kernel:connect_node('{node.name}')", 20) == "false"
    assert refused(node).startswith("TLS: the peer refuses us: alert certificate expired")
    helper = start.erl(node, WITHOUT_CERTIFICATE)
    answer = helper.request(node.name, f'{{api, erlang, "connect {peer.name}"}}', 15)
    assert "the peer refuses us: alert certificate expired" in answer


# --- less is asked for --------------------------------------------------------------------------------------------


def test_verify_ca_takes_any_name(start: Start) -> None:
    node = start.node(tls_verify="ca")
    works(node, start.peer(node, name="elsewhere"))


def test_verify_none_takes_nodes_without_a_certificate(start: Start) -> None:
    node = start.node(tls_verify="none")
    works(node, start.erl(node, WITHOUT_CERTIFICATE))
    assert "TLS, unverified: whoever only listens reads nothing" in node.log()


# --- the files change ---------------------------------------------------------------------------------------------


def test_reload_takes_new_certificates_and_keeps_links(start: Start, tmp_path: Path) -> None:
    for file in ("localhost.pem", "localhost.key", "ca.pem", "ca.key"):
        (tmp_path / file).write_bytes((start.certs / file).read_bytes())
    key = tmp_path / "localhost.key"
    node = start.node(tls_cert=str(tmp_path / "localhost.pem"), tls_key=str(key))
    peer = start.peer(node)

    def reload() -> str:
        return peer.request(node.name, '{api, erlang, "reload"}')

    assert reload() == '{ok,"+OK 0 changed\\n"}'
    key.write_text("nonsense")
    assert reload().startswith(f"{{error,\"-ERR tls-key='{key}': expected a private key in PEM; nothing changed")
    works(node, start.peer(node))  # by the one before
    make_certificate(tmp_path, "localhost", days=5)
    assert "changed: certificate for localhost, until" in reload()
    assert "it ends on" in node.log()
    works(node, start.peer(node))
    works(node, peer)
    assert protocols(node.log(), peer.name) == ["TLSv1.3"]


# --- as others write their files ----------------------------------------------------------------------------------

RABBITMQ = """
[
  {server, [
    {cacertfile, "CERTS/ca.pem"},
    {certfile,   "CERTS/localhost.pem"},
    {keyfile,    "CERTS/localhost.key"},
    {secure_renegotiate, true},
    {verify, verify_peer},
    {fail_if_no_peer_cert, true}
  ]},
  {client, [
    {cacertfile, "CERTS/ca.pem"},
    {certfile,   "CERTS/localhost.pem"},
    {keyfile,    "CERTS/localhost.key"},
    {secure_renegotiate, true},
    {verify, verify_peer}
  ]}
].
"""
WITHOUT_NAMES = """
[{server, [{certfile, "CERTS/localhost.pem"}, {keyfile, "CERTS/localhost.key"}, {cacertfile, "CERTS/ca.pem"},
           {verify, verify_peer}, {secure_renegotiate, true}]},
 {client, [{certfile, "CERTS/localhost.pem"}, {keyfile, "CERTS/localhost.key"}, {cacertfile, "CERTS/ca.pem"},
           {verify, verify_peer}, {secure_renegotiate, true}, {server_name_indication, disable}]}].
"""
STRICT = """
[{server, [{certfile, "CERTS/localhost.pem"}, {keyfile, "CERTS/localhost.key"}, {cacertfile, "CERTS/ca.pem"},
           {verify, verify_peer}, {fail_if_no_peer_cert, true}, {depth, 2}, {versions, ['tlsv1.3', 'tlsv1.2']},
           {honor_cipher_order, true}]},
 {client, [{certfile, "CERTS/localhost.pem"}, {keyfile, "CERTS/localhost.key"}, {cacertfile, "CERTS/ca.pem"},
           {verify, verify_peer}, {depth, 2}, {versions, ['tlsv1.3', 'tlsv1.2']}]}].
"""


def test_files_as_others_write_them(start: Start) -> None:
    """In both directions."""
    node = start.node()
    helper = start.peer(node)
    for options in (RABBITMQ, WITHOUT_NAMES, STRICT):
        peer = start.erl(node, options.replace("CERTS", str(start.certs)))
        works(node, peer)
        assert peer.text(f"erlang:disconnect_node('{node.name}')") == "true"
        wait_until(lambda name=peer.name: f"node down: {name}" in node.log())  # type: ignore[misc]
        assert helper.request(node.name, f'{{api, erlang, "connect {peer.name}"}}').startswith('{ok,"+OK')
        peer.close()
