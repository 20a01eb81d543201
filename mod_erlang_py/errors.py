"""Every error this package raises.

    ErlangNodeError
      ConfigError(ValueError)         a setting the operator wrote: param, value, expected
      TermError(ValueError)
        DecodeError                   bytes that are no term, or none OTP would take: reason, offset
          LimitExceeded               a legal term that is bigger than we take
        EncodeError                   a value that is no Erlang term
        NotText                       a term that cannot be read as text
        NotJson                       a text that cannot be read as JSON, or a term that cannot be written so
      BadArg                          a request with wrong arguments; becomes {error, badarg}
        BadOption                     an option of it; becomes {error, {badarg, S}}: option, expected
          TooMuch                     more than we take of something, or more bytes of it; the log has a line
      DistError
        HandshakeError                step, reason; the connection ends
          CookieMismatch
        ProtocolViolation             a peer that breaks the distribution protocol; the link ends
        NotConnected                  no link to a node, and none could be made: node, reason
      EpmdError                       epmd answered, but not with what was asked
        EpmdUnavailable(OSError)      epmd did not answer
      SwitchError                     the switch refused: function, reason
      Exhausted(RuntimeError)         no more threads are to be had, or too much waits already

Bytes from a peer raise DecodeError or DistError and nothing else.
"""

from __future__ import annotations


class ErlangNodeError(Exception):
    """The root: anything this package raises on purpose."""


class ConfigError(ErlangNodeError, ValueError):
    def __init__(self, param: str, value: str, expected: str) -> None:
        super().__init__(param, value, expected)
        self.param = param
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.param}={self.value!r}: expected {self.expected}"


class TermError(ErlangNodeError, ValueError):
    """A term, in Python or in bytes, that cannot be used."""


class DecodeError(TermError):
    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.reason} at byte {self.offset}"


class LimitExceeded(DecodeError):
    """A legal term over one of our limits; the link can go on."""


class EncodeError(TermError):
    """A Python value that has no external form."""


class NotText(TermError):
    """A term that is neither string, list of characters, binary nor atom."""


class NotJson(TermError):
    """A text that is no JSON, or more than we take; a term that JSON has no form for."""


class BadArg(ErlangNodeError):
    """A request whose arguments are wrong; its sender is told {error, badarg}."""


class BadOption(BadArg):
    """An option that there is not, or with a wrong value; its sender is told what was expected."""

    def __init__(self, option: str, expected: str) -> None:
        super().__init__(option, expected)
        self.option = option
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.option}: expected {self.expected}"


class TooMuch(BadOption):
    """More of something than a request may have: known before any work is done for it."""


class DistError(ErlangNodeError):
    """The distribution protocol went wrong."""


class HandshakeError(DistError):
    def __init__(self, step: str, reason: str) -> None:
        super().__init__(step, reason)
        self.step = step
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.step}: {self.reason}"


class CookieMismatch(HandshakeError):
    """The peer's digest was made with another cookie."""


class ProtocolViolation(DistError):
    """The peer sent what no Erlang node sends; OTP would close the link too."""


class NotConnected(DistError):
    def __init__(self, node: str, reason: str) -> None:
        super().__init__(node, reason)
        self.node = node
        self.reason = reason

    def __str__(self) -> str:
        return f"no connection to {self.node}: {self.reason}"


class EpmdError(ErlangNodeError):
    """epmd answered with an error, or with bytes that are no answer."""


class EpmdUnavailable(EpmdError, OSError):
    """No epmd answers at the address."""


class SwitchError(ErlangNodeError):
    def __init__(self, function: str, reason: str) -> None:
        super().__init__(function, reason)
        self.function = function
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.function}: {self.reason}"


class Exhausted(ErlangNodeError, RuntimeError):
    """What was asked for is not done: there is no thread for it, or too much waits already."""
