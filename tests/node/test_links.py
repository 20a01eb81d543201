"""Links: who is known by a name, and who hears of an attempt."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from mod_erlang_py.errors import HandshakeError, NotConnected
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.links import Attempt, Links
from tests.node.conftest import InThread
from tests.waiting import DEADLINE, wait_until

NAME = "peer@localhost"


class FakeLink:
    def __init__(self, name: str = NAME, ip: str = "10.0.0.1") -> None:
        self.name = name
        self.ip = ip
        self.ended = False
        self.requests = 0
        self.long_requests = 0

    def end(self, reason: str) -> None:
        self.ended = True
        self.reason = reason


def link(name: str = NAME, ip: str = "10.0.0.1") -> Link:
    return cast(Link, FakeLink(name, ip))


def test_a_new_connection_takes_the_place_of_the_old_one_at_once() -> None:
    """Whose reader has not taken it down yet, and does so later without harm to the new one."""
    links, old, new = Links(10, 10, 256), link(), link()
    links.add(old)
    links.add(link("other@localhost"))
    old.requests = 3
    links.add(new)
    assert old.ended
    assert (links.get(NAME), links.known(NAME), links.up()[1:]) == (new, new, [new])
    new.requests = 4
    assert links.requests() == 7
    links.remove(old)
    assert links.get(NAME) is new
    assert links.requests() == 7
    links.remove(new)
    assert links.get(NAME) is None
    assert links.requests() == 7


def test_a_link_that_has_ended_is_no_link() -> None:
    links, ended = Links(10, 10, 256), link()
    links.add(ended)
    assert links.reach(Attempt(NAME)) is ended
    ended.end("")
    assert (links.get(NAME), links.known(NAME), links.up()) == (None, None, [])
    attempt = Attempt(NAME)
    assert links.reach(attempt) is attempt
    new = link()
    links.add(new)
    assert attempt.result(0) is new
    links.remove(ended)
    assert links.get(NAME) is new


def test_an_attempt_is_shared_until_it_is_settled() -> None:
    links = Links(10, 10, 256)
    first, second, third = Attempt(NAME), Attempt(NAME), Attempt(NAME)
    assert links.reach(first) is first
    assert links.reach(second) is first
    assert links.known(NAME) is first
    links.fail(first, "refused")
    links.fail(first, "again")
    with pytest.raises(NotConnected, match="refused"):
        first.result(0)
    assert links.known(NAME) is None
    assert links.reach(third) is third
    links.fail(first, "late")
    assert links.known(NAME) is third


def test_an_attempt_that_takes_too_long_goes_on() -> None:
    links, attempt, up = Links(10, 10, 256), Attempt(NAME), link()
    links.reach(attempt)
    with pytest.raises(NotConnected, match="no answer within 0 s"):
        attempt.result(0)
    links.add(up)
    assert attempt.result(0) is up


def test_who_made_way_hears_when_the_peers_own_attempt_fails(in_thread: InThread) -> None:
    """From where it was dialled: a stranger from elsewhere who says the name counts for nothing."""
    links, attempt = Links(10, 10, 256), Attempt(NAME)
    links.reach(attempt)
    links.came_to_nothing(NAME, "192.0.2.7", "before we made way")
    assert links.known(NAME) is attempt
    waiting = in_thread(lambda: links.make_way(attempt, "192.0.2.7", DEADLINE))
    wait_until(lambda: attempt.yields_to is not None)
    links.came_to_nothing("other@localhost", "192.0.2.7", "another node")
    links.came_to_nothing(NAME, "192.0.2.8", "from elsewhere")
    assert links.known(NAME) is attempt
    links.came_to_nothing(NAME, "192.0.2.7", "cookie")
    waiting.result(DEADLINE / 2)
    with pytest.raises(NotConnected, match="cookie"):
        attempt.result(0)


def test_close_ends_every_attempt_and_end_every_link(in_thread: InThread) -> None:
    links, up, replaced, attempt = Links(10, 10, 256), link("other@localhost"), link("other@localhost"), Attempt(NAME)
    links.add(replaced)
    links.add(up)
    links.reach(attempt)
    began = threading.Event()

    def connect() -> Link:
        began.set()
        return attempt.result(DEADLINE)

    waiting = in_thread(connect)
    assert began.wait(DEADLINE)
    links.close()
    with pytest.raises(NotConnected, match="the node stops"):
        waiting.result(DEADLINE / 2)
    with pytest.raises(HandshakeError, match="the node stops"):
        links.add(link())
    with pytest.raises(NotConnected, match="not running"):
        links.reach(Attempt(NAME))
    assert not up.ended
    links.end()
    assert up.ended


def test_too_many_nodes() -> None:
    """Of all, those that we dial too; who is connected may connect anew; who has ended does not count."""
    links, first = Links(2, 10, 256), link("first@localhost")
    links.add(first)
    assert links.too_many(NAME, "10.0.0.1") is None
    links.add(link("second@localhost", "10.0.0.2"))
    assert links.too_many(NAME, "10.0.0.3") == "max-nodes: 2 nodes are connected"
    assert links.too_many("first@localhost", "10.0.0.3") is None
    with pytest.raises(HandshakeError, match="max-nodes: 2"):
        links.add(link())
    with pytest.raises(NotConnected, match="max-nodes: 2"):
        links.reach(Attempt(NAME))
    links.add(link("second@localhost"))
    links.configure(3, 10, 256)
    attempt = Attempt(NAME)
    assert links.reach(attempt) is attempt
    links.configure(2, 10, 256)
    with pytest.raises(HandshakeError, match="max-nodes: 2"):
        links.add(link(), attempt)
    first.end("")
    links.add(link(), attempt)
    assert [one.name for one in links.up()] == ["second@localhost", NAME]


def test_too_many_nodes_of_an_address() -> None:
    """Those that we dial count, and are not refused."""
    links = Links(10, 2, 256)
    links.add(link("first@localhost"))
    attempt = Attempt("second@localhost")
    assert links.reach(attempt) is attempt
    links.add(link("second@localhost"), attempt)
    assert links.too_many(NAME, "10.0.0.1") == "max-nodes-per-address: 2 nodes are connected from 10.0.0.1"
    assert links.too_many("first@localhost", "10.0.0.1") is None
    assert links.too_many(NAME, "10.0.0.2") is None
    with pytest.raises(HandshakeError, match="max-nodes-per-address: 2"):
        links.add(link())
    attempt = Attempt(NAME)
    assert links.reach(attempt) is attempt
    links.add(link(), attempt)
    links.add(link("fourth@localhost", "10.0.0.2"))
    assert len(links.up()) == 4


def down(links: Links, one: Link, long_requests: int) -> None:
    """It ends, and leaves so many requests behind."""
    cast(FakeLink, one).long_requests = long_requests
    one.end("")
    links.remove(one)


def test_what_a_node_left_behind_counts_when_it_connects_anew() -> None:
    """Over all its connections; what is done no more."""
    links, first, second = Links(10, 10, 3), link(), link()
    links.add(first)
    down(links, first, 2)
    links.add(second)
    assert links.left_behind(NAME) == 2
    links.add(link())  # in place of the second
    down(links, second, 1)
    told = "max-running-requests: 3 requests of its earlier connections still run"
    assert links.too_many(NAME, "10.0.0.1") == told
    with pytest.raises(HandshakeError, match=told):
        links.add(link())
    assert links.too_many("other@localhost", "10.0.0.1") is None
    cast(FakeLink, first).long_requests = 1
    assert links.too_many(NAME, "10.0.0.1") is None
    assert links.left_behind(NAME) == 2


def test_what_runs_over_the_connection_that_is_replaced_counts_too() -> None:
    links, one = Links(10, 10, 3), link()
    links.add(one)
    cast(FakeLink, one).long_requests = 3
    assert links.too_many(NAME, "10.0.0.1") == "max-running-requests: 3 requests of its earlier connections still run"
    cast(FakeLink, one).long_requests = 2
    links.add(link())
    assert links.left_behind(NAME) == 2


def test_who_left_requests_behind_under_another_name_counts_as_connected() -> None:
    links, gone, also = Links(2, 1, 256), link("gone@localhost"), link("also@localhost", "10.0.0.2")
    for one in (gone, also):
        links.add(one)
        down(links, one, 1)
    assert links.too_many(NAME, "10.0.0.3") == (
        "max-nodes: 2 nodes are connected (2 of them gone, with requests that still run)"
    )
    with pytest.raises(NotConnected, match="max-nodes: 2"):
        links.reach(Attempt(NAME))
    cast(FakeLink, also).long_requests = 0
    assert links.too_many(NAME, "10.0.0.1") == (
        "max-nodes-per-address: 1 nodes are connected from 10.0.0.1 (1 of them gone, with requests that still run)"
    )
    assert links.too_many(NAME, "10.0.0.3") is None
    assert links.too_many("gone@localhost", "10.0.0.1") is None
