"""The tutorials and the README's "Try it", done word for word. `reader.py` is who reads them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from time import monotonic

import pytest

from scripts.epmd import Epmd
from scripts.install import CONFIGURATION, DIALPLAN, ROOT
from scripts.scratch import FreeSwitch, ScratchFreeSwitch, find_freeswitch, free_port
from tests.conftest import RunningNode, StartErl, StartNode
from tests.pages import Kind, Step, steps
from tests.peers.hearing import Listener, one_after_the_other
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
@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([ERLANG], id="erlang"),
        pytest.param([ELIXIR], id="elixir", marks=_needs_elixir),
        pytest.param([ERLANG, ELIXIR], id="both", marks=_needs_elixir),
    ],
)
def test_in_freeswitch(
    pages: Sequence[Path], bare_freeswitch: ScratchFreeSwitch, make_reader: MakeReader, epmd: Epmd
) -> None:
    reader = _reader_beside(bare_freeswitch, make_reader, epmd.port)
    before = [] if ERLANG in pages else _until_a_shell(steps(ERLANG))  # the other page begins where its shell begins
    for step in chain(before, *map(steps, pages)):
        reader.do(step)


@pytest.mark.freeswitch
def test_on_a_machine_without_epmd(bare_freeswitch: ScratchFreeSwitch, make_reader: MakeReader, epmd: Epmd) -> None:
    reader = _reader_beside(bare_freeswitch, make_reader, epmd.port)
    epmd.stop()
    try:
        for step in steps(ERLANG):
            reader.do(step)
            if step.typed == "erlang status":
                break
        assert "registered, with one that we started" in bare_freeswitch.fs_cli("erlang status")
    finally:
        bare_freeswitch.fs_cli("unload mod_erlang_py")  # else epmd says no to this
        subprocess.run(["epmd", "-port", str(epmd.port), "-kill"], stdout=subprocess.DEVNULL, check=True, timeout=10)


def _reader_beside(switch: ScratchFreeSwitch, make_reader: MakeReader, epmd_port: int) -> Reader:
    port = str(free_port())
    settings = switch.conf_dir / CONFIGURATION[0]
    settings.write_text(settings.read_text().replace("8031", port))
    here = {
        "/etc/freeswitch": str(switch.conf_dir),
        "/usr/share/freeswitch/scripts": str(switch.script_dir),
        "/usr/bin/python3": switch.found.python,
        "8031": port,
        "4369": str(epmd_port),
    }
    environment = tools(switch.folder / "bin", shlex.join(switch.fs_cli_command("")), switch.found.python)
    return make_reader(switch.fs_cli, here, environment | {"ERL_EPMD_PORT": str(epmd_port)})


@pytest.mark.parametrize("page", PAGES)
def test_in_the_simulated_switch(page: Path, start_node: StartNode, make_reader: MakeReader) -> None:
    """From the first Erlang shell on: there is nothing to install."""
    node = _node_of_the_page("simulated", page, start_node)
    here = {"/etc/freeswitch": str(_conf_dir(node)), "8031": str(node.port), "4369": str(node.epmd_port)}
    reader = make_reader(node.api, here, {"ERL_EPMD_PORT": str(node.epmd_port)})
    every = steps(page)
    for step in every[len(_until_a_shell(every)) :]:
        reader.do(step)


@pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
@pytest.mark.parametrize("page", PAGES)
def test_what_the_handler_plays_is_heard(
    kind: str, page: Path, start_node: StartNode, make_reader: MakeReader, erl: StartErl
) -> None:
    """Also where the digits are pressed before the first tone is over."""
    node = _node_of_the_page(kind, page, start_node)
    listener = Listener(erl(node), node)
    reader = make_reader(node.api, {}, {"ERL_EPMD_PORT": str(node.epmd_port)})
    for step in _handler_started(page):
        reader.do(step)
    node.api("originate {origination_uuid=phone}loopback/7501/default &park()")
    uuid = node.api("uuid_getvar phone other_loopback_leg_uuid")
    node.api("uuid_send_dtmf phone 12")
    heard = listener.until_hangup(uuid)
    assert one_after_the_other(heard) == [
        ("answer", ""),
        ("playback", "tone_stream://%(300,100,440)"),
        ("playback", "tone_stream://%(300,100,880)"),
        ("hangup", "NORMAL_CLEARING"),
    ]
    assert all(0.35 < tone.seconds < 0.8 for tone in heard[1:3]), heard


def _handler_started(page: Path) -> list[Step]:
    """The page's shell, its handler, and what compiles it and starts it."""
    begins = ("erl ", "iex ", "-module", "defmodule", "c(", "myhandler:start(", "MyHandler.start(")
    return [step for step in steps(page) if step.typed.startswith(begins)][:4]


def _node_of_the_page(kind: str, page: Path, start_node: StartNode) -> RunningNode:
    """As it stands when the page's shell is opened."""
    return start_node(kind, cookie=COOKIE, encoding="binary" if page is ELIXIR else "string")


@pytest.mark.freeswitch
def test_the_default_password_costs_ten_seconds(start_node: StartNode, erl: StartErl) -> None:
    """In the dialplan that FreeSWITCH brings."""
    found = find_freeswitch()
    assert isinstance(found, FreeSwitch)
    vanilla = found.binary.parents[1] / "etc" / "freeswitch" / "dialplan" / "default.xml"
    if not vanilla.exists():
        pytest.skip(f"no {vanilla}")
    erlang = {str(DIALPLAN): (ROOT / "conf" / DIALPLAN).read_text()}
    node = start_node("freeswitch", files={"dialplan/default.xml": vanilla.read_text(), **erlang})
    peer = erl(node, name="calls")
    peer.eval(
        "register(myhandler, self()), Call = fun() -> receive {call, {event, [U | _]}} -> list_to_binary(U) end end"
    )
    waited = []
    for password in ("1234", "another"):
        node.api(f"global_setvar default_password={password}")
        began = monotonic()
        node.api("bgapi originate loopback/7501/default &park()")
        uuid = peer.eval("Call()", 20).value
        waited.append(monotonic() - began)
        node.api(f"uuid_kill {uuid.decode()}")
    assert waited[1] < 10 <= waited[0]


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
