"""The dialplan of the simulated switch: which actions a call gets, and from which files."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mod_erlang_py.switch.port import Fetch, Section
from mod_erlang_py.switch.simulated import SimulatedSwitch
from tests.switch.simulated_calls import WAIT, Desk, text

ANSWER = '<action application="answer"/><action application="park"/>'


def route(folder: Path, extensions: str, number: str = "42", variables: str = "") -> list[tuple[str, str]]:
    """What a call to that number executes: (application, data), until it parks or ends."""
    desk = Desk(folder, extensions)
    try:
        desk.ask(f"originate {{origination_uuid=a,{variables}}}loopback/{number} &park XML default Joe 0123")
        desk.ask("hupall")
        desk.all_gone()
        while (event := desk.source.pop(0)) is not None:
            desk.events.append(event)
        return [
            (text(event, "Application") or "", text(event, "Application-Data") or "")
            for event in desk.events
            if event.name == "CHANNEL_EXECUTE" and event.uuid != b"a"
        ]
    finally:
        desk.close()


def condition(inner: str, field: str = "destination_number", expression: str = "^42$", more: str = "") -> str:
    return f'<condition field="{field}" expression="{expression}" {more}>{inner}</condition>'


def extension(*conditions: str, more: str = "") -> str:
    return f'<extension name="x" {more}>{"".join(conditions)}</extension>'


def note(data: str, kind: str = "action", more: str = "") -> str:
    return f'<{kind} application="set" data="note={data}" {more}/>'


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
def test_conditions(tmp_path: Path, field: str, expression: str, matches: bool) -> None:
    xml = extension(condition(note("hit") + ANSWER, field, expression))
    assert notes(route(tmp_path, xml, variables="given=yes")) == (["hit"] if matches else [])


def test_groups_go_into_the_data(tmp_path: Path) -> None:
    actions = note("$2-$1-${1}-$3-$x") + ANSWER
    assert notes(route(tmp_path, extension(condition(actions, expression="^(.)(.)$")))) == ["2-4-4--$x"]


def test_without_a_group_a_dollar_is_a_dollar(tmp_path: Path) -> None:
    assert notes(route(tmp_path, extension(condition(note("$1") + ANSWER)))) == ["$1"]


def test_data_are_expanded_when_the_action_runs(tmp_path: Path) -> None:
    actions = (
        '<action application="set" data="v=later"/>'
        + note("${v} ${caller_id_number} ${toupper(up)} $${hostname}")
        + ANSWER
    )
    switch = SimulatedSwitch()
    hostname = switch.hostname()
    switch.stop()
    assert notes(route(tmp_path, extension(condition(actions)))) == ["later", f"later 0123 UP {hostname}"]


def test_the_first_extension_that_matches_is_the_last(tmp_path: Path) -> None:
    xml = extension(condition(note("one") + ANSWER)) + extension(condition(note("two")))
    assert notes(route(tmp_path, xml)) == ["one"]


def test_unless_it_goes_on(tmp_path: Path) -> None:
    xml = extension(condition(note("one")), more='continue="true"') + extension(condition(note("two") + ANSWER))
    assert notes(route(tmp_path, xml)) == ["one", "two"]


def test_a_condition_without_field_holds(tmp_path: Path) -> None:
    assert notes(route(tmp_path, extension(f"<condition>{note('always')}{ANSWER}</condition>"))) == ["always"]


def test_the_expression_and_the_data_may_be_elements_texts(tmp_path: Path) -> None:
    xml = (
        '<extension name="x"><condition field="destination_number"><expression><![CDATA[^42$]]></expression>'
        '<action application="set"><![CDATA[note=<&>]]></action>' + ANSWER + "</condition></extension>"
    )
    assert notes(route(tmp_path, xml)) == ["<&>"]


FAILS = "^nothing$"


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (("^42$", ""), ["first", "second"]),
        (("^42$", 'break="on-false"'), ["first", "second"]),
        (("^42$", 'break="on-true"'), ["first"]),
        (("^42$", 'break="always"'), ["first"]),
        (("^42$", 'break="never"'), ["first", "second"]),
        ((FAILS, ""), []),
        ((FAILS, 'break="on-true"'), ["second"]),
        ((FAILS, 'break="always"'), []),
        ((FAILS, 'break="never"'), ["second"]),
        (("^42$", 'break="nonsense"'), ["first", "second"]),
    ],
)
def test_break(tmp_path: Path, first: tuple[str, str], expected: list[str]) -> None:
    expression, more = first
    xml = extension(
        condition(note("first"), expression=expression, more=more), f"<condition>{note('second')}</condition>"
    )
    assert notes(route(tmp_path, xml)) == expected


def test_anti_actions(tmp_path: Path) -> None:
    xml = extension(condition(note("yes") + note("no $1", "anti-action"), expression="^(nothing)$"))
    assert notes(route(tmp_path, xml + extension(condition(note("next"))))) == ["no $1"]


@pytest.mark.parametrize(
    ("inner", "more", "expected"),
    [
        ("^Joe$", "", ["outer", "inner", "after"]),
        (FAILS, "", ["outer"]),
        (FAILS, 'break="never"', ["outer", "after"]),
        (FAILS, 'require-nested="false"', ["outer", "after"]),
    ],
)
def test_nested_conditions(tmp_path: Path, inner: str, more: str, expected: list[str]) -> None:
    nested = condition(note("inner"), "caller_id_name", inner)
    xml = extension(condition(note("outer") + nested, more=more), f"<condition>{note('after')}</condition>")
    assert notes(route(tmp_path, xml)) == expected


def test_inline_actions_run_before_the_next_condition_is_read(tmp_path: Path) -> None:
    xml = extension(
        condition('<action application="set" data="seen=yes" inline="true"/>'),
        condition(note("${seen}"), "${seen}", "^yes$"),
    )
    assert notes(route(tmp_path, xml)) == ["yes", "yes"]


def test_not_every_application_runs_inline(tmp_path: Path) -> None:
    desk = Desk(tmp_path, extension(condition('<action application="sleep" data="1" inline="true"/>' + ANSWER)))
    uuid = desk.call("loopback/42 &park")
    desk.ask(f"uuid_kill {uuid}")
    desk.all_gone()
    assert "This application cannot be executed inline" in desk.console.getvalue()
    desk.close()


def test_loops(tmp_path: Path) -> None:
    assert notes(route(tmp_path, extension(condition(note("x", more='loop="3"') + note("y", more='loop="0"'))))) == [
        "x",
        "x",
        "x",
    ]


@pytest.mark.parametrize("unknown", ['hour="9-18"', 'regex="any"'])
def test_what_it_does_not_know_does_not_hold_and_is_logged(tmp_path: Path, unknown: str) -> None:
    desk = Desk(tmp_path, extension(f"<condition {unknown}>{ANSWER}</condition>"))
    assert desk.ask("originate loopback/42 &park") == "-ERR NO_ROUTE_DESTINATION\n"
    desk.close()
    assert "[WARNING]" in desk.console.getvalue()
    assert "does not know conditions on" in desk.console.getvalue()


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
    desk = Desk(tmp_path)
    write(tmp_path, "bad.xml", content)
    assert desk.ask("originate loopback/1/bad &park") == "-ERR NO_ROUTE_DESTINATION\n"
    desk.close()
    assert "bad.xml: " in desk.console.getvalue()


def test_contexts_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "outside.xml").write_text(answering("1"))
    leg = desk.other(desk.call())
    desk.next("CHANNEL_PARK", leg)
    assert desk.ask(f"uuid_transfer {leg} 1 XML ../outside") == "+OK\n"
    assert text(desk.next("CHANNEL_HANGUP", leg), "Hangup-Cause") == "NO_ROUTE_DESTINATION"
    desk.close()


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
    assert switch.settings("x.conf") == [("a", "b")]
    assert asked == [(b"configuration", b"name", b"x.conf")]
    binding.close()
    assert switch.settings("x.conf") == []


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
