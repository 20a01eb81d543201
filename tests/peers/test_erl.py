"""The harness's Erlang node does what tests rely on."""

from __future__ import annotations

import pytest

from scripts.epmd import Epmd
from tests.conftest import StartErl
from tests.peers.erl import ErlError, ErlGone, ErlTimeout


def test_eval_and_text(erl: StartErl) -> None:
    node = erl(name="plain")
    assert node.eval('{1, "abc", [1 bsl 70]}') == (1, b"abc", [1 << 70])
    assert node.text('{ok, "abc", <<"d">>, #{a => 1.5}}.') == '{ok,"abc",<<"d">>,#{a => 1.5}}'
    assert node.text("node()") == "plain@localhost"


def test_variables_and_mailbox_last(erl: StartErl) -> None:
    node = erl()
    node.eval("Me = self(), Me ! hello, X = 1")
    assert node.text("{X, Me =:= self(), flush(), flush()}") == "{1,true,[hello],[]}"


def test_error(erl: StartErl) -> None:
    node = erl()
    with pytest.raises(ErlError, match="badarith"):
        node.eval("1 / 0")
    with pytest.raises(ErlError, match="badmatch"):
        node.eval("{ok,")
    assert node.text("fine") == "fine"


def test_timeout(erl: StartErl) -> None:
    node = erl()
    node.eval("X = 7")
    with pytest.raises(ErlTimeout):
        node.eval("receive never -> ok end", timeout=0.2)
    assert node.text("X") == "7"


def test_exit_of_the_evaluating_process(erl: StartErl) -> None:
    node = erl()
    with pytest.raises(ErlError, match="kill"):
        node.eval("exit(self(), kill), receive never -> ok end")
    assert node.text("alive") == "alive"


def test_kill9(erl: StartErl) -> None:
    node = erl()
    node.kill9()
    assert not node.alive
    with pytest.raises(ErlGone):
        node.eval("1")
    node.close()


def test_suspended_node_is_closed(erl: StartErl) -> None:
    node = erl()
    node.suspend()
    node.close()
    assert not node.alive


def test_request_between_two_nodes(erl: StartErl) -> None:
    one, two = erl(name="one"), erl(name="two", hidden=True)
    two.eval("Echo = spawn(fun L() -> receive {From, M} -> From ! {echo, M}, L(); _ -> L() end end)")
    two.eval("register(foo, Echo)")
    assert one.request("two@localhost", "{self(), 1}") == "{echo,1}"
    assert one.request("two@localhost", "silence", timeout=0.1) == "timeout"
    assert one.text("nodes(hidden)") == "[two@localhost]"


def test_epmd_stops_and_starts_again(epmd: Epmd, erl: StartErl) -> None:
    node = erl(name="registered", epmd_port=epmd.port)
    assert list(epmd.names() or ()) == ["registered"]
    epmd.stop()
    assert epmd.names() is None
    epmd.start()
    assert epmd.names() == {}
    assert node.alive
