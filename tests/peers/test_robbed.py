"""Our names in the switch: another module takes them, and leaves; FreeSWITCH's `reload`; another script that keeps
Python's lock."""

from __future__ import annotations

import time

import pytest

from tests.conftest import FreeSwitchHost, RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.waiting import wait_until

pytestmark = pytest.mark.freeswitch

GONE = "our command `erlang`, and our applications, went with mod_erlang_event: registered again"
TAKEN = "mod_erlang_event has our command `erlang`, and the applications that have its names: unload it"


@pytest.fixture
def node(start_node: StartNode) -> RunningNode:
    node = start_node("freeswitch")
    assert isinstance(node.host, FreeSwitchHost)
    if not (node.host.switch.found.mod_dir / "mod_erlang_event.so").exists():
        pytest.skip("no mod_erlang_event to take our names")
    return node


def is_ours(node: RunningNode) -> bool:
    return node.api("erlang status").startswith(f"node       {node.name}\n")


def works(node: RunningNode, peer: Erl) -> None:
    """The command, the application, and TAB."""
    assert is_ours(node)
    assert "warning" not in node.api("erlang status")
    peer.forget()
    peer.eval("case whereis(robbed) of undefined -> register(robbed, self()); _ -> ok end")
    call = node.api(f"originate null/nobody '&erlang(robbed {peer.name})'").removeprefix("+OK ")
    assert peer.text(f'receive {{call, {{event, ["{call}" | _]}}}} -> here after 5000 -> nothing end') == "here"
    assert peer.request(node.name, f'{{sendmsg, "{call}", [{{"call-command", "hangup"}}]}}') == "ok"
    assert peer.text(f'receive {{call_hangup, "{call}"}} -> over after 5000 -> nothing end') == "over"
    # TAB; the switch writes its lines down later
    wait_until(lambda: node.api("console_complete c=9;erlang st").count("status]") == 1)


def test_mod_erlang_event_comes_and_goes(node: RunningNode, erl: StartErl) -> None:
    peer = erl(node)
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    works(node, peer)
    for times in range(1, 4):
        assert "-ERR" not in node.api("load mod_erlang_event")
        wait_until(lambda times=times: node.log().count(TAKEN) == times)  # type: ignore[misc]
        assert not is_ours(node)
        assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
        assert node.api("unload mod_erlang_event") == "+OK"
        wait_until(lambda times=times: node.log().count(GONE) == times)  # type: ignore[misc]
        works(node, peer)
    assert node.api("unload mod_erlang_py") == "+OK"
    assert node.api("module_exists mod_erlang_py") == "false"
    node.api("pyrun erlang_py")
    assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
    works(node, peer)
    assert "Traceback" not in node.log()
    assert node.stop() == 0


def test_unloaded_while_it_is_registered_again(node: RunningNode, erl: StartErl) -> None:
    """Nothing is left of it that keeps the next one from starting."""
    peer = erl(node)
    for _ in range(5):
        assert "-ERR" not in node.api("load mod_erlang_event")
        assert node.api("unload mod_erlang_event") == "+OK"
        assert node.api("unload mod_erlang_py") == "+OK"
        assert node.api("module_exists mod_erlang_py") == "false"
        assert "not found" in node.api("erlang status")
        node.api("pyrun erlang_py")
        wait_until(lambda: is_ours(node))
    assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
    works(node, peer)
    assert "Traceback" not in node.log()
    assert node.stop() == 0


def test_a_switch_that_ends_with_both(node: RunningNode) -> None:
    assert "-ERR" not in node.api("load mod_erlang_event")
    wait_until(lambda: TAKEN in node.log())
    assert node.stop() == 0
    assert GONE not in node.log()
    assert "Traceback" not in node.log()


# --- reload -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["reload mod_erlang_py", "bgapi reload -f mod_erlang_py"])
def test_reload_starts_it_again(start_node: StartNode, erl: StartErl, command: str) -> None:
    node = start_node("freeswitch")
    peer = erl(node)
    for times in (1, 2):
        assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
        peer.eval(f"monitor_node('{node.name}', true)")
        node.api(command)
        assert peer.text("collect(1, 5000)") == f"[{{nodedown,{node.name}}}]"
        wait_until(lambda: is_ours(node), told=node.log)
        assert node.log().count("starting again, as `pyrun erlang_py` does") == times
    assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
    assert "Traceback" not in node.log()
    assert node.stop() == 0


def test_reload_from_erlang(start_node: StartNode, erl: StartErl) -> None:
    node = start_node("freeswitch")
    peer = erl(node)
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    peer.eval(f"monitor_node('{node.name}', true), {{robbed, '{node.name}'}} ! {{api, reload, \"mod_erlang_py\"}}")
    assert peer.text("collect(1, 9000)") == f"[{{nodedown,{node.name}}}]"
    assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
    assert "Traceback" not in node.log()


def test_unload_leaves_it_unloaded(start_node: StartNode) -> None:
    """Whatever else is reloaded then."""
    node = start_node("freeswitch")
    assert node.api("unload mod_erlang_py") == "+OK"
    node.api("reload mod_hash")
    node.api("reload mod_erlang_py")  # which is not loaded
    assert node.api("module_exists mod_erlang_py") == "false"
    node.api("pyrun erlang_py")
    wait_until(lambda: is_ours(node))
    assert "starting again" not in node.log()


# --- Python's lock ------------------------------------------------------------------------------------------------

SLOW = """
import time
import freeswitch
def runtime(_):
    freeswitch.msleep(2000)
    time.sleep(1)
    freeswitch.API().executeString("msleep 2000")
    freeswitch.consoleLog("info", "slow is done\\n")
"""


def test_another_script_keeps_the_lock(start_node: StartNode, erl: StartErl) -> None:
    """The node waits, as it must, and says for whom: once for each time."""
    node = start_node("freeswitch")
    assert isinstance(node.host, FreeSwitchHost)
    peer = erl(node)
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    assert peer.request(node.name, '{api, msleep, "1500"}').startswith("{ok,")  # which keeps nobody
    script = node.host.switch.script_dir / "slow.py"
    script.write_text(SLOW)
    try:
        started = time.monotonic()
        node.api("pyrun slow")
        wait_until(lambda: "slow is done" in node.log())
        assert time.monotonic() - started >= 5
        wait_until(lambda: node.log().count("Python's lock was kept") == 2, told=node.log)
    finally:
        script.unlink()
    told = [line for line in node.log().splitlines() if "Python's lock was kept" in line]
    first, second = (line.partition("kept: by ")[2] for line in told)
    assert first in (f"{script}, line 5", f"{script}, line 6")  # where it was when somebody else could look
    assert second in (f"{script}, line 7", f"{script}, line 8")
    assert all("[WARNING]" in line for line in told)
    assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
