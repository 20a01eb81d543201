"""The Erlang nodes of a soak."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from scripts.bench.peers.erlang import ErlangPeer
from scripts.trials.soak import phones
from scripts.trials.soak.configuration import GUEST, GUEST_COOKIE, Place
from scripts.trials.soak.counts import Counts, Kind, counts, together
from scripts.trials.soak.phones import Phones
from scripts.trials.switch import COOKIE, Switch

SOURCE = Path(__file__).with_name("soak.erl")


class Nodes:
    """At work from when this is made until rest(). The desk asks for everything, dials calls and handles them, sipp's
    too, starts nodes that are killed, and has the switch take another certificate; the ear answers look-ups, and
    receives what is fired and logged, by TLS; the visitor comes and goes, by TLS; the guest is denied what it asks
    for."""

    def __init__(self, switch: Switch, place: Place) -> None:
        """Raises BenchError, OSError."""
        self._peers: list[ErlangPeer] = []
        self._phones: Phones | None = None
        try:
            self._ear, self._visitor = (self._by_tls(switch, place) for _ in range(2))
            self._desk = self._started(ErlangPeer(place.folder, switch.epmd_port, COOKIE, SOURCE))
            self._guest = self._started(ErlangPeer(place.folder, switch.epmd_port, GUEST_COOKIE, SOURCE, name=GUEST))
            work = {self._ear: "ear", self._desk: "desk", self._visitor: "visitor", self._guest: "guest"}
            for peer, function in work.items():
                peer.measure(function, f"'{switch.name}'")
            self._phones = Phones(place.sip_port)
        except BaseException:
            self.close()
            raise

    def counts(self) -> Counts:
        """What there was until now. Raises BenchError."""
        return together([counts(peer.measure("counts")) for peer in self._peers])

    def rest(self) -> Counts:
        """Begin nothing more, and wait for what is under way: all that there was, with what sipp says of its calls.
        Raises BenchError."""
        assert self._phones is not None
        for peer in (self._visitor, self._guest):
            peer.begin("rest")
        self._phones.close()
        ticks, marks = self._desk.measure("rest")
        for peer in (self._visitor, self._guest):
            peer.end()
        self._ear.measure("rest", int(ticks), int(marks))
        found = self.counts()
        found[Kind.SIP] = phones.checked(self._phones.made(), found[Kind.SIP])
        return found

    def close(self) -> None:
        """The nodes are killed, sipp too."""
        if self._phones is not None:
            self._phones.kill()
        for peer in self._peers:
            peer.close()

    def __enter__(self) -> Nodes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _by_tls(self, switch: Switch, place: Place) -> ErlangPeer:
        """epmd knows the port for plain TCP; and nobody connects to such a node."""
        told = ("-erl_epmd_port", str(place.tls_port), "-dist_listen", "false")
        return self._started(
            ErlangPeer(place.folder, switch.epmd_port, COOKIE, SOURCE, certs=place.certs, arguments=told)
        )

    def _started(self, peer: ErlangPeer) -> ErlangPeer:
        self._peers.append(peer)
        return peer
