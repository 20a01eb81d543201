"""The dialplan: which actions a call gets, in the simulated switch and in a real one; and from which files."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mod_erlang_py.switch.port import Fetch, Section, Settings
from mod_erlang_py.switch.simulated import SimulatedSwitch
from tests.switch.conftest import MakeDesk, MakeSimulatedDesk
from tests.switch.desks import WAIT, text
from tests.waiting import wait_until

ANSWER = '<action application="answer"/><action application="park"/>'


def route(make_desk: MakeDesk, extensions: str, number: str = "42", variables: str = "") -> list[tuple[str, str]]:
    """What a call to that number executes: (application, data), until it parks or ends."""
    desk = make_desk(extensions)
    desk.ask(f"originate {{origination_uuid=a,{variables}}}loopback/{number} &park XML default Joe 0123")
    desk.ask("uuid_kill a")
    desk.all_gone()
    desk.drain()
    return [
        (text(event, "Application") or "", text(event, "Application-Data") or "")
        for event in desk.events
        if event.name == "CHANNEL_EXECUTE" and event.uuid != b"a"
    ]


def condition(inner: str, field: str = "destination_number", expression: str = "^42$") -> str:
    return f'<condition field="{field}" expression="{expression}">{inner}</condition>'


def extension(*conditions: str, more: str = "") -> str:
    return f'<extension name="x" {more}>{"".join(conditions)}</extension>'


def note(data: str) -> str:
    return f'<action application="set" data="note={data}"/>'


def notes(executed: list[tuple[str, str]]) -> list[str]:
    return [data.partition("=")[2] for application, data in executed if application == "set"]


@pytest.mark.parametrize(
    ("field", "expression", "matches"),
    [
        ("destination_number", "^42$", True),
        ("destination_number", "^4$", False),
        ("destination_number", "4", True),
        ("destination_number", "/^4.$/", True),
        ("Destination_Number", r"^\d+$", True),
        ("caller_id_name", "^Joe$", True),
        ("caller_id_name", "/^JOE$/i", True),
        ("caller_id_number", "^0123$", True),
        ("ani", "^0123$", True),
        ("context", "^default$", True),
        ("source", "^mod_loopback$", True),
        ("nosuchfield", "^$", True),
        ("${given}", "^yes$", True),
        ("${given}-${destination_number}", "^yes-42$", True),
        ("${nosuch}", "^yes$", False),
        ("given", "^yes$", False),
        ("${given}", "^${given}$", True),
        ("destination_number", "(", False),
    ],
)
def test_conditions(make_desk: MakeDesk, field: str, expression: str, matches: bool) -> None:
    xml = extension(condition(note("hit") + ANSWER, field, expression))
    assert notes(route(make_desk, xml, variables="given=yes")) == (["hit"] if matches else [])


def test_groups_go_into_the_data(make_desk: MakeDesk) -> None:
    actions = note("$2-$1-${1}-$3-$x") + ANSWER
    assert notes(route(make_desk, extension(condition(actions, expression="^(.)(.)$")))) == ["2-4-4--$x"]


def test_without_a_group_a_dollar_is_a_dollar(make_desk: MakeDesk) -> None:
    assert notes(route(make_desk, extension(condition(note("$1") + ANSWER)))) == ["$1"]


def test_data_are_expanded_when_the_action_runs(make_desk: MakeDesk) -> None:
    actions = '<action application="set" data="v=later"/>' + note("${v} ${caller_id_number} $${hostname}") + ANSWER
    hostname = make_desk().ask("global_getvar hostname")
    assert notes(route(make_desk, extension(condition(actions)))) == ["later", f"later 0123 {hostname}"]


def test_the_first_extension_that_matches_is_the_last(make_desk: MakeDesk) -> None:
    xml = extension(condition(note("one") + ANSWER)) + extension(condition(note("two")))
    assert notes(route(make_desk, xml)) == ["one"]


def test_all_conditions_must_hold(make_desk: MakeDesk) -> None:
    """Of an extension that does not match, what stands before the condition that fails is done."""
    xml = extension(condition(note("one")), condition(note("two"), "caller_id_name", "^Ann$"), condition(note("three")))
    assert notes(route(make_desk, xml + extension(condition(note("next") + ANSWER)))) == ["one", "next"]
    assert notes(route(make_desk, extension(condition(note("one")), condition(note("two") + ANSWER)))) == ["one", "two"]


def test_a_condition_without_field_holds(make_desk: MakeDesk) -> None:
    assert notes(route(make_desk, extension(f"<condition>{note('always')}{ANSWER}</condition>"))) == ["always"]


def test_an_extension_without_conditions_does_not_match(make_desk: MakeDesk) -> None:
    assert notes(route(make_desk, extension() + extension(condition(note("next") + ANSWER)))) == ["next"]


@pytest.mark.parametrize(
    ("xml", "what"),
    [
        (extension(condition(ANSWER), more='continue="true"'), "extension continue"),
        (extension(condition(ANSWER).replace("expression", 'break="never" expression')), "condition break"),
        (extension(f'<condition hour="9-18">{ANSWER}</condition>'), "condition hour"),
        (extension(f"<condition><regex/>{ANSWER}</condition>"), "regex"),
        (extension(condition(ANSWER + '<anti-action application="park"/>')), "anti-action"),
        (extension(condition(ANSWER + condition(ANSWER))), "condition"),
        (extension(condition(ANSWER.replace("answer", 'answer" inline="true'))), "action inline"),
    ],
)
def test_what_it_does_not_know_does_not_match_and_is_logged(
    simulated_desk: MakeSimulatedDesk, xml: str, what: str
) -> None:
    desk = simulated_desk(xml)
    assert desk.ask("originate loopback/42 &park") == "-ERR NO_ROUTE_DESTINATION\n"
    assert f"the simulated switch does not know <{what}>: [x] does not match" in desk.log()


# --- files --------------------------------------------------------------------------------------------------------


def write(conf_dir: Path, name: str, content: str) -> None:
    path = conf_dir / "dialplan" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def answering(number: str) -> str:
    return extension(condition(ANSWER, expression=f"^{number}$"))


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[SimulatedSwitch]:
    made = SimulatedSwitch(tmp_path, heartbeat=0, log_to=io.StringIO())
    yield made
    made.stop()


def originate(switch: SimulatedSwitch, where: str) -> str:
    answer = switch.execute("originate", f"loopback/{where} &park".encode()).output.decode()
    return answer[: len("+OK")] if answer.startswith("+OK") else answer


def test_a_context_is_a_file_and_a_folder(switch: SimulatedSwitch, tmp_path: Path) -> None:
    write(tmp_path, "one.xml", f'<include><context name="one">{answering("1")}</context></include>')
    write(tmp_path, "one/b.xml", f"<include>{answering('2')}</include>")
    write(tmp_path, "two.xml", f"<include>{answering('3')}</include>")
    write(tmp_path, "two/c.xml", answering("4"))
    for where in ("1/one", "2/one", "3/two", "4/two"):
        assert originate(switch, where) == "+OK", where
    for where in ("1/two", "3/one", "1"):
        assert originate(switch, where) == "-ERR NO_ROUTE_DESTINATION\n", where


def test_a_file_may_hold_other_contexts_which_are_not_this_one(switch: SimulatedSwitch, tmp_path: Path) -> None:
    both = f'<context name="a">{answering("1")}</context><context name="b">{answering("2")}</context>'
    write(tmp_path, "a.xml", f"<include>{both}</include>")
    assert originate(switch, "1/a") == "+OK"
    assert originate(switch, "2/a") == "-ERR NO_ROUTE_DESTINATION\n"


def test_a_file_that_changes_is_read_again(switch: SimulatedSwitch, tmp_path: Path) -> None:
    write(tmp_path, "default.xml", answering("1"))
    assert originate(switch, "1") == "+OK"
    write(tmp_path, "default.xml", answering("22"))
    assert originate(switch, "1") == "-ERR NO_ROUTE_DESTINATION\n"
    write(tmp_path, "default/new.xml", answering("1"))
    assert originate(switch, "1") == "+OK"


@pytest.mark.parametrize(
    "content",
    ["<include", '<!DOCTYPE c [<!ENTITY e "boom">]><include>&e;</include>'],
    ids=["broken", "entity"],
)
def test_a_file_that_cannot_be_used_is_no_route(tmp_path: Path, content: str) -> None:
    write(tmp_path, "bad.xml", content)
    switch = SimulatedSwitch(tmp_path, heartbeat=0, log_to=(log := io.StringIO()))
    assert originate(switch, "1/bad") == "-ERR NO_ROUTE_DESTINATION\n"
    switch.stop()
    assert "bad.xml: " in log.getvalue()


def test_contexts_do_not_lead_out_of_the_folder(switch: SimulatedSwitch, tmp_path: Path) -> None:
    write(tmp_path, "inside.xml", answering("1"))
    (tmp_path / "outside.xml").write_text(answering("1"))
    leg = switch.execute("originate", b"loopback/1/inside &park").output[4:].strip().decode()
    with switch.locate(leg) as session:
        assert session is not None
        session.transfer("1", "XML", "../outside")
        wait_until(session.has_hung_up)
        assert session.data().header(b"Hangup-Cause") == b"NO_ROUTE_DESTINATION"


def test_without_a_configuration_the_one_of_the_sources_is_used() -> None:
    switch = SimulatedSwitch(heartbeat=0, log_to=(log := io.StringIO()))
    try:
        # Answered by nobody here, as there is no application `erlang` without the node.
        assert originate(switch, "7501") == "-ERR DESTINATION_OUT_OF_ORDER\n"
        assert "Invalid Application erlang" in log.getvalue()
    finally:
        switch.stop()


# --- look-ups -----------------------------------------------------------------------------------------------------


def test_those_who_are_bound_are_asked_first(switch: SimulatedSwitch, tmp_path: Path) -> None:
    write(tmp_path, "default.xml", answering("1"))
    asked: list[Fetch] = []
    context = f'<context name="default">{answering("5")}</context>'
    document = f'<document><section name="dialplan">{context}</section></document>'
    answers: list[bytes | None] = [None, document.encode(), b"<broken", b"<document/>"]

    def answer(fetch: Fetch) -> bytes | None:
        asked.append(fetch)
        return answers[0]

    binding = switch.bind_xml(answer)
    assert originate(switch, "1") == "+OK"  # bound to nothing
    assert asked == []
    binding.want(Section.DIALPLAN)
    assert originate(switch, "1") == "+OK"
    (fetch,) = asked
    assert (fetch.section, fetch.tag, fetch.key, fetch.value) == ("dialplan", None, None, None)
    assert fetch.params is not None
    assert fetch.params.name == "REQUEST_PARAMS"
    assert fetch.params.header(b"Hunt-Destination-Number") == b"1"
    assert fetch.params.header(b"variable_direction") == b"inbound"
    answers.pop(0)
    assert originate(switch, "5") == "+OK"
    assert originate(switch, "1") == "-ERR NO_ROUTE_DESTINATION\n"
    for _ in range(2):
        answers.pop(0)
        assert originate(switch, "1") == "+OK"
    answers[0] = document.encode()
    binding.close()
    assert originate(switch, "1") == "+OK"


def test_settings_from_those_who_are_bound(switch: SimulatedSwitch) -> None:
    params = '<settings><param name="a" value="b"/></settings>'
    configuration = f'<configuration name="x.conf">{params}</configuration>'
    document = f'<document><section name="configuration">{configuration}</section></document>'
    asked: list[tuple[bytes | None, ...]] = []

    def answer(fetch: Fetch) -> bytes | None:
        asked.append((fetch.tag, fetch.key, fetch.value))
        return document.encode()

    binding = switch.bind_xml(answer)
    binding.want(Section.CONFIG)
    assert switch.settings("x.conf").params == [("a", "b")]
    assert asked == [(b"configuration", b"name", b"x.conf")]
    binding.close()
    assert switch.settings("x.conf") == Settings()


def test_closing_waits_for_look_ups_under_way(switch: SimulatedSwitch) -> None:
    begun, go, closed = threading.Event(), threading.Event(), threading.Event()

    def answer(_fetch: Fetch) -> bytes | None:
        begun.set()
        assert go.wait(WAIT)
        return None

    binding = switch.bind_xml(answer)
    binding.want(Section.CONFIG)
    looking = threading.Thread(target=switch.settings, args=("x.conf",))
    looking.start()
    assert begun.wait(WAIT)

    def close() -> None:
        binding.close()
        closed.set()

    closing = threading.Thread(target=close)
    closing.start()
    assert not closed.wait(0.05)
    go.set()
    assert closed.wait(WAIT)
    looking.join(WAIT)
    closing.join(WAIT)
