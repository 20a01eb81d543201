"""mod_erlang_event and mod_erlang_py, each in a FreeSWITCH of its own: the same asked, the same answered.

Events are fired by the same Lua script in both. What differs is listed here, with the reason.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mod_erlang_py.etf import Binary, atom_text
from mod_erlang_py.etf.event import url_decode
from scripts.epmd import Epmd
from scripts.scratch import FreeSwitch, find_freeswitch, free_port
from tests.conftest import RunningNode, _Shared
from tests.peers.erl import Erl
from tests.peers.handlers import Handler
from tests.peers.test_calls import called, dial, execute, kinds, with_module
from tests.waiting import wait_until

pytestmark = pytest.mark.freeswitch

OURS, THEIRS = "freeswitch", "mod_erlang_event"
DIFFERENT = {
    b"Core-UUID",
    b"Event-Date-Local",
    b"Event-Date-GMT",
    b"Event-Date-Timestamp",
    b"Event-Sequence",
}
"""Headers whose values are a switch's own."""

Pairs = Sequence[tuple[bytes, bytes]]


@dataclass
class Side:
    """One of the two: its FreeSWITCH, and an Erlang node beside it."""

    node: RunningNode
    peer: Erl
    folder: Path

    def handler(self, *asked: str) -> Handler:
        self.peer.forget()
        return Handler(self.peer, self.node, *asked)

    def fire(self, pairs: Pairs, body: bytes | None = None, name: bytes = b"CUSTOM", subclass: bytes = b"x::y") -> None:
        type_ = f"{_lua(name)}, {_lua(subclass)}" if name == b"CUSTOM" else _lua(name)
        lines = [f"e = freeswitch.Event({type_})"]
        lines += [f"e:addHeader({_lua(key)}, {_lua(value)})" for key, value in pairs]
        lines += [f"e:addBody({_lua(body)})"] if body is not None else []
        script = self.folder / "fire.lua"
        script.write_text("\n".join([*lines, "e:fire()"]))
        self.node.api(f"lua {script}")

    def received(
        self, handler: Handler, pairs: Pairs, body: bytes | None = None
    ) -> tuple[Any, list[tuple[bytes, Any]]]:
        """Fire, and what arrives: UUID and headers, every text as bytes or Binary."""
        self.fire(pairs, body)
        uuid, headers = handler.eval("Next()")
        return _text(uuid), [(_text(key), _text(value)) for key, value in headers]


def _lua(text: bytes) -> str:
    return '"' + "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03d}" for byte in text) + '"'


def _text(value: Any) -> Any:
    """A string of any length as bytes."""
    if isinstance(value, list):
        return bytes(value)
    return ("binary", value.value) if isinstance(value, Binary) else value


def plain(headers: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Without what is a switch's own."""

    def name(text: Any) -> Any:
        return text[1] if isinstance(text, tuple) else text

    return [(key, None if name(key) in DIFFERENT else value) for key, value in headers]


@pytest.fixture(scope="module", params=["string", "binary"])
def pair(
    request: pytest.FixtureRequest, _shared: _Shared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Side]]:
    found = find_freeswitch()
    for module in ("mod_erlang_event", "mod_lua"):
        if isinstance(found, FreeSwitch) and not (found.mod_dir / f"{module}.so").exists():
            pytest.skip(f"{found.mod_dir} has no {module}")
    sides: list[Side] = []
    epmds: list[Epmd] = []
    try:
        for kind in (OURS, THEIRS):
            epmds.append(Epmd(free_port()))
            node = _shared.launcher.start(kind, epmds[-1].port, {"encoding": request.param})
            peer = Erl("peer", folder=_shared.erl_folder, epmd_port=node.epmd_port, cookie=node.cookie)
            sides.append(Side(node, peer, tmp_path_factory.mktemp(kind)))
            assert node.api("load mod_lua").startswith("+OK")
        yield sides
    finally:
        for side in sides:
            side.peer.close()
            side.node.kill9()
        for epmd in epmds:
            epmd.stop()


# --- events -------------------------------------------------------------------------------------------------------

AWKWARD: list[tuple[bytes, bytes]] = [
    (b"Plain", b"value"),
    (b"UTF-8", "\u00e4\u20ac\U0001f600".encode()),
    (b"Latin-1", b"\xe4\xf6\xfc"),
    (b"No-Text", b"\xff\xfe\x80"),
    (b"Percent", b"%"),
    (b"Percent-End", b"100%"),
    (b"Escape", b"%41%20%7e"),
    (b"Escaped-Escape", b"%2541"),
    (b"No-Escape", b"%zz%"),
    (b"Half-Escape", b"%4z%4"),
    (b"Signs", b"%+4%-1% 41"),
    (b"Zero", b"before%00after"),
    (b"Array", b"ARRAY::a|:b|:c d"),
    (b"Array-Of-One", b"ARRAY::a"),
    (b"Array-Escape", b'ARRAY::%41|:"b"|:\\c'),
    (b"Pushed[0]", b"first"),
    (b"Pushed[2]", b"third"),
    (b"Quotes", b'say "hello"'),
    (b"Quotes-And-Backslashes", b'\\" \\\\" \\\\\\'),
    (b"Looks-Like-JSON", b'":["a","b"],"c":{}'),
    (b"Line-Breaks", b"one\ntwo\r\nthree"),
    (b"Tab", b"a\tb"),
    (b"Control", bytes(range(1, 32)) + b"\x7f"),
    (b"Empty", b""),
    (b"Blank", b" "),
    (b"Large", b"x" * 4096),
    (b"Repeated", b"1"),
    (b"Other", b"between"),
    (b"Repeated", b"2"),
    (b"repeated", b"3"),
    (b"with space", b"v"),
    (b"with:colon", b"v"),
    (b'with"quote\\', b"v"),
    (b"%41", b"the name stays"),
    ("n\u00e4me".encode(), b"v"),
    (b"Unique-ID", b"5ad3a8a6-aaaa-bbbb-cccc-0123456789ab"),
    (b"Content-Length", b"12"),
    (b"body", b"a header of that name"),
]
BODY = b'several\nlines\n\nwith "quotes", \\, %41 and \xe4\n'


def test_thirty_awkward_headers(pair: list[Side]) -> None:
    found = [side.received(side.handler("register_event_handler", "{event, 'ALL'}"), AWKWARD, BODY) for side in pair]
    ours, theirs = found
    assert ours[0] == theirs[0]
    assert plain(ours[1]) == plain(theirs[1])
    assert len(ours[1]) > 30 + 14


def test_every_byte(pair: list[Side]) -> None:
    pairs = [(b"V%d" % byte, b"a" + bytes((byte,)) + b"b" + bytes((byte,)) * 3) for byte in range(1, 256)]
    found = [side.received(side.handler("register_event_handler", "{event, 'ALL'}"), pairs) for side in pair]
    assert plain(found[0][1]) == plain(found[1][1])


def test_percent_signs_at_random(pair: list[Side]) -> None:
    """url_decode says what the real switch_url_decode does."""
    random_ = random.Random(1)
    alphabet = [b"%", b"%", b"4", b"1", b"0", b"x", b"f", b"+", b"-", b" ", b"\t", b"z", b"25", b"\xe4"]
    pairs = [(b"V%d" % number, b"x" + b"".join(random_.choices(alphabet, k=8))) for number in range(400)]
    ours, theirs = (side.received(side.handler("register_event_handler", "{event, 'ALL'}"), pairs) for side in pair)
    assert plain(ours[1]) == plain(theirs[1])
    real = {(key[1] if isinstance(key, tuple) else key): value for key, value in theirs[1]}
    for name, value in pairs:
        shown = real[name][1] if isinstance(real[name], tuple) else real[name]
        assert url_decode(value) == shown, value


@pytest.mark.parametrize("size", [65535, 65536, 70_000, 300_000])
def test_large_values(pair: list[Side], size: int) -> None:
    pairs = [(b"Large", b"x" * size), (b"After", b"y")]
    found = [
        side.received(side.handler("register_event_handler", "{event, 'ALL'}"), pairs, b"z" * size) for side in pair
    ]
    assert plain(found[0][1]) == plain(found[1][1])


@pytest.mark.parametrize("name", [b"TRAP", b"HEARTBEAT", b"CHANNEL_DATA"])
def test_events_that_are_not_custom(pair: list[Side], name: bytes) -> None:
    """The order of the first headers, and types whose headers are unique."""
    found = []
    for side in pair:
        handler = side.handler("register_event_handler", f"{{event, '{name.decode()}'}}")
        side.fire([(b"A", b"1"), (b"B", b"2"), (b"A", b"3")], b"body", name)
        uuid, headers = handler.eval("Next()")
        found.append((uuid, plain([(_text(key), _text(value)) for key, value in headers])))
    assert found[0] == found[1]


# --- log lines ----------------------------------------------------------------------------------------------------


def test_a_log_line(pair: list[Side]) -> None:
    shown = []
    for side in pair:
        handler = side.handler("register_log_handler")
        side.node.api("log warning hello from the test %41")
        properties = handler.eval(
            '(fun L() -> P = Log(), case string:find(proplists:get_value(data, P), "hello") of'
            " nomatch -> L(); _ -> P end end)()"
        )
        shown.append([(atom_text(key), value) for key, value in properties])
    ours, theirs = shown
    # C has the level once more where the channel belongs
    assert [one for one in ours if one[0] not in ("text_channel", "data")] == [
        one for one in theirs if one[0] not in ("text_channel", "data")
    ]
    assert [key for key, _ in ours] == [key for key, _ in theirs]
    channel_session = 3  # SWITCH_CHANNEL_ID_SESSION, to which the command `log` writes
    assert (dict(ours)["text_channel"], dict(theirs)["text_channel"]) == (channel_session, 4)
    # time and idle CPU differ, the line's form does not
    after = [dict(one)["data"].partition(b"[WARNING]")[2] for one in shown]
    assert after[0] == after[1]
    assert after[0].endswith(b" hello from the test %41\n")


# --- replies ------------------------------------------------------------------------------------------------------

REPLIES = [
    "noevents",
    "register_event_handler",
    "noevents",
    "noevents",
    "register_event_handler",
    "{event, 'HEARTBEAT'}",
    "{event, heartbeat, 'Api'}",
    "{event, 'CUSTOM', 'a::b'}",
    "{event, 'NO_SUCH'}",
    '{event, "HEARTBEAT"}',
    '{event, <<"HEARTBEAT">>}',
    "{event, 'ALL'}",
    "{event}",
    "event",
    "{event, 12}",
    "{nixevent, 'HEARTBEAT'}",
    "{nixevent, 'CUSTOM', 'a::b'}",
    "{nixevent, 'ALL'}",
    '{nixevent, "x"}',
    "{nixevent}",
    "{setevent, 'HEARTBEAT'}",
    "{setevent, 'CUSTOM', 'a::b'}",
    "{setevent, 'ALL'}",
    "{setevent}",
    "{session_event, 'ALL'}",
    "{session_event}",
    "{session_nixevent, 'ALL'}",
    "{session_nixevent}",
    "{session_setevent, 'API'}",
    "{session_setevent}",
    "session_noevents",
    "{filter}",
    "{filter, 'Header value'}",
    "{filter, 'add Header value'}",
    "{filter, 'A 1', 'B 2'}",
    "{filter, 'Header a b'}",
    "{filter, 'Header /^a$/'}",
    "{filter, 'Header -x'}",
    "{filter, 'Header'}",
    "{filter, ''}",
    "{filter, 'A 1', 'Header', 'B 2'}",
    "{filter, 'delete Header'}",
    "{filter, 'delete Header value'}",
    "{filter, 'delete all'}",
    "{filter, delete}",
    "{filter, 'Header /(/'}",
    "{sendevent, 'TRAP', []}",
    '{sendevent, \'TRAP\', [{"A", "b"}]}',
    '{sendevent, trap, [{"A", "b"}, {"body", "c"}]}',
    '{sendevent, \'CUSTOM\', x, [{"A", "b"}]}',
    '{sendevent, \'TRAP\', [{"A", ""}]}',
    '{sendevent, \'TRAP\', [{<<"A">>, "b"}]}',
    '{sendevent, \'TRAP\', [{"A", <<"b">>}]}',
    "{sendevent, 'TRAP'}",
    "{sendevent, 'TRAP', x}",
    "{sendevent, 'TRAP', [x]}",
    "{sendevent, 'TRAP', [{\"A\"}]}",
    "{sendevent, 'CUSTOM', x}",
    "{sendevent}",
    "nolog",
    "register_log_handler",
    *[f"{{set_log_level, {level}}}" for level in ("debug", "info", "notice", "warning", "err", "crit", "alert")],
    "{set_log_level, 'DEBUG'}",
    "{set_log_level, error}",
    "{set_log_level, console}",
    "{set_log_level, no_such}",
    '{set_log_level, "debug"}',
    "{set_log_level}",
    "{set_log_level, debug, info}",
    "set_log_level",
    "nolog",
    "nolog",
    "no_such",
]
BADARG = "{error,badarg}"
DEVIATIONS: dict[str, tuple[str, str, str]] = {
    "{event, 12}": (BADARG, "ok", "C passes over what is no atom, and over everything behind it"),
    "{filter, 'Header /(/'}": (
        "{filter_command_processing_log,['-ERR invalid syntax']}",
        '{filter_command_processing_log,[{"added","Header","/(/"}]}',
        "C finds out when an event comes, which then is not sent",
    ),
    '{sendevent, \'TRAP\', [{<<"A">>, "b"}]}': ("ok", BADARG, "C takes no binaries"),
    '{sendevent, \'TRAP\', [{"A", <<"b">>}]}': ("ok", BADARG, "C takes no binaries"),
    "{set_log_level, error}": ("ok", BADARG, "the name that mod_erlang_event's documentation has"),
}
"""What is asked: our answer, theirs, and why they differ."""


def test_replies(pair: list[Side]) -> None:
    """In one go: what went before counts."""
    ours, theirs = (side.handler() for side in pair)
    for term in REPLIES:
        answers = tuple(_as_string(handler.ask(term)) for handler in (ours, theirs))
        if term in DEVIATIONS:
            assert answers == DEVIATIONS[term][:2], term
        else:
            assert answers[0] == answers[1], term


def _as_string(text: str) -> str:
    return text.replace("<<>>", "[]").replace("<<", "").replace(">>", "")


def test_an_unknown_event_is_never_answered_there(pair: list[Side]) -> None:
    ours, theirs = pair
    term = "{sendevent, 'NO_SUCH', []}"
    assert ours.peer.request(ours.node.name, term) == BADARG
    assert theirs.peer.request(theirs.node.name, term, timeout=0.5) == "timeout"


def test_setevent_with_all_answers_the_same_but_drops_everything_there(pair: list[Side]) -> None:
    kept = []
    for side in pair:
        handler = side.handler("register_event_handler", "{event, 'TRAP'}")
        assert handler.ask("{setevent, 'NOTIFY', 'ALL'}") == BADARG
        side.fire([], name=b"TRAP")
        side.fire([], name=b"NOTIFY")
        kept.append(_as_string(handler.text("{_, [H | _]} = Next(), element(2, H)")))
    assert kept == ['"TRAP"', '"NOTIFY"']


def test_one_less_than_all_takes_custom_events_away_there(pair: list[Side]) -> None:
    """C then looks for their subclasses among those that were named."""
    first = []
    for side in pair:
        handler = side.handler("register_event_handler", "{event, 'ALL'}", "{nixevent, 'API', 'RELOADXML'}")
        side.fire([])
        side.fire([], name=b"TRAP")
        handler.text("timer:sleep(100)")
        names = handler.text(
            "(fun L() -> receive {event, [_ | [{_, F} | _]]} -> [iolist_to_binary([F]) | L()]"
            " after 200 -> [] end end)()"
        )
        first.append(("x::y" in names, "TRAP" in names))
    assert first == [(True, True), (False, True)]


def test_a_filter_that_is_a_string_ends_the_connection_there(pair: list[Side]) -> None:
    ours, theirs = pair
    for side in pair:
        side.peer.forget()  # a linked process would end with the connection
    term = '{filter, "Header value"}'
    assert "added" in ours.peer.request(ours.node.name, term)
    assert ours.peer.request(ours.node.name, "{filter, 'delete all'}") != "timeout"
    assert theirs.peer.request(theirs.node.name, term, timeout=0.5) == "timeout"
    assert theirs.peer.text(f"lists:member('{theirs.node.name}', nodes(connected))") == "false"


# --- calls --------------------------------------------------------------------------------------------------------


def test_the_events_of_a_call(pair: list[Side]) -> None:
    """From the parking to its end, each step after the one before is done: the same events, in the same order, with
    the same headers in them. Which of the earlier ones come too is chance there; here none does."""
    ours, theirs = (call(side) for side in pair)
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other


def call(side: Side) -> list[tuple[Any, Any]]:
    node, peer = side.node, with_module(side.peer)
    peer.eval("T = call_tests:start(taker), ok")
    dial(node, peer, f"taker {peer.name}", "{ignore_early_media=true}")
    uuid = called(peer).strip('<">')
    wait_until(lambda: "CHANNEL_PARK" in kinds(peer), 10, lambda: kinds(peer))
    for application, argument in (("playback", "tone_stream://%(50,0,440)"), ("set", "a=b"), ("sleep", "20")):
        before = kinds(peer).count("CHANNEL_EXECUTE_COMPLETE")
        execute(node, peer, uuid, application, argument)
        wait_until(lambda: kinds(peer).count("CHANNEL_EXECUTE_COMPLETE") > before, 10, lambda: kinds(peer))  # noqa: B023
    assert "+OK" in node.api(f"uuid_kill {uuid}")
    peer.eval("call_tests:wait(T, call_hangup, 1)")
    shapes = peer.eval("call_tests:shapes(T)")
    peer.eval("call_tests:stop(T, normal)")
    found = [plain_shape(one) for one in shapes]
    assert found[0][0] == ("call", b"CHANNEL_DATA")
    parked = next(at for at, (name, _) in enumerate(found) if name == ("call_event", b"CHANNEL_PARK"))
    return [found[0], *found[parked:]]


def plain_shape(one: Any) -> tuple[Any, Any]:
    """(message and event name, header names)"""
    if not isinstance(one, tuple):
        return atom_text(one), ()
    message, (name, names) = one
    return (atom_text(message), _text(name)), [_text(header) for header in names]
