"""What mod_erlang_event prints too, byte for byte, and the same as JSON."""

from __future__ import annotations

from mod_erlang_py.events.interest import Names
from mod_erlang_py.switch.port import Section
from tests.console.standing import UUID, Standing

PEER = "peer@localhost"


def test_nothing(standing: Standing) -> None:
    assert standing.ask("listeners") == "No active listeners\n"
    assert standing.ask("handlers") == "No active handlers\n"
    assert standing.ask("bindings") == "No bindings\n"
    assert standing.ask(f"sessions {PEER}") == f"Could not find a listener for {PEER}\n"
    assert standing.json("listeners") == {"listeners": []}
    assert standing.json("handlers") == {"handlers": []}
    assert standing.json("bindings") == {"bindings": []}
    assert standing.json(f"sessions {PEER}") == {"error": f"Could not find a listener for {PEER}"}


def test_listeners(standing: Standing) -> None:
    peer, _ = standing.link(), standing.link("idle@localhost")
    standing.call(peer)
    peer.requests, peer.outbox.backlog = 7, 1000
    logs = standing.context.logs
    standing.context.event_handlers.register(peer.link, peer.pid)
    logs.register(peer.link, peer.pid)
    events, log_handler = standing.context.subscriptions.counts(peer.link), logs.handler(peer.link)
    assert log_handler is not None
    events.sent, events.lost, events.creates, events.hangups = 12, 3, 2, 1
    log_handler.counts.sent, log_handler.counts.lost = 5, 4
    assert standing.ask("listeners") == (
        f"Listener to {PEER} with outbound sessions: 1 events: 12 (lost:3) logs: 5 (lost:4) 2/1\n"
        "Listener to idle@localhost with outbound sessions: 0 events: 0 (lost:0) logs: 0 (lost:0) 0/0\n"
    )
    first, second = standing.json("listeners")["listeners"]
    assert first.pop("up_seconds") >= 0
    assert first == {
        "node": PEER,
        "address": "127.0.0.1:40000",
        "protocol": "TCP",
        "calls": 1,
        "events": {"sent": 12, "lost": 3},
        "log_lines": {"sent": 5, "lost": 4},
        "creates": 2,
        "hangups": 1,
        "requests": 7,
        "denied": 0,
        "outbox_bytes": 1000,
    }
    assert second["node"] == "idle@localhost"
    assert second["events"] == {"sent": 0, "lost": 0}


def test_sessions(standing: Standing) -> None:
    peer = standing.link()
    assert standing.ask(f"sessions {PEER}") == f"No active sessions for {PEER}\n"
    standing.call(peer)
    line = f"Outbound session for {UUID} in state CS_DESTROY\n"
    assert standing.ask(f"sessions {PEER}") == standing.ask("SESSIONS Peer@Localhost") == line
    assert standing.json(f"sessions {PEER}") == {
        "node": PEER,
        "sessions": [{"uuid": UUID, "state": "CS_DESTROY"}],
    }
    assert standing.ask("sessions").startswith("USAGE:")
    assert standing.json("sessions") == {"error": "unknown command or wrong arguments"}


def test_handlers(standing: Standing) -> None:
    peer, _ = standing.link(), standing.link("idle@localhost")
    events = standing.context.event_handlers
    events.register(peer.link, peer.pid)
    names = Names(frozenset({"HEARTBEAT", "API", "CUSTOM"}), frozenset({b"c::d", b"a::b"}))
    events.change(peer.link, lambda now: now.add(names))
    rule = "-" * 32
    assert standing.ask("handlers") == (
        f"Listener {PEER}:\n{rule}\nAPI\nHEARTBEAT\nCUSTOM:\n\ta::b\n\tc::d\n\n"
        f"Listener idle@localhost:\n{rule}\nCUSTOM:\n\n"
    )
    assert standing.json("handlers") == {
        "handlers": [
            {
                "node": PEER,
                "pid": str(peer.pid),
                "events": ["API", "HEARTBEAT"],
                "subclasses": ["a::b", "c::d"],
                "subscriptions": [],
            },
            {"node": "idle@localhost", "pid": None, "events": [], "subclasses": [], "subscriptions": []},
        ]
    }


def test_bindings(standing: Standing) -> None:
    peer = standing.link()
    standing.context.fetches.bind(peer.link, peer.pid, Section.DIRECTORY | Section.LANGUAGES)
    assert standing.ask("bindings") == f"{PEER} directory\n{PEER} phrases\n"
    assert standing.json("bindings") == {
        "bindings": [{"node": PEER, "pid": str(peer.pid), "section": one} for one in ("directory", "phrases")]
    }
