"""The headers of a call's events: the same calls in the simulated switch and in a real one, header by header."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from scripts.scratch import ScratchFreeSwitch
from tests.switch.conftest import MakeSimulatedDesk
from tests.switch.desks import Desk, FreeSwitchDesk, about, text

Roles = dict[str, str]
"""What a channel is in a call -> its UUID."""
Told = dict[tuple[str, str], list[tuple[str, str]]]
"""By channel and event ("CHANNEL_EXECUTE park"): the headers behind the switch's own."""


def early(desk: Desk) -> Roles:
    uuid = desk.call("loopback/early &playback(silence_stream://-1)")
    other = desk.other(uuid)
    desk.find("PLAYBACK_START", uuid)
    desk.find("CHANNEL_PARK", other)
    desk.ask(f"uuid_kill {uuid}")
    return {"caller": uuid, "other": other}


def parked(desk: Desk) -> Roles:
    uuid = desk.call("{x=y}loopback/answered &park XML default Joe 99")
    other = desk.other(uuid)
    desk.find("CHANNEL_PARK", other)
    desk.find("CHANNEL_PARK", uuid)
    desk.ask(f"uuid_recv_dtmf {uuid} 1")
    desk.next("DTMF", uuid)
    desk.ask(f"uuid_kill {uuid} USER_BUSY")
    return {"caller": uuid, "other": other}


def bridged(desk: Desk) -> Roles:
    uuid = desk.call("loopback/answered &bridge(loopback/answered)")
    called = text(desk.next("CHANNEL_BRIDGE", uuid), "Bridge-B-Unique-ID") or ""
    roles = {"caller": uuid, "other": desk.other(uuid), "called": called, "called's other": desk.other(called)}
    desk.find("CHANNEL_PARK", roles["called's other"])
    desk.find("CHANNEL_STATE", called, Channel_State="CS_EXCHANGE_MEDIA")
    desk.ask(f"uuid_kill {called}")
    desk.next("CHANNEL_UNBRIDGE", uuid)
    return roles


NOT_HERE = {"CODEC", "CALL_UPDATE"}
"""Events that the simulated switch has not."""

DIFFERS = {
    # A leg is answered by its other leg, which is quicker here, where nobody waits for 20 ms of sound.
    "Answer-State", "Channel-Call-State", "Channel-State", "Channel-State-Number", "variable_endpoint_disposition",
    "variable_loopback_leg", "Caller-Channel-Answered-Time", "Caller-Channel-Progress-Media-Time",
    "Caller-Channel-Bridged-Time", "Caller-Channel-Hangup-Time",
    # In FreeSWITCH the other leg may see first that it is alone, and hang up for that.
    "Hangup-Cause", "variable_hangup_cause", "variable_hangup_cause_q850",
    # FreeSWITCH gives the called one of a bridge its own again in the end.
    "Channel-Call-UUID", "variable_call_uuid",
}  # fmt: skip
"""What need not be the same: it hangs on who is quicker."""
_TIMES = re.compile(r"variable_(.*_stamp|u?m?duration|bill[mu]?sec|session_id|playback_\w+)")


def told(desk: Desk, call: Callable[[Desk], Roles]) -> Told:
    roles = call(desk)
    desk.all_gone()
    desk.drain()
    names = {uuid.encode(): role for role, uuid in roles.items()}
    found: Told = {}
    for event in desk.events:
        if event.uuid in names and event.name not in NOT_HERE:
            own = [name for name, _ in event.headers].index(b"Event-Sequence") + 1
            headers = [(name.decode(), value.decode()) for name, value in event.headers[own:]]
            key = (names[event.uuid], about(event))
            found.setdefault(key, [(name, _shown(name, value, roles)) for name, value in headers])
    return found


def _shown(name: str, value: str, roles: Roles) -> str:
    """Without what is another one each time."""
    for role, uuid in roles.items():
        value = value.replace(uuid, role)
    if _TIMES.fullmatch(name) or re.fullmatch(r"[1-9]\d{9,}", value):
        return "some"
    return re.sub(r"(?:^\d{10}:)?[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", value)


def names(found: Told) -> set[tuple[str, str]]:
    return {(channel, event.partition(" ")[0]) for channel, event in found}


@pytest.mark.freeswitch
@pytest.mark.parametrize("call", [early, parked, bridged], ids=lambda call: call.__name__)
def test_a_call_looks_as_in_freeswitch(
    call: Callable[[Desk], Roles], freeswitch: ScratchFreeSwitch, simulated_desk: MakeSimulatedDesk
) -> None:
    """All that is told of the channel, in the same order; of the variables, none that is not there or is another."""
    real_desk = FreeSwitchDesk(freeswitch)
    try:
        real = told(real_desk, call)
    finally:
        real_desk.close()
    simulated = told(simulated_desk(), call)
    assert names(simulated) == names(real)
    for key in simulated.keys() & real.keys():  # the causes of hangups, and a state that is skipped, may differ
        headers = simulated[key]
        expected = dict(real[key])
        wrong = {
            name: (value, expected.get(name))
            for name, value in headers
            if value != expected.get(name) and name not in DIFFERS
        }
        assert not wrong, key
        plain = [name for name, _ in headers if not name.startswith("variable_") and name != "Hangup-Cause"]
        assert plain == [
            name for name, _ in real[key] if not name.startswith("variable_") and name != "Hangup-Cause"
        ], key
