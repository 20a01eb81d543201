"""scripts/erlang_py.py, as mod_python3 runs it: in an interpreter of its own, with a switch and a package of straw."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import lxml
import pytest

from scripts.install import ROOT

_SWITCH = """
import atexit, ctypes, gc, importlib, json, logging, sys, threading, types, weakref

said, started = [], []

class Switch:
    loaded, ready, xml, reloads = False, True, b"Success", 0

    def switch_loadable_module_exists(self, name):
        return 0 if Switch.loaded and name == b"mod_erlang_py" else 1

    def switch_core_ready(self):
        return Switch.ready

    def switch_xml_reload(self, told):
        told._obj.value = Switch.xml
        Switch.reloads += 1
        return 0

freeswitch = types.ModuleType("freeswitch")
freeswitch.consoleLog = lambda level, text: said.append(f"{level} {text}")
freeswitch.started = started
sys.modules["freeswitch"] = freeswitch
ctypes.CDLL = lambda name: Switch()

def pyrun(name="erlang_py"):
    # mod_python3 imports the script, and then reloads it
    importlib.reload(importlib.import_module(name)).runtime("")

def start():
    pyrun()
    Switch.loaded = True

def restart():
    Switch.loaded = False
    start()

def tell(**what):
    print(json.dumps(what))
"""
_ENTRY = """
import freeswitch
import erlang
from mod_erlang_py.part import VERSION

def start():
    freeswitch.started.append([VERSION, erlang.WHOSE])
"""
_VERSION_0_1 = """
import sys
from pathlib import Path

PACKAGES = Path(__file__).resolve().parent / "erlang_py_packages"

def runtime(args=""):
    if str(PACKAGES) not in sys.path and PACKAGES.is_dir():
        sys.path.append(str(PACKAGES))
    from mod_erlang_py.switch.freeswitch import entry
    entry.start()
"""


class Scripts:
    """FreeSWITCH's script folder, with ours in it; the package has a version and the library `erlang`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "scripts" / "erlang_py.py", folder)
        self.packages = folder / "erlang_py_packages"
        self.write("erlang_py_packages/mod_erlang_py/__init__.py", "")
        self.write("erlang_py_packages/mod_erlang_py/entry.py", _ENTRY)
        self.write("erlang_py_packages/mod_erlang_py/part.py", "VERSION = 1")
        self.write("erlang_py_packages/erlang.py", "WHOSE = 'ours'")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def run(self, program: str) -> Any:
        """What the program tells, which has `pyrun` and the like."""
        code = f"import sys\nsys.path.insert(0, {str(self.folder)!r})\n{_SWITCH}\n{program}"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    def upgrade(self) -> str:
        """A line of a program that puts version 2 into the files. Python sees it by its size."""
        return f"open({str(self.packages / 'mod_erlang_py' / 'part.py')!r}, 'w').write('VERSION = 2  # newer')"


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


# --- what is installed runs ---------------------------------------------------------------------------------------


def test_newer_files_run_after_a_restart(scripts: Scripts) -> None:
    told = scripts.run(f"start()\n{scripts.upgrade()}\nrestart()\ntell(started=started, said=said)")
    assert told == {"started": [[1, "ours"], [2, "ours"]], "said": []}


def test_a_node_that_runs_is_left_alone(scripts: Scripts) -> None:
    told = scripts.run(
        f"start()\n{scripts.upgrade()}\nentry = sys.modules['mod_erlang_py.entry']\npyrun()\n"
        "tell(started=started, said=said, same=sys.modules['mod_erlang_py.entry'] is entry, reloads=Switch.reloads)"
    )
    assert told == {
        "started": [[1, "ours"]],
        "said": ["warning erlang_py: already running; `unload mod_erlang_py` stops it\n"],
        "same": True,
        "reloads": 1,
    }


def test_an_upgrade_from_version_0_1(scripts: Scripts) -> None:
    """Whose script left the packages in sys.path, and whose entry was elsewhere; it runs on until it is unloaded."""
    new = (scripts.folder / "erlang_py.py").read_text()
    scripts.write("erlang_py.py", _VERSION_0_1)
    scripts.write("erlang_py_packages/mod_erlang_py/switch/__init__.py", "")
    scripts.write("erlang_py_packages/mod_erlang_py/switch/freeswitch/__init__.py", "")
    scripts.write("erlang_py_packages/mod_erlang_py/switch/freeswitch/entry.py", _ENTRY)
    told = scripts.run(
        f"start()\n{scripts.upgrade()}\nopen({str(scripts.folder / 'erlang_py.py')!r}, 'w').write({new!r})\n"
        "pyrun()\nrestart()\n"
        f"tell(started=started, said=said, left={str(scripts.packages)!r} in sys.path, erlang='erlang' in sys.modules)"
    )
    assert told == {
        "started": [[1, "ours"], [2, "ours"]],
        "said": ["warning erlang_py: already running; `unload mod_erlang_py` stops it\n"],
        "left": False,
        "erlang": False,
    }


def test_files_that_are_broken(scripts: Scripts) -> None:
    """One line; and once they are mended, all is well."""
    scripts.write("erlang_py_packages/mod_erlang_py/part.py", "VERSION = (")
    told = scripts.run(
        f"before = [*sys.path]\npyrun()\nfirst = [*said]\n{scripts.upgrade()}\npyrun()\n"
        "tell(first=first, said=said, started=started, same=sys.path == before)"
    )
    assert len(told["first"]) == 1
    assert told["first"][0].startswith("err erlang_py: SyntaxError: '(' was never closed")
    assert told["said"] == told["first"]
    assert told["started"] == [[2, "ours"]]
    assert told["same"]


def test_two_at_once_start_one(scripts: Scripts) -> None:
    scripts.write(
        "erlang_py_packages/mod_erlang_py/entry.py",
        "import freeswitch, threading\n"
        "def start():\n"
        "    freeswitch.started.append(1)\n"
        "    freeswitch.gate.wait(10)\n"
        "    freeswitch.Switch.loaded = True\n",
    )
    told = scripts.run(
        "freeswitch.gate, freeswitch.Switch = threading.Event(), Switch\n"
        "script = importlib.import_module('erlang_py')\n"
        "threads = [threading.Thread(target=script.runtime) for _ in range(2)]\n"
        "for one in threads: one.start()\n"
        "while not started: pass\n"
        "importlib.reload(script)\n"
        "freeswitch.gate.set()\n"
        "for one in threads: one.join()\n"
        "tell(started=started, said=len(said))"
    )
    assert told == {"started": [1], "said": 1}


# --- nothing is left of what ran before ---------------------------------------------------------------------------


def test_nothing_of_the_old_code_is_called(scripts: Scripts) -> None:
    """By logging, or at the switch's end."""
    scripts.write(
        "erlang_py_packages/mod_erlang_py/entry.py",
        "import atexit, freeswitch, logging\n"
        "from mod_erlang_py.part import VERSION\n"
        "class Handler(logging.Handler):\n"
        "    def emit(self, record): freeswitch.lines.append(VERSION)\n"
        "def stop(): freeswitch.tell(ended=VERSION, lines=freeswitch.lines)\n"
        "def start():\n"
        "    log = logging.getLogger('mod_erlang_py')\n"
        "    if not log.handlers: log.addHandler(Handler())\n"
        "    atexit.register(stop)\n",
    )
    told = scripts.run(
        "freeswitch.lines, freeswitch.tell = [], tell\n"
        f"start()\n{scripts.upgrade()}\nrestart()\nlogging.getLogger('mod_erlang_py.part').warning('a line')"
    )
    assert told == {"ended": 2, "lines": [2]}


def test_what_c_may_still_hold_outlives_one_restart(scripts: Scripts) -> None:
    """A thread of the switch may be on its way into it. After another restart it is gone."""
    scripts.write(
        "erlang_py_packages/mod_erlang_py/entry.py",
        "class Callback: pass\ngiven_to_c = [Callback()]\ndef start(): pass\n",
    )
    told = scripts.run(
        "start()\ncallback = weakref.ref(sys.modules['mod_erlang_py.entry'].given_to_c[0])\n"
        "restart()\ngc.collect()\nonce = callback() is not None\n"
        "restart()\ngc.collect()\ntell(once=once, twice=callback() is not None)"
    )
    assert told == {"once": True, "twice": False}


def test_a_hundred_restarts_leave_nothing(scripts: Scripts) -> None:
    told = scripts.run(
        "def objects():\n    gc.collect()\n    return len(gc.get_objects())\n"
        "start()\nfor _ in range(5): restart()\nbefore = objects()\n"
        "for _ in range(100): restart()\n"
        "tell(more=objects() - before, modules=len(sys.modules), starts=len(started), path=len(sys.path))"
    )
    assert told["starts"] == 106
    assert told["more"] < 150  # `started` has a list for each


# --- scripts of others --------------------------------------------------------------------------------------------

_THEIRS = "WHOSE = 'theirs'\nruns = globals().get('runs', 0)\ndef runtime(args):\n    global runs\n    runs += 1\n"


@pytest.mark.parametrize("order", [("erlang", "erlang_py"), ("erlang_py", "erlang")])
def test_a_script_with_the_name_of_our_library(scripts: Scripts, order: tuple[str, str]) -> None:
    """Each has its own, whoever comes first, also after a restart."""
    scripts.write("erlang.py", _THEIRS)
    told = scripts.run(
        "before = [*sys.path]\n"
        f"for name in {order}: pyrun(name)\n"
        "restart()\npyrun('erlang')\nimport erlang\n"
        "tell(started=started, said=said, whose=erlang.WHOSE, runs=erlang.runs, file=erlang.__file__,"
        " same=sys.path == before)"
    )
    assert told == {
        "started": [[1, "ours"], [1, "ours"]],
        "said": [],
        "whose": "theirs",
        "runs": 2,
        "file": str(scripts.folder / "erlang.py"),
        "same": True,
    }


def test_libraries_in_c_are_loaded_once(scripts: Scripts) -> None:
    """The real lxml, beside a script of that name."""
    (scripts.packages / "lxml").symlink_to(Path(lxml.__file__).parent)
    scripts.write("lxml.py", _THEIRS)
    scripts.write(
        "erlang_py_packages/mod_erlang_py/entry.py",
        "import freeswitch\nfrom lxml import etree\n"
        "def start(): freeswitch.started.append([id(etree), etree.fromstring('<a><b/></a>').find('b').tag])\n",
    )
    told = scripts.run(
        "pyrun('lxml')\nstart()\nfor _ in range(3): restart()\npyrun('lxml')\nimport lxml\n"
        "tell(said=said, ids=len({one for one, _ in started}), tags=[tag for _, tag in started], whose=lxml.WHOSE)"
    )
    assert told == {"said": [], "ids": 1, "tags": ["b"] * 4, "whose": "theirs"}


def test_what_is_imported_later_is_ours_too(scripts: Scripts) -> None:
    """A module of the package, by a thread that the start made; and prometheus_client, an extra."""
    scripts.write("prometheus_client.py", _THEIRS)
    scripts.write("erlang_py_packages/prometheus_client/__init__.py", "WHOSE = 'ours'")
    scripts.write("erlang_py_packages/mod_erlang_py/figures/__init__.py", "")
    scripts.write("erlang_py_packages/mod_erlang_py/figures/prometheus.py", "from prometheus_client import WHOSE\n")
    scripts.write(
        "erlang_py_packages/mod_erlang_py/entry.py",
        "import freeswitch, threading\n"
        "def later():\n"
        "    from mod_erlang_py.figures.prometheus import WHOSE\n"
        "    from mod_erlang_py.part import VERSION\n"
        "    freeswitch.started.append([VERSION, WHOSE])\n"
        "def start():\n"
        "    freeswitch.later = later\n",
    )
    told = scripts.run(
        "start()\nthread = threading.Thread(target=freeswitch.later)\nthread.start()\nthread.join()\n"
        "import prometheus_client\ntell(said=said, started=started, whose=prometheus_client.WHOSE)"
    )
    assert told == {"said": [], "started": [[1, "ours"]], "whose": "theirs"}


# --- the settings are read again ----------------------------------------------------------------------------------


def test_the_configuration_is_read_again(scripts: Scripts) -> None:
    """At every start but that with the switch, which has just read it."""
    told = scripts.run(
        "Switch.ready = False\nstart()\nwith_the_switch = Switch.reloads\n"
        "restart()\npaused = Switch.reloads\n"
        "Switch.ready = True\nrestart()\ntell(counts=[with_the_switch, paused, Switch.reloads], said=said)"
    )
    assert told == {"counts": [0, 1, 2], "said": []}


def test_a_configuration_that_is_no_xml(scripts: Scripts) -> None:
    """It is said, and the node starts with what was read before."""
    told = scripts.run("Switch.xml = b'[error near line 7]: unexpected'\nstart()\ntell(said=said, started=started)")
    assert told == {
        "said": [
            "err erlang_py: reloadxml: [error near line 7]: unexpected; the settings are those read before\n",
        ],
        "started": [[1, "ours"]],
    }
