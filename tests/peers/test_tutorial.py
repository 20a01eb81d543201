"""The tutorials and the README's "Try it", done word for word. `reader.py` is who reads them."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from scripts.epmd import Epmd
from scripts.install import CONFIGURATION, ROOT
from scripts.scratch import FreeSwitch, ScratchFreeSwitch, find_freeswitch, free_port
from tests.conftest import RunningNode, StartNode
from tests.pages import Kind, Step, steps
from tests.peers.reader import Reader, tools

ERLANG = ROOT / "docs" / "tutorial.md"
ELIXIR = ROOT / "docs" / "tutorial-elixir.md"
README = ROOT / "README.md"
COOKIE = "my-own-secret"  # of the pages
_needs_elixir = pytest.mark.skipif(shutil.which("iex") is None, reason="not installed: iex (apt-get install elixir)")
PAGES = [pytest.param(ERLANG, id="erlang"), pytest.param(ELIXIR, id="elixir", marks=_needs_elixir)]

# What FreeSWITCH's own configuration has of these: nothing that starts us.
_BARE = {
    "autoload_configs/python.conf.xml": """\
<configuration name="python.conf" description="PYTHON Configuration">
  <settings>
    <!--<param name="startup-script" value="startup_script_1"/>-->
  </settings>
</configuration>
""",
    "autoload_configs/erlang_event.conf.xml": """\
<configuration name="erlang_event.conf" description="Erlang Socket Client">
  <settings>
    <param name="listen-ip" value="0.0.0.0"/>
    <param name="listen-port" value="8031"/>
    <param name="nodename" value="freeswitch"/>
    <param name="cookie" value="ClueCon"/>
    <param name="shortname" value="true"/>
    <!--<param name="encoding" value="string"/>-->
  </settings>
</configuration>
""",
}

MakeReader = Callable[..., Reader]


@pytest.fixture
def make_reader(tmp_path: Path) -> Iterator[MakeReader]:
    made: list[Reader] = []

    def make(fs_cli: Callable[[str], str], here: dict[str, str], environment: dict[str, str]) -> Reader:
        folder = tmp_path / f"reader{len(made)}"
        folder.mkdir()
        made.append(Reader(fs_cli, folder, here, environment))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


@pytest.fixture
def bare_freeswitch(tmp_path: Path, epmd: Epmd) -> Iterator[ScratchFreeSwitch]:
    """Nothing of ours is installed in it, and mod_python3 is not loaded."""
    found = find_freeswitch()
    assert isinstance(found, FreeSwitch)
    switch = ScratchFreeSwitch(found, tmp_path / "fs", settings={}, epmd_port=epmd.port, erlang=None)
    for name, text in _BARE.items():
        (switch.conf_dir / name).write_text(text)
    switch.start()
    yield switch
    assert switch.stop() == 0


@pytest.mark.freeswitch
@pytest.mark.parametrize("page", PAGES)
def test_in_freeswitch(page: Path, bare_freeswitch: ScratchFreeSwitch, make_reader: MakeReader, epmd: Epmd) -> None:
    switch = bare_freeswitch
    port = str(free_port())
    settings = switch.conf_dir / CONFIGURATION[0]
    settings.write_text(settings.read_text().replace("8031", port))
    here = {
        "/etc/freeswitch": str(switch.conf_dir),
        "/usr/share/freeswitch/scripts": str(switch.script_dir),
        "/usr/bin/python3": switch.found.python,
        "8031": port,
        "4369": str(epmd.port),
    }
    environment = tools(switch.folder / "bin", shlex.join(switch.fs_cli_command("")), switch.found.python)
    reader = make_reader(switch.fs_cli, here, environment | {"ERL_EPMD_PORT": str(epmd.port)})
    before = _until_a_shell(steps(ERLANG)) if page is ELIXIR else []  # that page begins where this one's shell begins
    for step in [*before, *steps(page)]:
        reader.do(step)


@pytest.mark.parametrize("page", PAGES)
def test_in_the_simulated_switch(page: Path, start_node: StartNode, make_reader: MakeReader) -> None:
    """From the first Erlang shell on: there is nothing to install."""
    encoding = "binary" if page is ELIXIR else "string"
    node = start_node("simulated", cookie=COOKIE, encoding=encoding)
    conf_dir = _conf_dir(node)
    dialplan = conf_dir / CONFIGURATION[2]
    dialplan.parent.mkdir(parents=True)
    shutil.copy(ROOT / "conf" / CONFIGURATION[2], dialplan)
    here = {"/etc/freeswitch": str(conf_dir), "8031": str(node.port), "4369": str(node.epmd_port)}
    reader = make_reader(node.api, here, {"ERL_EPMD_PORT": str(node.epmd_port)})
    every = steps(page)
    for step in every[len(_until_a_shell(every)) :]:
        reader.do(step)


def test_try_it(node: RunningNode, make_reader: MakeReader) -> None:
    """The README's blocks ```erl, in a shell as it says there how to start."""
    every = steps(README)
    session = [step for step in every if step.kind is Kind.ERL]
    if not session:
        pytest.skip("README.md has no block erl")
    shells = [step for step in every if step.kind is Kind.SHELL and step.typed.startswith("erl ")]
    assert shells, "README.md: no block console says how to start erl"
    reader = make_reader(node.api, {}, {"ERL_EPMD_PORT": str(node.epmd_port)})
    for step in [shells[0], *session]:
        reader.do(step)


def _until_a_shell(every: Sequence[Step]) -> list[Step]:
    """What comes before `erl` or `iex` is typed."""
    first = next(i for i, step in enumerate(every) if step.typed.startswith(("erl ", "iex ")))
    return list(every[:first])


def _conf_dir(node: RunningNode) -> Path:
    arguments = Path(f"/proc/{node.pid}/cmdline").read_text().split("\0")
    return Path(arguments[arguments.index("--conf") + 1])
