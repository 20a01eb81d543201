"""What docs/cluster.md says: two switches and three Erlang nodes, of which each ends in turn while calls are up."""

from __future__ import annotations

import pytest

from scripts.epmd import Epmd
from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_groups import with_members
from tests.waiting import wait_until

pytestmark = [pytest.mark.freeswitch, pytest.mark.timeout(300)]

NODES = ("one", "two", "three")
EACH = 12
"""Calls of each switch."""

TARGET = "pg:desks one@localhost|two@localhost|three@localhost"
DIALPLAN = f"""
<include>
  <extension name="desks">
    <condition field="destination_number" expression="^desks$">
      <action application="erlang" data="{TARGET}"/>
    </condition>
  </extension>
</include>
"""


class Cluster:
    """desks: the Erlang nodes that are up, by name, each with two members. calls: those that must be up, by switch."""

    def __init__(self, epmd: Epmd, start_node: StartNode, erl: StartErl) -> None:
        self._epmd = epmd
        self._start_node = start_node
        self._erl = erl
        self._dialled = 0
        self.switches: dict[str, RunningNode] = {}
        self.desks: dict[str, Erl] = {}
        self.calls: dict[str, set[str]] = {}

    def start_switch(self, name: str) -> None:
        self.switches[name] = self._start_node(
            "freeswitch", epmd=self._epmd, nodename=name, files={"dialplan/default/desks.xml": DIALPLAN}
        )
        self.calls[name] = set()

    def start_desks(self, name: str) -> None:
        started = with_members(self._erl(name=name, epmd_port=self._epmd.port))
        for other in self.desks.values():
            started.eval(f"pong = net_adm:ping('{other.name}'), ok")
        self.desks[name] = started
        started.eval("Desks = [members:desk(desks), members:desk(desks)], ok")
        for one in self.desks.values():
            known = f"wait_until(fun() -> length(pg:get_members(desks)) =:= {2 * len(self.desks)} end)"
            assert one.text(known) == "true"

    def dial(self, switch: str, count: int = EACH) -> None:
        for _ in range(count):
            self._dialled += 1
            uuid = f"cluster-{self._dialled}"
            variables = f"origination_uuid={uuid},erlang_on_handler_exit='transfer desks XML default'"
            said = self.switches[switch].api(
                f"bgapi originate {{{variables}}}loopback/park/default '&erlang({TARGET})'"
            )
            assert "+OK" in said, said
            self.calls[switch].add(uuid)

    def had(self) -> dict[str, set[str]]:
        """The calls that the desks have, by switch."""
        found: dict[str, set[str]] = {name: set() for name in self.switches}
        for peer in self.desks.values():
            for uuid, node in peer.eval(
                "lists:append([[{list_to_binary(U), N} || {U, N} <- members:calls(D)] || D <- Desks])"
            ):
                found.setdefault(node.value.decode().partition("@")[0], set()).add(uuid.value.decode())
        return found

    def is_well(self) -> None:
        """Each call is up, and somebody has it; and nobody has another."""
        wait_until(lambda: self.had() == self.calls, 30, lambda: (self.had(), self.calls))
        for name, node in self.switches.items():
            for uuid in self.calls[name]:
                assert node.api(f"uuid_exists {uuid}").strip() == "true", (name, uuid)
            sessions = "".join(node.api(f"erlang sessions {peer.name}") for peer in self.desks.values())
            assert {uuid for uuid in self.calls[name] if uuid in sessions} == self.calls[name]
            assert f"calls      {len(self.calls[name])} attached" in node.api("erlang status")


@pytest.fixture
def cluster(epmd: Epmd, start_node: StartNode, erl: StartErl) -> Cluster:
    cluster = Cluster(epmd, start_node, erl)
    for name in NODES:
        cluster.start_desks(name)
    for name in ("left", "right"):
        cluster.start_switch(name)
        cluster.dial(name)
    cluster.is_well()
    return cluster


def test_each_erlang_node_ends_in_turn(cluster: Cluster) -> None:
    """Its calls go to the members of the others; and to it again, when it is back."""
    for name in NODES:
        cluster.desks.pop(name).kill9()
        cluster.is_well()
        for switch in cluster.switches:
            cluster.dial(switch, 2)
        cluster.is_well()
        cluster.start_desks(name)
    for name in NODES[:2]:
        cluster.desks.pop(name).kill9()
        cluster.is_well()


def test_each_switch_ends_in_turn(cluster: Cluster) -> None:
    """Its calls end with it, and are forgotten; those of the other notice nothing."""
    for name in ("left", "right"):
        cluster.switches.pop(name).kill9()
        del cluster.calls[name]
        cluster.is_well()
        for switch in cluster.switches:
            cluster.dial(switch, 2)
        cluster.is_well()
        cluster.start_switch(name)
        cluster.dial(name)
        cluster.is_well()


def test_a_node_that_says_nothing_any_more(cluster: Cluster) -> None:
    """It is not down, as far as the switches know; new calls go to the others meanwhile, and its own stay its own."""
    before = cluster.had()
    silent = cluster.desks.pop("one")
    silent.suspend()
    try:
        cluster.dial("left", 3)
        new = cluster.calls["left"] - before["left"]
        wait_until(lambda: new <= cluster.had()["left"], 60, lambda: (new, cluster.had()))
    finally:
        silent.resume()
    cluster.desks["one"] = silent
    cluster.is_well()
