"""The Erlang nodes of a soak."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from scripts.bench.peers.erlang import ErlangPeer
from scripts.trials.soak import phones
from scripts.trials.soak.counts import Counts, Kind, counts, together
from scripts.trials.soak.phones import Phones
from scripts.trials.switch import COOKIE, Switch

SOURCE = Path(__file__).with_name("soak.erl")


class Nodes:
    """At work from when this is made until rest(). The desk asks for everything, dials calls and handles them, sipp's
    too, and starts nodes that are killed; the ear answers look-ups, and receives what is fired and logged; the visitor
    comes and goes."""

    def __init__(self, switch: Switch, sip_port: int, folder: Path) -> None:
        """folder: where soak.erl is compiled to. Raises BenchError, OSError."""
        self._peers: list[ErlangPeer] = []
        self._phones: Phones | None = None
        try:
            self._ear, self._desk, self._visitor = (self._started(switch, folder) for _ in range(3))
            for peer, function in ((self._ear, "ear"), (self._desk, "desk"), (self._visitor, "visitor")):
                peer.measure(function, f"'{switch.name}'")
            self._phones = Phones(sip_port)
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
        self._phones.close()
        self._visitor.measure("rest")
        ticks, marks = self._desk.measure("rest")
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

    def _started(self, switch: Switch, folder: Path) -> ErlangPeer:
        self._peers.append(ErlangPeer(folder, switch.epmd_port, COOKIE, SOURCE))
        return self._peers[-1]
