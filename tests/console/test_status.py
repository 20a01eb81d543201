"""`erlang status`, and the figures behind it."""

from __future__ import annotations

import io
import platform
import re
from pathlib import Path

from mod_erlang_py import __version__
from mod_erlang_py.figures import figures
from mod_erlang_py.installed import RUNNING
from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.node import protection
from mod_erlang_py.node.registration import epmd_port
from mod_erlang_py.service import Service
from mod_erlang_py.switch.simulated import SimulatedSwitch
from tests.console.standing import Standing
from tests.waiting import wait_until


def test_as_text(standing: Standing) -> None:
    peer = standing.link()
    standing.call(peer)
    printed = standing.ask("status")
    assert re.sub(r"\d+:\d\d:\d\d", "0:00:00", printed) == (
        "node       fs@localhost\n"
        "listens on nothing\n"
        f"protection {protection._LOOPBACK}\n"
        f"epmd       not registered, port {epmd_port()}\n"
        "up         0:00:00\n"
        f"versions   mod_erlang_py {__version__}, simulated switch, Python {platform.python_version()}\n"
        "encoding   string\n"
        "source     simulated, of events\n"
        "nodes      1 connected\n"
        "calls      1 attached, 0 so far\n"
        "events     0 sent, 0 lost\n"
        "log lines  0 sent, 0 lost\n"
        "requests   0\n"
        "fetches    0 asked, 0 answered, 0 timed out\n"
        "executes   0 waited for\n"
    )


def test_as_json(standing: Standing) -> None:
    standing.link()
    found = standing.json("status")
    assert found.pop("up_seconds") >= 0
    assert [one["node"] for one in found.pop("listeners")] == ["peer@localhost"]
    assert found == {
        "node": "fs@localhost",
        "addresses": [],
        "epmd": {"port": epmd_port(), "registered": False, "state": "not registered"},
        "versions": {
            "mod_erlang_py": __version__,
            "digest": RUNNING.digest,
            "switch": "simulated switch",
            "python": platform.python_version(),
        },
        "protection": {"text": protection._LOOPBACK, "enough": True},
        "encoding": "string",
        "event_source": "simulated",
        "event_source_reason": "",
        "calls": {"attached": 0, "ever": 0},
        "events": {"sent": 0, "lost": 0},
        "log_lines": {"sent": 0, "lost": 0},
        "requests": 0,
        "fetches": {"asked": 0, "answered": 0, "timed_out": 0},
        "executes": 0,
        "warnings": [],
    }


def test_a_source_that_is_not_the_best(standing: Standing) -> None:
    standing.context.pump.source.reason = "the compiled event source: not built"
    assert "\nsource     simulated, of events; the compiled event source: not built\n" in standing.ask("status")
    assert standing.json("status")["event_source_reason"] == "the compiled event source: not built"


def test_the_totals_outlast_the_links(standing: Standing) -> None:
    context = standing.context
    for number in (1, 2):
        peer = standing.link()
        context.event_handlers.register(peer.link, peer.pid)
        context.logs.register(peer.link, peer.pid)
        context.logs.set_level(peer.link, LogLevel.DEBUG)
        events, logs = context.subscriptions.counts(peer.link), context.logs.handler(peer.link)
        assert logs is not None
        events.sent, events.lost = 10, 1
        logs.counts.sent, logs.counts.lost = 20, 2
        for _ in range(2):
            found = standing.json("status")
            assert found["events"] == {"sent": 10 * number, "lost": number}
            assert found["log_lines"] == {"sent": 20 * number, "lost": 2 * number}
            if not peer.ended:
                standing.gone(peer)
        assert standing.json("status")["listeners"] == []


def test_the_default_cookie_on_a_public_address(tmp_path: Path) -> None:
    warning = "the cookie is ClueCon, which everybody knows: choose another"
    public = Standing(tmp_path, listen_ip="0.0.0.0", cookie="ClueCon")
    assert public.ask("status").endswith(f"\nwarning    {warning}\n")
    assert public.json("status")["warnings"] == [warning]
    assert Standing(tmp_path, cookie="ClueCon").json("status")["warnings"] == []
    assert Standing(tmp_path, listen_ip="0.0.0.0").json("status")["warnings"] == []


def test_what_went_wrong_inside_is_a_warning(standing: Standing) -> None:
    """A thread that serves everybody and is missing, rounds that failed: until the module is restarted."""

    def fail() -> None:
        raise ZeroDivisionError

    assert standing.context.node.threads.serve("ticker", fail)
    wait_until(lambda: standing.context.node.threads.failed)
    standing.context.pump.failures = 2
    missing = "the thread ticker, which serves everybody, is missing: see the log, and restart the module"
    assert standing.json("status")["warnings"] == [missing, "2 rounds of events failed: see the log"]
    assert f"\nwarning    {missing}\n" in standing.ask("status")


def test_what_is_wrong_with_the_settings(standing: Standing, tmp_path: Path) -> None:
    """As long as it is so."""
    assert standing.json("status")["warnings"] == []
    standing.configure(encoding="utf-9", apply_inbound_acl="office")
    standing.ask("reload")
    assert standing.json("status")["warnings"] == [
        "erlang_event.conf: encoding='utf-9': expected string or binary; it has no effect",
        "erlang_event.conf: there is no access control list office: nobody can connect",
    ]
    standing.configure(cookie="")
    standing.ask("reload")
    assert standing.json("status")["warnings"][2:] == [
        "the last `erlang reload` changed nothing: cookie='***': expected 1 to 255 Latin-1 characters"
    ]
    standing.configure()
    standing.ask("reload")
    assert standing.json("status")["warnings"] == []
    (file,) = (tmp_path / "autoload_configs").iterdir()
    file.write_text("<configuration")
    (warning,) = standing.json("status")["warnings"]
    assert warning.startswith(f"{file}: ")
    assert warning.endswith("; the settings are those read before")


def test_no_settings(tmp_path: Path) -> None:
    standing = Standing(tmp_path)
    (file,) = (tmp_path / "autoload_configs").iterdir()
    file.unlink()
    service = Service(SimulatedSwitch(tmp_path, log_to=io.StringIO()))
    warning = "erlang_event.conf is not there, or has no settings: the defaults hold"
    assert warning in figures.gather(service._context).warnings
    assert standing.json("status")["warnings"] == []
