"""Requests of every family, and what can be wrong with a term."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from mod_erlang_py.etf import Atom, Binary, Function, List, Pid, Port, Reference, Term

CALLS = ("fuzzed-1", "fuzzed-2")
"""The UUIDs of calls that are kept up for it."""
CUSTOM = (Atom("CUSTOM"), b"trials::fuzzed")
_FUN = bytes.fromhex(
    "00000039 00 b4ed4e7d0e9a3f40916d386993231fc8 00000000 00000001"
    "770166 6100 6205a76a73 5877016e000000090000000000000000 6101"
)


def requests(us: Pid, reference: Reference) -> list[Term]:
    """One of each, at least, as a process of ours would send it. None can end the switch, nor anybody else's link."""
    uuid = CALLS[0].encode()
    execute = [(b"call-command", b"execute"), (b"execute-app-name", b"set"), (b"execute-app-arg", b"a=b")]
    caller = (us, List([Atom("alias"), reference], improper=True))
    api = (Atom("api"), Atom("echo"), b"hello")
    tests = [(b"Event-Name", Atom("=="), b"CUSTOM"), (b"a", Atom("exists")), (b"b", Atom("regex"), b"^x+$")]
    return [
        *map(Atom, ("getpid", "link", "noevents", "nolog", "register_event_handler", "register_log_handler")),
        Atom("session_noevents"),
        (Atom("version"),),
        api,
        (Atom("api"), Atom("status")),
        (Atom("api"), b"show", b"channels", {Atom("format"): Atom("json")}),
        (Atom("api"), b"uuid_exists", Binary(uuid)),
        (Atom("api"), b"erlang", b"status json"),
        (Atom("json_api"), {b"command": b"status", b"data": {}}),
        (Atom("bgapi"), Atom("echo"), b"hello"),
        (Atom("bgapi"), Atom("echo"), b"hello", b"job-of-ours"),
        (Atom("event"), *CUSTOM),
        (Atom("event"), Atom("ALL")),
        (Atom("nixevent"), Atom("HEARTBEAT"), *CUSTOM),
        (Atom("setevent"), Atom("CHANNEL_CREATE"), *CUSTOM),
        (Atom("filter"), b"add Event-Name /^C/", b"delete all"),
        (Atom("sendevent"), *CUSTOM, [(b"Key", Binary(b"value")), (b"N", 7), (b"body", b"two\nlines")]),
        (Atom("sendevent"), Atom("MESSAGE"), [(Atom("proto"), b"fuzz"), (b"%41%", b"%4")]),
        (Atom("sendmsg"), uuid, execute),
        (Atom("sendmsg"), Binary(uuid), [*execute, (b"event-lock", b"true"), (b"loops", 2)]),
        (Atom("execute"), uuid, Atom("set"), b"a=b"),
        (Atom("execute"), uuid, b"set", b"a=b", {Atom("timeout"): 1000, Atom("variables"): [b"a"]}),
        (Atom("handlecall"), uuid),
        (Atom("handlecall"), CALLS[1].encode(), us),
        (Atom("handlecall"), Atom("desk"), uuid),
        (Atom("nohandle"), uuid),
        (Atom("nohandle"), uuid, Atom("park")),
        (Atom("session_event"), Atom("CHANNEL_EXECUTE"), *CUSTOM),
        (Atom("session_nixevent"), Atom("CHANNEL_EXECUTE")),
        (Atom("session_setevent"), Atom("CHANNEL_HANGUP")),
        (Atom("register_event_handler"), us),
        (Atom("register_log_handler"), (Atom("desk"), Atom(us.node))),
        (Atom("set_log_level"), Atom("warning")),
        (Atom("subscribe"), [Atom("HEARTBEAT"), CUSTOM]),
        (Atom("subscribe"), Atom("all"), [(Atom("headers"), [b"Event-*"]), (Atom("format"), Atom("map"))]),
        (Atom("subscribe"), [CUSTOM], {Atom("filter"): tests, Atom("encoding"): Atom("binary"), Atom("ack"): 3}),
        (Atom("subscribe"), [Atom("CHANNEL_HANGUP")], {Atom("uuid"): uuid, Atom("to"): us}),
        (Atom("unsubscribe"), reference),
        (Atom("unsubscribe"), Atom("all")),
        (Atom("ack"), reference, 2),
        (Atom("bind"), Atom("configuration")),
        (Atom("unbind"), Atom("configuration")),
        (Atom("fetch_reply"), b"no-such-fetch", b"<document type='freeswitch/xml'/>"),
        (reference, us),
        (Atom("rex"), (reference, us)),
        (Atom("$gen_call"), caller, api),
        (Atom("$gen_call"), (us, reference), (Atom("call"), Atom("freeswitch"), Atom("api"), [Atom("echo"), b"x"], us)),
        (Atom("$gen_cast"), (Atom("bgapi"), Atom("echo"), b"x")),
        (us, (Atom("call"), Atom("freeswitch"), Atom("version"), [], us)),
        (Atom("system"), caller, Atom("get_state")),
        (us, caller, Atom("which_handlers")),
        (Atom("$gen_sync_event"), caller, Atom("tick")),
        (Atom("$gen_sync_all_state_event"), caller, Atom("tick")),
        (Atom("io_request"), us, reference, (Atom("put_chars"), Atom("unicode"), b"text")),
        (Atom("file_request"), us, reference, Atom("close")),
        (Atom("log"), Atom("error"), {Atom("label"): b"x"}, {Atom("pid"): us}),
        (Atom("is_auth"), Atom(us.node)),
        (Atom("error"), Atom("badarg")),
    ]


def mutated(random: Random, term: Term, us: Pid) -> Term:
    """The term with one thing in it changed; still a term."""
    inside = _parts(term)
    if inside and random.random() < 0.75:
        at = random.randrange(len(inside))
        return _rebuilt(term, [*inside[:at], mutated(random, inside[at], us), *inside[at + 1 :]])
    change: Callable[[Random, Term, Pid], Term] = random.choice((_other, _other, _less_or_more, _wrapped))
    return change(random, term, us)


def odd(random: Random, us: Pid) -> Term:
    """Something that hardly anybody expects where it stands."""
    return random.choice(_ODD)(random, us)


def _parts(term: Term) -> list[Term]:
    if isinstance(term, dict):
        return list(term.items())
    if isinstance(term, List):
        return list(term.value)
    return list(term) if isinstance(term, (tuple, list)) else []


def _rebuilt(term: Term, parts: list[Term]) -> Term:
    if isinstance(term, dict):
        return {key: value for key, value in (one for one in parts if isinstance(one, tuple) and len(one) == 2)
                if isinstance(key, (Atom, bytes, int))}  # fmt: skip
    if isinstance(term, List):
        return List(parts, improper=True) if len(parts) > 1 else parts
    return tuple(parts) if isinstance(term, tuple) else parts


def _other(random: Random, _: Term, us: Pid) -> Term:
    return odd(random, us)


def _less_or_more(random: Random, term: Term, us: Pid) -> Term:
    parts = _parts(term)
    if isinstance(term, bytes):
        at = random.randrange(len(term) + 1)
        return (
            term[:at] + random.choice((b"", b"\0", b"\xff", b"%", b"\n", b"{", b"${", b"x" * 70_000)) + term[at + 1 :]
        )
    if type(term) is int:
        return random.choice((term + 1, term - 1, -term, term << 40))
    if not parts:
        return (term,)
    at = random.randrange(len(parts))
    made = random.choice(
        (
            [*parts[:at], *parts[at + 1 :]],
            [*parts[: at + 1], *parts[at:]],
            [*parts, odd(random, us)],
            parts[::-1],
            parts * random.choice((2, 100)),
        )
    )
    return _rebuilt(term, made)


def _wrapped(random: Random, term: Term, _: Pid) -> Term:
    return random.choice(((term,), [term], [term, term], {1: term}, List([term, term], improper=True)))


def _nested(levels: int) -> Term:
    term: Term = 1
    for _ in range(levels):
        term = [term, 2]
    return term


_ODD: list[Callable[[Random, Pid], Term]] = [
    lambda random, us: Atom(random.choice(("", "x" * 255, "ж" * 255, "two\nlines", "ALL", "*", "nosuch"))),
    lambda random, us: random.choice((True, False, None)),
    lambda random, us: random.choice((0, -1, 255, 256, 2**31, -(2**31), 2**63, -(2**64), 2**8000)),
    lambda random, us: random.choice((0.0, -0.0, 1.5, 1e308)),
    lambda random, us: random.choice((b"", [], (), {})),
    lambda random, us: random.choice((b"x" * 300, b"x" * 70_000, b"\xff\xfe", b"a\0b", b"%00%zz%")),
    lambda random, us: Binary(random.choice((b"", b"\xff" * 40, b"a\0b", b"x" * 100_000))),
    lambda random, us: Binary(b"\xa0", 3),
    lambda random, us: _nested(random.choice((5, 50, 61))),
    lambda random, us: [0x1F600] * random.choice((3, 20_000)),
    lambda random, us: random.choice((us, Pid("nosuch@localhost", 1, 2, 3), Pid("", 0, 0, 0), Pid("a\nb", 1, 1, 1))),
    lambda random, us: Reference(us.node, us.creation, (1, 2, 3)[: random.randint(1, 3)]),
    lambda random, us: Port(Atom("n@h"), b"\0\0\0\5", b"\0\0\0\1"),
    lambda random, us: Function(112, _FUN),
    lambda random, us: List([1, Atom("a")], improper=True),
    lambda random, us: {Atom("a"): 1, b"b": [], 3: us},
    lambda random, us: tuple(range(random.choice((1, 255, 256)))),
]
