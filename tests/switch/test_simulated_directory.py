"""Users: from files, in the simulated switch and in a real one; and from those who are bound to the directory."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from mod_erlang_py.switch.port import Fetch, Section
from mod_erlang_py.switch.simulated import SimulatedSwitch
from tests.switch.conftest import Directory

DOMAIN = (
    '<domain name="example.com">'
    '<params><param name="dp" value="d"/><param name="password" value="no"/></params>'
    '<variables><variable name="dv" value="1"/></variables>'
    '<groups><group name="g"><params><param name="gp" value="&#xE4;&lt;&quot;"/><param name="dp" value="g"/></params>'
    '<users><user id="7" number-alias="77"><params><param name="Password" value="seven"/></params>'
    '<gateways><gateway name="x">text &amp; more</gateway></gateways></user></users></group></groups>'
    '<users><user id="8"><variables><variable name="a" value="1"/><variable name="A" value="2"/></variables></user>'
    '<user id="9" type="pointer"/></users></domain>'
)
SEVEN = """
<user id="7" number-alias="77" domain-name="example.com">
  <params>
    <param name="Password" value="seven"/>
    <param name="gp" value="&#xE4;&lt;&quot;"/>
    <param name="dp" value="g"/>
  </params>
  <gateways><gateway name="x">text &amp; more</gateway></gateways>
  <variables><variable name="dv" value="1"/></variables>
  <profile-variables/>
</user>
"""
ANSWERS = [
    ("user_exists id 7 example.com", "true"),
    ("user_exists id 7 EXAMPLE.com", "true"),
    ("user_exists id 77 example.com", "true"),
    ("user_exists number-alias 77 example.com", "true"),
    ("user_exists nosuch:id 7 example.com", "true"),
    ("user_exists id 8 example.com", "true"),
    ("user_exists id 9 example.com", "true"),
    ("user_exists nosuch 7 example.com", "false"),
    ("user_exists '' 7 example.com", "false"),
    ("user_exists id 10 example.com", "false"),
    ("user_exists id 7 example.org", "false"),
    ("user_exists id 7", "false"),
    ("user_exists", "false"),
    ("find_user_xml id 10 example.com", "-ERR can't find user\n"),
    ("find_user_xml id 7", "-ERR bad args\n"),
    ("find_user_xml", "-ERR bad args\n"),
    ("user_data 7@example.com param password", "seven"),
    ("user_data 7@example.com anything password", "seven"),
    ("user_data 77@example.com param dp", "g"),
    ("user_data 8@example.com param DP", "d"),
    ("user_data 8@example.com param password", "no"),
    ("user_data 7@example.com param gp", 'ä<"'),
    ("user_data 7@example.com param nosuch", ""),
    ("user_data 7@example.com var dv", "1"),
    ("user_data 7@example.com var password", ""),
    ("user_data 8@example.com var a", "2"),
    ("user_data 7@example.com attr domain-name", "example.com"),
    ("user_data 77@example.com attr id", "7"),
    ("user_data 7@example.com attr nosuch", ""),
    ("user_data 7@example.com attr ''", ""),
    ("user_data 10@example.com attr id", ""),
    ("user_data 7@example.com param", ""),
    ("user_data", ""),
]


def ask(switch: SimulatedSwitch, line: str) -> str:
    name, _, argument = line.partition(" ")
    result = switch.execute(name, argument.encode())
    assert result.found
    assert result.success
    return result.output.decode()


class Bound:
    """One who is bound to the directory, and answers with this; what it was asked."""

    def __init__(self, switch: SimulatedSwitch, text: str | None) -> None:
        self.text = text
        self.asked: list[Fetch] = []
        self.binding = switch.bind_xml(self._answer)
        self.binding.want(Section.DIRECTORY)

    def _answer(self, fetch: Fetch) -> bytes | None:
        self.asked.append(fetch)
        return None if self.text is None else self.text.encode()


def document(domain: str, section: str = "directory") -> str:
    return f'<document type="freeswitch/xml"><section name="{section}">{domain}</section></document>'


Make = Callable[..., SimulatedSwitch]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A switch with these files in its directory/."""

    def switch(**files: str) -> SimulatedSwitch:
        (tmp_path / "directory").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "directory" / f"{name}.xml").write_text(text)
        return SimulatedSwitch(tmp_path, log_to=io.StringIO())

    return switch


@pytest.mark.parametrize(("line", "answer"), ANSWERS)
def test_from_those_who_are_bound(make: Make, line: str, answer: str) -> None:
    switch = make()
    Bound(switch, document(DOMAIN))
    assert ask(switch, line) == answer


def test_from_files(directory: Directory) -> None:
    asking = directory(DOMAIN)
    assert [(line, asking(line)) for line, _ in ANSWERS] == ANSWERS


def domain(inside: str) -> str:
    return f'<domain name="example.com">{inside}</domain>'


@pytest.mark.parametrize(
    "inside",
    [
        '<user id="7"/>',
        '<users><user id="7"/></users>',
        '<groups><group name="a"/><group name="b"><users><user id="6"/><user id="7"/></users></group></groups>',
        '<groups><group><users><user id="6"/></users></group></groups><users><user id="7"/></users>',
    ],
)
def test_where_users_may_lie(directory: Directory, inside: str) -> None:
    asking = directory(domain(inside))
    assert asking("user_data 7@example.com attr id") == "7"
    assert asking("user_exists id 5 example.com") == "false"


def test_users_beside_a_users_element_do_not_count(directory: Directory) -> None:
    asking = directory(domain('<users/><user id="7"/><users><user id="7"/></users>'))
    assert asking("user_exists id 7 example.com") == "false"


def test_one_of_another_type_is_whoever_is_looked_for(directory: Directory) -> None:
    """As in FreeSWITCH, whose comparison is an "or"."""
    assert directory(domain('<user id="7" type="any"/>'))("user_exists id 8 example.com") == "true"


def test_what_a_user_is_merged_with(directory: Directory) -> None:
    """Which blanks there are between the elements, and in which order they come, is FreeSWITCH's secret."""
    assert shape(directory(DOMAIN)("find_user_xml id 7 example.com")) == shape(SEVEN)


def test_a_user_with_nothing_of_its_own(directory: Directory) -> None:
    params = '<params><param name="a" value="&lt;&#xE4;"/></params>'
    assert directory(domain(f'{params}<user id="7"/>'))("find_user_xml id 7 example.com") == (
        '<user id="7" domain-name="example.com">\n  <params>\n    <param name="a" value="&lt;&#xE4;"></param>\n'
        "  </params>\n  <variables></variables>\n  <profile-variables></profile-variables>\n</user>\n"
    )


def test_a_user_without_a_domain(directory: Directory) -> None:
    user = '<user id="7"><params><param name="password" value="seven"/></params></user>'
    asking = directory(f'<domain name="freeswitch.local">{user}</domain>')
    assert asking("user_data 7 param password") == "seven"


def shape(xml: str) -> object:
    def of(element: etree._Element) -> tuple[object, ...]:
        children = sorted(map(of, element), key=repr)
        return str(element.tag), dict(element.items()), (element.text or "").strip(), children

    return of(etree.fromstring(xml))


@pytest.mark.parametrize(
    ("line", "params"),
    [
        ("user_exists id 7 example.com", [(b"key", b"id"), (b"user", b"7"), (b"domain", b"example.com")]),
        (
            "user_data 7@example.com param password",
            [(b"type", b"param"), (b"key", b"id"), (b"user", b"7"), (b"domain", b"example.com")],
        ),
    ],
)
def test_the_look_up(make: Make, line: str, params: list[tuple[bytes, bytes]]) -> None:
    switch = make()
    bound = Bound(switch, document(DOMAIN))
    ask(switch, line)
    (fetch,) = bound.asked
    assert (fetch.section, fetch.tag, fetch.key, fetch.value) == ("directory", b"domain", b"name", b"example.com")
    assert fetch.params is not None
    assert fetch.params.header(b"Event-Name") == b"REQUEST_PARAMS"
    assert list(fetch.params.headers)[-len(params) :] == params


def test_a_look_up_for_each_key(make: Make) -> None:
    switch = make()
    bound = Bound(switch, None)
    assert ask(switch, "user_data 7@example.com param password") == ""
    keys = [fetch.params.header(b"key") for fetch in bound.asked if fetch.params is not None]
    assert keys == [b"id", b"number-alias"]


def test_who_is_bound_goes_before_the_files(make: Make) -> None:
    user = '<user id="7"><params><param name="password" value="file"/></params></user>'
    switch = make(default=f'<domain name="example.com">{user}</domain>')
    assert ask(switch, "user_data 7@example.com param password") == "file"
    bound = Bound(switch, document(DOMAIN))
    assert ask(switch, "user_data 7@example.com param password") == "seven"
    for text in (None, "<user", document(DOMAIN, "dialplan"), document(DOMAIN.replace("example.com", "other.com"))):
        bound.text = text
        assert ask(switch, "user_data 7@example.com param password") == "file"
    bound.text = document('<domain name="example.com"/>')  # it knows the domain, and no such user
    assert ask(switch, "user_exists id 7 example.com") == "false"
    bound.binding.close()
    assert ask(switch, "user_data 7@example.com param password") == "file"


def test_files(make: Make, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    switch = make(
        a='<domain name="$${local_ip_v4}.com"><user id="$${local_ip_v4}7"/></domain>',
        b="<domain",
        c=f'<!DOCTYPE d [<!ENTITY e SYSTEM "{secret}">]><domain name="c.com"><user id="7" a="&e;">&e;</user></domain>',
        d=document('<domain name="d.com"><user id="7"/></domain>'),
    )
    address = ask(switch, "global_getvar local_ip_v4")
    assert ask(switch, f"user_exists id {address}7 {address}.com") == "true"
    assert ask(switch, "user_exists id 7 c.com") == "false"
    assert ask(switch, "user_exists id 7 d.com") == "true"
    (tmp_path / "directory" / "d.xml").write_text('<domain name="d.com"><user id="8"/></domain>')
    assert ask(switch, "reloadxml") == "+OK [Success]\n"
    assert ask(switch, "user_exists id 7 d.com") == "false"
    assert ask(switch, "user_exists id 8 d.com") == "true"


def test_without_a_directory(tmp_path: Path) -> None:
    for switch in (SimulatedSwitch(log_to=io.StringIO()), SimulatedSwitch(tmp_path, log_to=io.StringIO())):
        assert ask(switch, "user_exists id 7 example.com") == "false"


def test_the_xml_of_a_user_is_xml(make: Make) -> None:
    switch = make()
    Bound(
        switch, document('<domain name="x"><user id="7" a="&lt;&amp;&#10;&#9;&quot;€">ä<b> <c/> </b></user></domain>')
    )
    found = etree.fromstring(ask(switch, "find_user_xml id 7 x"))
    assert found.get("a") == '<&\n\t"€'
    assert [child.tag for child in found] == ["b", "params", "variables", "profile-variables"]
