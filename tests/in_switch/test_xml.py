"""Look-ups, answered from Python, and configurations."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from mod_erlang_py.config.settings import Config
from mod_erlang_py.switch.freeswitch import FreeSwitch
from mod_erlang_py.switch.port import Fetch, LogLine, Section, Settings, XmlBinding
from mod_erlang_py.xml.limits import Limits
from tests.in_switch.conftest import end_of_log

USER = b"""<document type="freeswitch/xml"><section name="directory"><domain name="example.com">
<user id="1000"/></domain></section></document>"""


CONFIG = Config()
SECONDS = 4
"""Of CPU, for the worst document; one on a machine that has nothing else to do."""


class Answers:
    def __init__(self) -> None:
        self.asked: list[Fetch] = []
        self.answer: bytes | None = USER
        self.fails = False

    def __call__(self, fetch: Fetch) -> bytes | None:
        self.asked.append(fetch)
        if self.fails:
            raise RuntimeError("as it was told to")
        return self.answer


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def binding(switch: FreeSwitch, answers: Answers) -> Iterator[XmlBinding]:
    binding = switch.bind_xml(answers)
    yield binding
    binding.close()


def look_up(switch: FreeSwitch, section: str = "directory", value: str = "example.com") -> bytes:
    return switch.execute("xml_locate", f"{section} domain name {value}".encode()).output


def test_asked_for_the_sections_that_are_wanted(switch: FreeSwitch, answers: Answers, binding: XmlBinding) -> None:
    look_up(switch)
    assert answers.asked == []
    binding.want(Section.DIRECTORY | Section.DIALPLAN)
    assert b'<user id="1000"' in look_up(switch)
    (fetch,) = answers.asked
    assert (fetch.section, fetch.tag, fetch.key, fetch.value) == ("directory", b"domain", b"name", b"example.com")
    look_up(switch, "configuration")
    binding.want(Section(0))
    look_up(switch)
    assert len(answers.asked) == 1


def test_parameters(switch: FreeSwitch, answers: Answers, binding: XmlBinding) -> None:
    binding.want(Section.DIRECTORY)
    assert switch.execute("user_exists", b"id 1000 example.com").output == b"true"
    params = answers.asked[-1].params
    assert params is not None
    assert params.name == "REQUEST_PARAMS"
    assert params.header(b"user") == b"1000"


@pytest.mark.parametrize("answer", [None, b"", b"no XML", b"<document>", b"\xff" * 1000, b"<a>" * 5000])
def test_no_answer(switch: FreeSwitch, answers: Answers, binding: XmlBinding, answer: bytes | None) -> None:
    """Or none that is one: the switch looks on."""
    binding.want(Section.DIRECTORY)
    answers.answer = answer
    assert b"1000" not in look_up(switch)
    answers.answer = USER
    assert b"1000" in look_up(switch)


def test_an_answer_that_fails(switch: FreeSwitch, answers: Answers, binding: XmlBinding) -> None:
    binding.want(Section.DIRECTORY)
    answers.fails = True
    assert b"1000" not in look_up(switch)
    assert len(answers.asked) == 1


def test_closed(switch: FreeSwitch, answers: Answers) -> None:
    binding = switch.bind_xml(answers)
    binding.want(Section.DIRECTORY)
    binding.close()
    look_up(switch)
    assert answers.asked == []


def test_bound_again_and_again(switch: FreeSwitch, answers: Answers) -> None:
    """Each binding has its own answers, and no callbacks stay behind."""
    switch.bind_xml(answers).close()
    gc.collect()
    before = sum(type(one).__name__ == "CFunctionType" for one in gc.get_objects())
    for _ in range(50):
        mine = Answers()
        binding = switch.bind_xml(mine)
        binding.want(Section.DIRECTORY)
        look_up(switch)
        assert len(mine.asked) == 1
        binding.close()
    gc.collect()
    assert sum(type(one).__name__ == "CFunctionType" for one in gc.get_objects()) == before


LENGTH, ALL, ONE, REFERENCES = (
    CONFIG.max_xml_bytes - 1000,
    CONFIG.max_xml_elements,
    CONFIG.max_xml_siblings - 1,
    CONFIG.max_xml_entities,
)


def in_piles(one: bytes) -> bytes:
    """As many as there may be, each with a number."""
    return (b"<a>" + b"".join(one % number for number in range(ONE)) + b"</a>") * (ALL // ONE - 1)


WORST = {
    "siblings": in_piles(b"<x%d/>"),
    "instructions": in_piles(b"<?a %d?>"),
    "comments": in_piles(b"<!--%d-->x"),
    "sections": in_piles(b"<![CDATA[%d]]>"),
    "entities": b"&lt;" * REFERENCES + b"x" * (LENGTH - 4 * REFERENCES),
    "line ends": b"\r\n" * REFERENCES + b"x" * (LENGTH - 4 * REFERENCES),
    "text": (b"x" * (LENGTH // ONE - 4) + b"<x/>") * ONE,
    "attributes": b"<x " + b" a=''" * (LENGTH // 5) + b"/>",
}


@pytest.mark.parametrize("kind", WORST)
def test_the_most_that_an_answer_may_be(switch: FreeSwitch, kind: str) -> None:
    """The switch's parser can bear it: with twice as many siblings, or references, it takes four times as long."""
    text = b"<document>" + WORST[kind] + b"</document>"
    limits = Limits(CONFIG.max_xml_bytes, CONFIG.max_xml_elements, CONFIG.max_xml_siblings, CONFIG.max_xml_entities)
    limits.check_length(text)
    limits.check(text)
    began = time.thread_time()
    assert switch.xml_error(text) is None
    assert time.thread_time() - began < SECONDS


def test_settings(switch: FreeSwitch) -> None:
    settings = dict(switch.settings("event_socket.conf").params)
    assert settings["listen-ip"] == "127.0.0.1"
    assert switch.settings("no_such.conf") == Settings()
    assert switch.settings("acl.conf").params == []


def test_a_configuration_of_ones_own(switch: FreeSwitch, answers: Answers, binding: XmlBinding) -> None:
    """One that comes from a look-up is read as any other."""
    answers.answer = (
        b'<document type="freeswitch/xml"><section name="configuration"><configuration name="mine.conf"><settings>'
        b'<param name="a" value="1 &amp; 2"/><param name="b"/></settings><nodes><node name="one@host">'
        b'<param name="cookie" value="x"/></node><node name="two@*"/></nodes></configuration></section></document>'
    )
    binding.want(Section.CONFIG)
    assert switch.settings("mine.conf") == (
        [("a", "1 & 2"), ("b", "")],
        [("one@host", [("cookie", "x")]), ("two@*", [])],
    )


def test_the_log_says_nothing_of_the_usual(switch: FreeSwitch, binding: XmlBinding, log_lines: list[LogLine]) -> None:
    binding.want(Section.DIRECTORY)
    look_up(switch)
    end_of_log(log_lines)
    assert [line.text for line in log_lines if b"look-up" in line.text] == []
