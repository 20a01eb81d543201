"""What can be wrong with the bytes of a link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from random import Random

from mod_erlang_py import etf
from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import TICK, encode_frame
from mod_erlang_py.errors import EncodeError
from mod_erlang_py.etf import Atom, Pid, Reference, Term
from scripts.trials.fuzz import terms

NUMBERS = (*range(41), 99, 255, 256, -1, 2**31, 2**64)
"""Of control messages: those that there are, and others."""
ARITIES = range(9)
CONTROLS = tuple(product(NUMBERS, ARITIES))
"""Each number with each arity, right ones too."""
MAX_SIZE = 512 * 1024
"""Bytes of a request: what is tried is what it says, not how much a link carries."""
NAMES = ("foo", "net_kernel", "rex", "logger_proxy", "desk", "")


@dataclass(frozen=True)
class Said:
    """what: in a word, for the table. frames: how many. in_step: whether what comes behind it is read as frames, unless
    the link was closed upon; else it may be taken for a part of this."""

    what: str
    data: bytes
    frames: int = 1
    in_step: bool = True


class Speaker:
    """One process of ours, on one link. node: the switch's pid. number: of the round, which chooses the control message
    that is sent with a wrong arity."""

    def __init__(self, random: Random, us: Pid, node: Pid, number: int) -> None:
        self._random = random
        self._us = us
        self._node = node
        self._number = number
        self._reference = Reference(us.node, us.creation, (1, 2, 3))
        self._requests = terms.requests(us, self._reference)

    def request(self) -> bytes:
        """A frame that the link survives: a request in one of the forms there are, often with something changed."""
        term = self._random.choice(self._requests)
        payload = etf.encode(term)
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 5))):
            term = terms.mutated(self._random, term, self._us)
            try:
                changed = etf.encode(term)
            except EncodeError:  # over the levels that we write ourselves
                break
            if len(changed) > MAX_SIZE:
                break
            payload = changed
        return encode_frame(control.encode_control(self._addressed()), payload)

    def _addressed(self) -> control.ControlMessage:
        to = self._random.choice(NAMES)
        made: list[control.ControlMessage] = [
            control.RegSend(self._us, to),
            control.RegSend(self._us, to, (0, 17, 1, self._us, 0)),
            control.SendSender(self._us, self._node),
            control.Send(self._node),
            control.AliasSend(self._us, self._reference),
            control.AltactSigSend(control.AltactBits.TO_NAME, self._us, to),
            control.SpawnRequest(self._reference, self._us, self._us, ("freeswitch", "api", 2), []),
            control.SpawnRequest(self._reference, self._us, self._us, ("erpc", "execute_call", 4), [Atom("monitor")]),
        ]
        return self._random.choice(made[:1] * 5 + made)

    def signal(self) -> bytes:
        """One of those that have no payload, or a reason."""
        us, node, reference = self._us, self._random.choice((self._node, self._us)), self._reference
        reason = terms.odd(self._random, us)
        made: list[control.ControlMessage] = [
            control.Link(us, node),
            control.UnlinkId(1, us, node),
            control.Unlink(us, node),
            control.MonitorP(us, self._random.choice((node, "foo")), reference),
            control.DemonitorP(us, node, reference),
            control.Exit(us, node, reason),
            control.Exit2(us, node, reason),
            control.MonitorPExit(us, node, reference, reason),
            control.GroupLeader(us, node),
            control.SpawnReply(reference, node, 0, us),
            control.UnlinkIdAck(1, us, node),
        ]
        return encode_frame(control.encode_control(self._random.choice(made)))

    def last(self) -> Said:
        """What the link may not survive."""
        made: list[Callable[[], Said]] = [
            self._every_number,
            self._every_number,
            self._flipped,
            self._flipped,
            self._payload_flipped,
            self._cut,
            self._repeated,
            self._wrong_length,
            self._fragments,
            self._atom_cache,
            self._spliced,
            self._noise,
            self._exit,
        ]
        return self._random.choice(made)()

    def _every_number(self) -> Said:
        op, arity = CONTROLS[self._number % len(CONTROLS)]
        likely: tuple[Term, ...] = (
            self._us,
            self._node,
            self._reference,
            Atom("foo"),
            1,
            (Atom("m"), Atom("f"), 0),
            [],
            Atom(""),
        )
        fields: list[Term] = [self._random.choice(likely) for _ in range(arity)]
        if fields and self._random.random() < 0.5:
            fields[self._random.randrange(arity)] = terms.odd(self._random, self._us)
        payload = self._random.choice((b"", etf.encode(Atom("x")), etf.encode(terms.odd(self._random, self._us))))
        return Said("control numbers", encode_frame(etf.encode_bare((op, *fields)), payload))

    def _flipped(self) -> Said:
        """Behind the length, so that the frames stay in step."""
        frame = bytearray(self.request())
        for _ in range(self._random.randint(1, 4)):
            value = self._random.choice((*range(97, 120), self._random.randrange(256)))
            frame[self._random.randrange(4, len(frame))] = value
        return Said("flipped bytes", bytes(frame))

    def _payload_flipped(self) -> Said:
        """A good control message, and a payload with a byte that is another."""
        payload = bytearray(etf.encode(self._random.choice(self._requests)))
        payload[self._random.randrange(1, len(payload))] = self._random.randrange(256)
        return Said(
            "flipped bytes", encode_frame(control.encode_control(control.RegSend(self._us, "foo")), bytes(payload))
        )

    def _cut(self) -> Said:
        """A body that ends too soon, with the length that it has; or as if the sender had died in the middle."""
        frame = self.request()
        at = self._random.randrange(5, len(frame))
        if self._random.random() < 0.5:
            return Said("cut frames", (at - 4).to_bytes(4, "big") + frame[4:at])
        return Said("cut frames", frame[:at], in_step=False)

    def _repeated(self) -> Said:
        frame, times = self._random.choice((self.request(), self.signal(), TICK)), self._random.choice((2, 10, 100))
        times = min(times, 1 + 2**20 // len(frame))
        return Said("repeated frames", frame * times, times)

    def _wrong_length(self) -> Said:
        frame = self.request()
        size = self._random.choice((0, 1, len(frame) - 5, len(frame), len(frame) + 100, 2**26, 2**26 + 1, 2**32 - 1))
        return Said("wrong lengths", size.to_bytes(4, "big") + frame[4:], in_step=False)

    def _fragments(self) -> Said:
        """As with DFLAG_FRAGMENTS, which we have not: a first one, others, in any order."""
        body = self.request()[6:]
        made = []
        for fragment in self._random.sample((3, 2, 1, 1), self._random.randint(1, 4)):
            tag = 69 if fragment == 3 else 70
            head = bytes((131, tag)) + (7).to_bytes(8, "big") + fragment.to_bytes(8, "big")
            made.append(head + (b"\0" if tag == 69 else b"") + body[: self._random.randrange(len(body))])
        return Said("fragments", b"".join(len(one).to_bytes(4, "big") + one for one in made), len(made))

    def _atom_cache(self) -> Said:
        """As with DFLAG_DIST_HDR_ATOM_CACHE, which we have not: a header with entries, and references to them."""
        count = self._random.choice((0, 1, 2, 255))
        flags = self._random.randbytes(count // 2 + 1)
        entries = b"".join(bytes((self._random.randrange(256), 3)) + b"foo" for _ in range(min(count, 2)))
        body = bytes((131, 68, count)) + flags + entries + b"h\4a\6R\0R\1R\2"
        body = self._random.choice((body, b"p\x83h\4a\6R\0w\0R\1\x83R\0", b"p\x83N\0\0"))
        return Said("atom caches", len(body).to_bytes(4, "big") + body)

    def _spliced(self) -> Said:
        first, second = self.request(), self.signal()
        body = first[4 : self._random.randrange(5, len(first))] + second[self._random.randrange(4, len(second)) :]
        return Said("spliced frames", len(body).to_bytes(4, "big") + body)

    def _noise(self) -> Said:
        body = self._random.choice((b"", b"p", b"p\x83", b"p\x83h\4a\6"))
        body += self._random.randbytes(self._random.choice((1, 2, 50, 1000)))
        return Said("noise", len(body).to_bytes(4, "big") + body)

    def _exit(self) -> Said:
        """`exit`, whose answer is the end."""
        good = control.encode_control(control.RegSend(self._us, "foo"))
        return Said("exit", encode_frame(good, etf.encode(Atom("exit"))))
