"""Two channels, bridged. Source: switch_ivr_multi_threaded_bridge in switch_ivr_bridge.c."""

from __future__ import annotations

from dataclasses import replace

from mod_erlang_py.switch.port import Header
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.profile import Times
from mod_erlang_py.switch.simulated.calls.progress import answer
from mod_erlang_py.switch.simulated.calls.states import State
from mod_erlang_py.switch.simulated.words import is_true


def bridge(channel: Channel, peer: Channel) -> None:
    """Bridge the channel to its peer, until one of both ends it; then the peer is hung up.

    By the channel's thread, the channel watching the peer. The digits of each are dialed to the other.
    """
    _join(channel, peer)
    identities = ((b"Bridge-A-Unique-ID", channel.profile.uuid), (b"Bridge-B-Unique-ID", peer.profile.uuid))
    channel.fire("CHANNEL_BRIDGE", identities)
    channel.set_variables((
        (b"last_bridge_to", peer.profile.uuid),
        (b"bridge_channel", peer.profile.chan_name),
        (b"bridge_uuid", peer.profile.uuid),
    ))  # fmt: skip
    if peer.set_state(State.EXCHANGE_MEDIA):
        _stay(channel, peer)
    _part(channel, peer, identities)


def send_digit(channel: Channel, digit: bytes) -> None:
    """Dial it to the other end of the channel."""
    if channel.other is not None:
        channel.other.receive_digits(digit)


def _join(channel: Channel, peer: Channel) -> None:
    profile, peer_profile = channel.profile, peer.profile
    with channel.changed:
        channel.profile = replace(
            profile, callee_id_name=peer_profile.callee_id_name, callee_id_number=peer_profile.callee_id_number
        )
        channel.other_leg = (b"originatee", peer_profile.as_other(peer_profile.times))
        channel.variables.set(b"signal_bond", peer_profile.uuid)
    with peer.changed:
        peer.other_leg = (b"originator", profile.as_other(Times.never()))
        peer.variables.set(b"signal_bond", profile.uuid)
    channel.note_bridge()
    peer.note_bridge()


def _stay(channel: Channel, peer: Channel) -> None:
    def over() -> bool:
        return not channel.ready() or peer.state != State.EXCHANGE_MEDIA

    def answered() -> bool:
        return peer.answered and not channel.answered and not channel.outbound

    while not over():
        channel.wait(lambda: over() or answered() or channel.has_digits() or peer.has_digits())
        if answered():
            answer(channel)
        for one, other in ((channel, peer), (peer, channel)):
            digit = one.take_digit()
            if digit is not None:
                send_digit(other, digit)


def _part(channel: Channel, peer: Channel, identities: tuple[Header, ...]) -> None:
    """Whatever the channel was hung up for, its peer is for NORMAL_CLEARING; it goes on when it was transferred."""
    if peer.state == State.EXCHANGE_MEDIA:
        peer.hangup(Cause.NORMAL_CLEARING)
    cause = (peer.cause or Cause.NORMAL_CLEARING).name.encode()
    channel.set_variables((
        (b"last_bridge_hangup_cause", cause),
        (b"bridge_hangup_cause", cause),
    ))  # fmt: skip
    channel.fire("CHANNEL_UNBRIDGE", identities)
    if channel.ready() and is_true(channel.variable(b"hangup_after_bridge")):
        channel.hangup(peer.cause or Cause.NORMAL_CLEARING)
