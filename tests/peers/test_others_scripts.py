"""Python scripts of the user's, which come back into the switch and into us, on whatever thread they run.

Every way in which Erlang has a script run, and every way in which the switch then comes back into us on that thread.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import FreeSwitchHost, RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import api, called, dial, execute, hang_up, with_taker
from tests.waiting import wait_until

pytestmark = pytest.mark.freeswitch

SCRIPT = '''
import freeswitch


def back(command):
    """Into the switch: the interpreter's lock is kept meanwhile."""
    return freeswitch.API().executeString(command or "erlang status")


def fsapi(session, stream, env, args):
    stream.write("came back: " + back(args))


def handler(session, args):
    session.setVariable("came_back", back(args)[:60])


def runtime(args):
    back(args)
'''

WAYS_BACK = {
    "api": ("erlang listeners", "Listener to"),
    "lookup": ("xml_locate directory domain name looked.up", "looked.up"),
    "application": ("originate loopback/park/default '&erlang(taker NODE)'", "+OK"),
    "completion": ("console_complete c=10;erlang sta", "status"),
    "log": ("log notice a line for the log handler", "+OK"),
}
"""By what it comes back into: a command, and what its output has."""


@pytest.fixture
def node(start_node: StartNode) -> Iterator[RunningNode]:
    """One that is stopped in order: a switch that hangs is a failure."""
    node = start_node("freeswitch")
    assert isinstance(node.host, FreeSwitchHost)
    (node.host.switch.script_dir / "others_script.py").write_text(SCRIPT)
    yield node
    assert node.stop() == 0


@pytest.fixture
def taker(node: RunningNode, erl: StartErl) -> Erl:
    """Takes calls, answers look-ups of the directory, and gets the log."""
    taker = with_taker(node, erl)
    taker.eval(
        f"""
        spawn(fun() ->
            [{{foo, '{node.name}'}} ! M || M <- [{{bind, directory}}, register_log_handler]],
            (fun F() -> receive
                {{fetch, _, _, _, Domain, Id, _}} ->
                    {{foo, '{node.name}'}} ! {{fetch_reply, Id, "<domain name=\\"" ++ Domain ++ "\\"/>"}}, F();
                _ -> F()
            end end)()
        end), ok
        """
    )
    wait_until(lambda: "directory" in api(node, taker, "erlang", "bindings"))
    return taker


def still_there(node: RunningNode, peer: Erl) -> None:
    assert "node" in api(node, peer, "erlang", "status")


def run(taker: Erl, back: str) -> tuple[str, str]:
    """The command that comes back so, and what its output has."""
    command, output = WAYS_BACK[back]
    return command.replace("NODE", taker.name), output


@pytest.mark.parametrize("back", list(WAYS_BACK))
def test_from_a_command(node: RunningNode, taker: Erl, back: str) -> None:
    """`{api, python, …}`, in the thread that reads the link; and in one of the switch's for an expansion."""
    command, output = run(taker, back)
    quoted = command.replace('"', '\\"')
    for _ in range(3):
        reply = taker.request(node.name, f'{{api, python, "others_script {quoted}"}}', 15)
        assert reply.startswith('{ok,"came back: '), reply
        assert output in reply
    if back == "api":
        expanded = taker.request(node.name, '{api, expand, "echo ${python(others_script erlang status)}"}', 15)
        assert "came back: node" in expanded
    still_there(node, taker)


@pytest.mark.parametrize("back", list(WAYS_BACK))
def test_from_a_background_job(node: RunningNode, taker: Erl, back: str) -> None:
    command, output = run(taker, back)
    quoted = command.replace('"', '\\"')
    done = (
        f"{{foo, '{node.name}'}} ! {{bgapi, python, \"others_script {quoted}\"}},"
        " receive {bgok, _, Text} -> Text; {bgerror, _, Text} -> Text after 15000 -> timeout end"
    )
    assert output in taker.text(done, timeout=20)
    still_there(node, taker)


@pytest.mark.parametrize("back", list(WAYS_BACK))
def test_from_an_attached_call(node: RunningNode, taker: Erl, back: str) -> None:
    """`sendmsg` has the call's own thread run it, which is parked in our application."""
    command, output = run(taker, back)
    dial(node, taker, f"taker {taker.name}")
    uuid = called(taker)
    execute(node, taker, uuid, "python", f"others_script {command}")
    wait_until(lambda: output in api(node, taker, "uuid_getvar", f"{uuid} came_back"), 15, node.log)
    still_there(node, taker)
    hang_up(node, taker, uuid)


def test_from_hooks_of_a_call(node: RunningNode, taker: Erl) -> None:
    """Its end, by a request and by the loss of its process."""
    script = "others_script erlang status"
    hooks = f"api_hangup_hook='python {script}',api_reporting_hook='pyrun {script}'"
    for count in (1, 2):
        dial(node, taker, f"taker {taker.name}", "{" + hooks + "}")
        hang_up(node, taker, called(taker, count=count))
        taker.eval(f"call_tests:wait(T, call_hangup, {count})")
    dial(node, taker, f"taker:! {taker.name}", "{" + hooks + ",erlang_on_handler_exit=hangup}")
    called(taker, count=3)
    assert taker.text("call_tests:stop(T, crash)") == "ok"
    wait_until(lambda: "0 total" in api(node, taker, "show", "channels count"), 15, node.log)
    still_there(node, taker)


def test_from_the_dialplan(node: RunningNode, taker: Erl) -> None:
    """Before the call is handed over, and on the leg that `originate` makes for Erlang."""
    inline = f"'python:others_script erlang status,erlang:taker {taker.name}' inline"
    taker.eval(f"{{foo, '{node.name}'}} ! {{bgapi, originate, \"loopback/park/default {inline}\"}}, ok")
    uuid = called(taker)
    assert "node" in api(node, taker, "uuid_getvar", f"{uuid} came_back")
    hang_up(node, taker, uuid)
    still_there(node, taker)


def test_unloading_from_a_script(node: RunningNode, taker: Erl) -> None:
    """The node ends under the feet of who asked for it, and starts again."""
    taker.eval(f"{{foo, '{node.name}'}} ! {{api, python, \"others_script unload mod_erlang_py\"}}, ok")
    wait_until(lambda: "Stopping: mod_erlang_py" in node.log() or "mod_erlang_py unloaded" in node.log(), 15, node.log)
    node.api("pyrun erlang_py")
    wait_until(lambda: "node" in node.api("erlang status"), 20, lambda: node.api("erlang status"))
    assert taker.text(f"net_adm:ping('{node.name}')") == "pong"
