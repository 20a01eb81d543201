"""The reference pages of docs/, done step by step, their tables against the code, and their links."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from mod_erlang_py.config import limits, reload
from mod_erlang_py.config import settings as config
from mod_erlang_py.config.rights import NAMES, Family
from mod_erlang_py.config.settings import Config, field_of, values_of
from mod_erlang_py.console import _COMMANDS
from mod_erlang_py.console.printout import USAGE
from mod_erlang_py.etf import Atom
from mod_erlang_py.requests import registry
from mod_erlang_py.requests.rights import INDIRECT
from mod_erlang_py.switch.simulated.calls import applications
from mod_erlang_py.switch.simulated.calls.dialplan import files
from mod_erlang_py.switch.simulated.commands import built_in
from scripts.install import ROOT
from tests.conftest import FreeSwitchHost, RunningNode, StartErl, StartNode
from tests.console.standing import Standing
from tests.figures.test_prometheus import exported, samples
from tests.pages import steps
from tests.peers.reader import Reader
from tests.peers.test_console import conf_dir, reachable
from tests.waiting import wait_until

DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]

Read = Callable[..., None]


# --- every command and term ---------------------------------------------------------------------------------------


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    """read(page, node): do what the page says on the machine of that node. here: besides the usual names -> ours."""
    readers: list[Reader] = []

    def read(page: str, node: RunningNode, **here: str) -> None:
        folder = tmp_path / "reader"
        folder.mkdir()
        names = {"/etc/freeswitch": str(conf_dir(node)), "8031": str(node.port), "4369": str(node.epmd_port)}
        names |= {"/var/log/freeswitch": str(conf_dir(node).parent / "log")}
        path = f"{_tools(tmp_path / 'tools', node)}:{os.environ['PATH']}"
        reader = Reader(node.api, folder, names | here, {"ERL_EPMD_PORT": str(node.epmd_port), "PATH": path})
        readers.append(reader)
        for step in steps(DOCS / page):
            reader.do(step)
        assert "Traceback" not in node.log()

    yield read
    for reader in readers:
        reader.close()


def _tools(folder: Path, node: RunningNode) -> Path:
    """What an operator has in his PATH."""
    folder.mkdir()
    if isinstance(node.host, FreeSwitchHost):
        switch = node.host.switch
        script = ROOT / "scripts" / "erlang_py_doctor"
        doctor = f"exec {shlex.join([str(script), '--fs-cli', *switch.fs_cli_command('')])}"
        folders = ["--conf-dir", str(switch.conf_dir), "--script-dir", str(switch.script_dir)]
        command = [sys.executable, "-m", "scripts.install", "--python", switch.found.python, *folders]
        install = f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(command)}"
        certs = f'exec {shutil.which("make")} --silent -C {shlex.quote(str(ROOT))} "$@"'
        make = f'if [ "$1" = certs ]; then {certs}; fi\n{install}'
        for name, line in (("erlang_py_doctor", doctor), ("make", make)):
            file = folder / name
            file.write_text(f"#!/bin/sh\n{line}\n")
            file.chmod(0o755)
    return folder


@pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
def test_messages(kind: str, start_node: StartNode, read: Read) -> None:
    read("messages.md", start_node(kind))


def test_the_simulated_switch(start_node: StartNode, read: Read) -> None:
    read("simulated.md", start_node("simulated"))


@pytest.mark.freeswitch
@pytest.mark.parametrize("page", ["cluster.md", "console.md", "settings.md", "security.md", "troubleshooting.md"])
def test_page(page: str, start_node: StartNode, read: Read) -> None:
    read(page, start_node("freeswitch"))


@pytest.mark.freeswitch
def test_tls(start_node: StartNode, free_port: Callable[[], int], read: Read) -> None:
    read("tls.md", start_node("freeswitch"), **{"8032": str(free_port())})


@pytest.mark.freeswitch
def test_moving(start_node: StartNode, read: Read) -> None:
    """From mod_erlang_event to ours, and back."""
    read("moving.md", start_node("mod_erlang_event"))


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_metrics(start_node: StartNode, erl: StartErl, free_port: Callable[[], int], read: Read) -> None:
    port = free_port()
    node = start_node("simulated", prometheus_listen_port=str(port))
    peer = erl(node, name="calls")
    assert peer.request(node.name, "getpid").startswith("{ok,")
    wait_until(lambda: reachable(port))
    read("metrics.md", node, **{"9283": str(port)})


# --- tables against the code --------------------------------------------------------------------------------------


def rows(page: str, *header: str) -> list[list[str]]:
    """The rows of all tables of the page that have this header, cell by cell."""
    found: list[list[str]] = []
    inside = False
    for line in (DOCS / page).read_text().splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells == list(header):
            inside = True
        elif not cells:
            inside = False
        elif inside and set(cells[0]) != {"-"}:
            found.append(cells)
    return found


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def shown(name: str) -> str:
    """A setting's default, as the page has it."""
    if name == "cookie":
        return config.DEFAULT_COOKIE
    if name == "allow":
        return " ".join(Config().rights.names())
    if name in ("cookie-file", "allow-api", "deny-api", "tls-passphrase"):
        return "none"
    return reload._shown(name, values_of(Config())[field_of(name)])


def test_settings_are_those_of_the_code() -> None:
    table = rows("settings.md", "name", "default", "values", "from", "reload", "meaning")
    names = [name for (name,) in (code(cell) for cell, *_ in table)]
    assert [name for name in names if name not in NAMES] == [
        one for one in config._PARSERS if one not in limits.PARSERS
    ]
    assert [name for name in names if name in NAMES] == list(NAMES)
    for cell, default, _, origin, changeable, _ in table:
        (name,) = code(cell)
        assert code(default) == [shown(name)], name
        assert (changeable == "yes") is (field_of(name) in reload.CHANGEABLE), name
        assert origin in ("C", "ours"), name


def test_limits_are_those_of_the_code() -> None:
    table = rows("settings.md", "limit", "default", "values", "of what, and why", "beyond")
    assert [code(name) for name, *_ in table] == [[name] for name in limits.PARSERS]
    for cell, default, values, *_ in table:
        (name,) = code(cell)
        assert code(default) == [shown(name)], name
        with pytest.raises(ValueError, match="a whole number") as raised:
            limits.PARSERS[name]("none")
        assert str(raised.value) == f"a whole number from {values.replace('2^40', str(2**40))}", name
    bounds = rows("security.md", "", "at most", "beyond")
    assert {*limits.PARSERS} <= {name for _, most, _ in bounds for name in code(most)}


def arity(term: str) -> tuple[str, int]:
    """`{api, Cmd, Args}` -> api, 3; `getpid` -> getpid, 0."""
    if not term.startswith("{"):
        return term, 0
    elements, depth = [""], 0
    for character in term[1:-1]:
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(character, 0)
        if character == "," and not depth:
            elements.append("")
        else:
            elements[-1] += character
    return elements[0].strip().strip("'"), len(elements)


def test_messages_are_those_of_the_code() -> None:
    """Every tag with each of its arities. An arity of 1 is there only to be refused. Ref and Pid are no tags."""
    terms = [term for sent, *_ in rows("messages.md", "sent", "answered") for term in code(sent)]
    asked = {arity(term) for term in terms if not term.startswith(("{Ref,", "{Pid,"))}
    for tag, elements in asked:
        term = tuple(Atom(word) for word in [tag] + ["x"] * (elements - 1)) if elements else Atom(tag)
        assert registry.find(term) is not None, (tag, elements)
    assert {tag for tag, _ in asked} == {tag for tag, _ in registry._exact}
    assert {one for one in registry._exact if one[1] != 1} <= asked


def test_families_are_those_of_the_code() -> None:
    """Each with its messages; those that begin with session_ are said to."""
    table = rows("security.md", "family", "messages", "whoever has it")
    assert [code(name) for name, *_ in table] == [[family.value] for family in Family]
    for cell, messages, _ in table:
        (family,) = code(cell)
        tags = {
            tag
            for (tag, _), entry in registry._exact.items()
            if isinstance(entry, registry.Entry) and entry.family is Family(family)
        }
        said = set(code(messages))
        assert said == {"session_" if tag.startswith("session_") else tag for tag in tags}


def test_commands_that_run_others_are_those_of_the_code() -> None:
    page = (DOCS / "security.md").read_text()
    _, _, listed = page.partition("without a wildcard: ")
    assert set(code(listed.partition(". What")[0])) == INDIRECT | {"json_api"}


def test_commands_are_those_of_the_console() -> None:
    commands = [line for line in USAGE.splitlines() if line.startswith("erlang ")]
    assert [code(cell) for cell, _ in rows("console.md", "command", "")] == [[line] for line in commands]
    assert {line.split()[1] for line in commands} == set(_COMMANDS)


def test_the_simulated_switch_has_what_its_page_says() -> None:
    for what, has in (("application", applications.names()), ("command", sorted(built_in()))):
        assert [code(cell) for cell, _ in rows("simulated.md", what, "")] == [[name] for name in has]
    table = rows("simulated.md", "element", "attributes", "")
    assert {code(element)[0]: set(code(attributes)) for element, attributes, _ in table} == {
        element: attributes for element, (attributes, _) in files.KNOWN.items()
    }


def test_metrics_are_those_exported(tmp_path: Path) -> None:
    standing = Standing(tmp_path)
    standing.link()
    labels = {name: {label for label, _ in pairs} for name, pairs in samples(exported(standing))}
    table = rows("metrics.md", "name", "labels", "")
    assert {code(name)[0]: set(code(of)) for name, of, _ in table} == labels


# --- links --------------------------------------------------------------------------------------------------------

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_tables(page: Path) -> None:
    """As GitHub renders them: a header, a line of dashes, rows of as many cells, ended by what is no row."""
    width = 0
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines):
        if not line.strip().startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        if not width:
            following = lines[number + 1] if number + 1 < len(lines) else ""
            assert re.fullmatch(r"\s*\|(\s*:?-+:?\s*\|)+", following), f"{page.name}:{number + 1}: no header of a table"
            width = cells
        assert cells == width, f"{page.name}:{number + 1}"
