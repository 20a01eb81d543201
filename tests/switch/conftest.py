"""The switches that the tests of the simulated one ask: itself, and a real FreeSWITCH, to hold it against.

    make_desk        make_desk(extensions): a switch where calls are made, once for each kind; ends with the test
    simulated_desk   the same, of the simulated switch only
    ask              what an API command prints, once for each kind: ask("echo hello")
    directory        directory(XML): the same of a switch that has these domains
    freeswitch       a real one, shared by all; without anything of ours in it

What cannot be asked of a FreeSWITCH from outside (the port's sessions, look-ups, log listeners) is asked in it, by
tests/in_switch.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mod_erlang_py.switch.port import Application
from mod_erlang_py.switch.simulated import SimulatedSwitch
from scripts.scratch import FreeSwitch, ScratchFreeSwitch, find_freeswitch, free_port
from tests.switch.desks import Desk, FreeSwitchDesk, SimulatedDesk
from tests.switch.event_socket import EventSocket

KINDS = ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)]

DIRECTORY = '<section name="directory">\n<X-PRE-PROCESS cmd="include" data="directory/*.xml"/>\n</section>'

Ask = Callable[[str], str]
Directory = Callable[[str], Ask]
MakeDesk = Callable[..., Desk]
MakeSimulatedDesk = Callable[..., SimulatedDesk]


@pytest.fixture(scope="session")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScratchFreeSwitch]:
    found = find_freeswitch()
    if not isinstance(found, FreeSwitch):
        pytest.skip(found)
    switch = ScratchFreeSwitch(
        found,
        tmp_path_factory.mktemp("freeswitch"),
        settings={},
        epmd_port=free_port(),
        erlang=None,
        files={"directory/test.xml": "<include/>"},
    )
    main = switch.conf_dir / "freeswitch.xml"
    main.write_text(main.read_text().replace('<section name="directory"/>', DIRECTORY))
    switch.start()
    yield switch
    assert switch.stop() == 0


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def ask(kind: str, request: pytest.FixtureRequest) -> Ask:
    if kind == "simulated":
        simulated = SimulatedSwitch(log_to=io.StringIO())
        return lambda line: asked(simulated, line)
    return _asking(request.getfixturevalue("freeswitch"))


@pytest.fixture
def directory(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Directory]:
    if kind == "simulated":

        def simulated(xml: str) -> Ask:
            (tmp_path / "directory").mkdir()
            (tmp_path / "directory" / "test.xml").write_text(f"<include>{xml}</include>")
            switch = SimulatedSwitch(tmp_path, log_to=io.StringIO())
            return lambda line: asked(switch, line)

        yield simulated
        return
    switch: ScratchFreeSwitch = request.getfixturevalue("freeswitch")
    file = switch.conf_dir / "directory" / "test.xml"
    ask = _asking(switch)

    def real(xml: str) -> Ask:
        file.write_text(f"<include>\n{xml}\n</include>")
        ask("reloadxml")
        return ask

    yield real
    real("")


def _asking(switch: ScratchFreeSwitch) -> Ask:
    def ask(line: str) -> str:
        with EventSocket(switch) as connection:
            return connection.api(line).decode()

    return ask


def asked(switch: SimulatedSwitch, line: str) -> str:
    name, _, argument = line.partition(" ")
    return switch.execute(name, argument.encode()).output.decode()


@pytest.fixture
def simulated_desk(tmp_path: Path) -> Iterator[MakeSimulatedDesk]:
    """simulated_desk(extensions, applications=()): XML, added to desks.DIALPLAN, and the module's applications."""
    made: list[SimulatedDesk] = []

    def make(extensions: str = "", applications: tuple[Application, ...] = ()) -> SimulatedDesk:
        made.append(SimulatedDesk(tmp_path / f"desk{len(made)}", extensions, applications))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def make_desk(kind: str, request: pytest.FixtureRequest) -> Iterator[MakeDesk]:
    if kind == "simulated":
        yield request.getfixturevalue("simulated_desk")
        return
    real: ScratchFreeSwitch = request.getfixturevalue("freeswitch")
    made: list[FreeSwitchDesk] = []

    def make(extensions: str = "") -> Desk:
        made.append(FreeSwitchDesk(real, extensions))
        return made[-1]

    yield make
    for desk in made:
        desk.close()
