"""Many calls to a process group whose members come and go, in a real FreeSWITCH."""

from __future__ import annotations

import pytest

from tests.conftest import StartErl, StartNode
from tests.peers.test_groups import with_members
from tests.waiting import wait_until

pytestmark = [pytest.mark.freeswitch, pytest.mark.timeout(240)]

TARGET = "pg:storm first@localhost|second@localhost|first@localhost"
GROUP = f"""
<include>
  <extension name="group">
    <condition field="destination_number" expression="^group$">
      <action application="erlang" data="{TARGET}"/>
    </condition>
  </extension>
</include>
"""


@pytest.mark.parametrize("strategy", ["random", "least_calls", "hash uuid"])
def test_five_hundred_calls_while_members_come_and_go(start_node: StartNode, erl: StartErl, strategy: str) -> None:
    """Members of two nodes, of which one is killed every 25 ms on each, many with calls. Each call is hung up by a
    member in the end; and when all is over the node holds nothing."""
    files = {"dialplan/default/group.xml": GROUP}
    node = start_node("freeswitch", files=files, handler_timeout="20", pg_strategy=strategy)
    for setting in ("loglevel warning", "sps 10000", "max_sessions 5000"):
        node.api(f"fsctl {setting}")
    first, second = with_members(erl(node, name="first")), with_members(erl(node, name="second"))
    second.eval(f"pong = net_adm:ping('{first.name}'), C = members:churn('{node.name}', 8), ok")
    first.eval(f"C = members:churn('{node.name}', 8), ok")
    wait_until(lambda: first.text("length(pg:get_members(storm)) >= 15") == "true")
    assert first.text(f"members:storm('{node.name}', \"{TARGET}\", 500, 20)", 120) == '#{"USER_BUSY" => 500}'
    wait_until(lambda: "its handler is gone" in node.log())
    first.eval("C ! stop, ok")
    second.eval("C ! stop, ok")
    wait_until(lambda: "0 total" in node.api("show channels count"), 30)
    wait_until(lambda: "calls      0 attached" in node.api("erlang status"), 10, lambda: node.api("erlang status"))
