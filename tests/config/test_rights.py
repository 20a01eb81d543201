"""What nodes may ask for, as an operator writes it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.config.rights import MAX_ARGUMENTS, Family, Params, Pattern, Rights
from mod_erlang_py.config.settings import Config, read
from mod_erlang_py.errors import ConfigError

SECRET = "do-not-tell"
EVERYTHING = frozenset(Family)


def rights(*params: tuple[str, str]) -> Rights:
    config, wrong = read(params)
    assert wrong == []
    return config.rights


def allow_api(*patterns: str, deny: tuple[str, ...] = ()) -> Rights:
    return rights(*(("allow-api", one) for one in patterns), *(("deny-api", one) for one in deny))


def test_without_any_everything_is_allowed() -> None:
    assert rights() == Rights(EVERYTHING, None, ())
    for family in Family:
        assert rights().refuses(family) is None
    assert rights().refuses_command("bgapi", b"x" * (MAX_ARGUMENTS + 1), indirect=True) is None
    assert rights().refuses_command("eval", b"${system(id)}") is None


@pytest.mark.parametrize(
    ("values", "families"),
    [
        (["events logs"], {Family.EVENTS, Family.LOGS}),
        ([" Events,LOGS , api"], {Family.EVENTS, Family.LOGS, Family.API}),
        (["calls", "fetch"], {Family.CALLS, Family.FETCH}),
        (["all"], EVERYTHING),
        (["none"], set()),
        (["none", "sendevent"], {Family.SENDEVENT}),
    ],
)
def test_families(values: list[str], families: set[Family]) -> None:
    found = rights(*(("allow", value) for value in values))
    assert found.families == families
    for family in Family:
        assert (found.refuses(family) is None) is (family in families)


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("status", [("status", b""), ("STATUS", b"x"), (" status\n", b" x ")], [("statu", b""), ("show", b"status")]),
        ("uuid_*", [("uuid_kill", b"1"), ("UUID_kill", b"")], [("uuid", b""), ("originate", b"uuid_kill")]),
        ("show calls*", [("show", b"calls"), ("Show", b" CALLS as json")], [("show", b""), ("show", b"x calls")]),
        ("SHOW  Calls", [("show", b"calls")], [("show", b"calls x"), ("show", b"calls\nx"), ("show", b"calls\tx")]),
        ("uuid_kill ????", [("uuid_kill", b"1234")], [("uuid_kill", b"12345"), ("uuid_kill", b"123")]),
        ("echo [a-c]*", [("echo", b"Bx\ny")], [("echo", b"dx"), ("echo", b"[a-c]")]),
        ("echo [[]x]", [("echo", b"[x]")], [("echo", b"x")]),
        ("echo ü", [("echo", "ü".encode())], [("echo", b"\xfc"), ("echo", "Ü".encode())]),
        ("*", [("anything", b"at all"), ("x", b"\xff\n\0"), ("", b"")], []),
        ("echo .+$", [("echo", b".+$")], [("echo", b"xx")]),
    ],
)
def test_patterns(pattern: str, allowed: list[tuple[str, bytes]], refused: list[tuple[str, bytes]]) -> None:
    """Of both kinds alike; what one allows, the other denies."""
    may, may_not = allow_api(pattern), allow_api("*", deny=(pattern,))
    for command, arguments in allowed:
        assert may.refuses_command(command, arguments) is None
        assert may_not.refuses_command(command, arguments) == f"deny-api {Pattern.of(pattern)}"
    for command, arguments in refused:
        assert may.refuses_command(command, arguments) == "no allow-api for it"
        assert may_not.refuses_command(command, arguments) is None


@pytest.mark.parametrize("deny", [(), ("other",)])
def test_what_can_do_more_than_it_says_has_to_be_named(deny: tuple[str, ...]) -> None:
    """Commands that run others, and arguments that are expanded."""
    everything = allow_api("*", deny=deny)
    assert everything.refuses_command("lua", b"x.lua", indirect=True) == (
        "no allow-api that names it, and it can run others"
    )
    assert everything.refuses_command("eval", b"a ${system(id)}") == "no allow-api with ${"
    named = allow_api("*", "lua x.lua", "eval ${*}", deny=deny)
    assert named.refuses_command("LUA", b"x.lua", indirect=True) is None
    assert named.refuses_command("lua", b"y.lua", indirect=True) is not None
    assert named.refuses_command("lua", b"x.lua ${a}", indirect=True) is not None
    assert named.refuses_command("eval", b"${a}") is None
    assert named.refuses_command("eval", b"${a} b") is not None
    only_denied = allow_api(deny=("system",))
    assert only_denied.refuses_command("status", b"") is None
    assert only_denied.refuses_command("lua", b"", indirect=True) is not None
    assert only_denied.refuses_command("eval", b"$${a}") is not None


@pytest.mark.parametrize("written", ["$''{system(id)}", "$\\'{system(id)}", '$"{system(id)}', "a $\\\\''{x}"])
def test_what_becomes_an_expansion_without_its_quotes_is_one(written: str) -> None:
    """As FreeSWITCH has it when an `originate` is taken apart."""
    for one in (allow_api("*"), allow_api(deny=("system",))):
        assert one.refuses_command("originate", f"null/x '&log(INFO {written})'".encode()) == "no allow-api with ${"


@pytest.mark.parametrize(
    ("pattern", "arguments"),
    [
        ("fsctl shutdown*", ["'shutdown' now", "shut''down", '"shutdown"', "^^:shutdown:now", "^^SshutdownSnow"]),
        (
            "fsctl shutdown now",
            ["shutdown  now", "shutdown\tnow", "shutdown\\snow", "'shutdown' 'now'", "^^:shutdown:now"],
        ),
        ("uuid_setvar * api_*", ["U  api_hangup_hook x", "U 'api_hangup_hook' x", "^^|U|api_hangup_hook|x"]),
        ("originate *'&system*", ["null/x &system(x)", "null/x ''&system(x)", "null/x '&sys'tem(x)"]),
        ("fsctl ^^:shutdown*", ["shutdown now"]),
    ],
)
def test_arguments_are_denied_however_they_are_quoted(pattern: str, arguments: list[str]) -> None:
    """What FreeSWITCH takes apart into the same words; nothing is allowed that way."""
    command, wanted = pattern.split(None, 1)
    for one in (*arguments, wanted.replace("*", "x")):
        refused = allow_api(deny=(pattern,)).refuses_command(command, one.encode())
        assert refused == f"deny-api {pattern}", one
    for one in arguments:
        assert allow_api(pattern).refuses_command(command, one.encode()) in (None, "no allow-api for it")
    assert allow_api(deny=(pattern,)).refuses_command(command, b"something else") is None
    assert allow_api("fsctl sps").refuses_command("fsctl", b"'sps'") == "no allow-api for it"


def test_arguments_too_long_to_be_looked_at() -> None:
    assert allow_api("*").refuses_command("echo", b"x" * MAX_ARGUMENTS) is None
    assert allow_api("*").refuses_command("echo", b"x" * (MAX_ARGUMENTS + 1)) == "over 65536 bytes"
    assert allow_api(deny=("other",)).refuses_command("echo", b"x" * (MAX_ARGUMENTS + 1)) == "over 65536 bytes"


words = st.text("abAB_*?", min_size=1, max_size=5)
texts = st.text("abAB ${}*?\n", max_size=8)


@given(st.lists(st.tuples(words, st.none() | texts), max_size=4), words, texts, st.booleans())
def test_against_fnmatch(patterns: list[tuple[str, str | None]], command: str, arguments: str, indirect: bool) -> None:
    made = [Pattern.of(name if args is None else f"{name} {args}") for name, args in patterns]
    given = arguments.strip().lower()

    def fits(one: Pattern, taken_apart: bool = False) -> bool:
        args, pattern = (given, (one.arguments or "*").lower())
        if taken_apart:
            args, pattern = (" ".join(text.split()) for text in (args, pattern))
        return fnmatchcase(command.lower(), one.command.lower()) and fnmatchcase(args, pattern)

    denying = Rights(deny_api=tuple(made))
    if any(fits(one) or fits(one, taken_apart=True) for one in made):
        assert denying.refuses_command(command, arguments.encode(), indirect) is not None
    elif not indirect and "${" not in given:
        assert denying.refuses_command(command, arguments.encode(), indirect) is None
    allowing = Rights(allow_api=tuple(made))
    if allowing.refuses_command(command, arguments.encode(), indirect) is None:
        fitting = list(filter(fits, made))
        assert any("${" in (one.arguments or "") for one in fitting) or "${" not in given
        assert any(one.command.lower() == command.lower() for one in fitting) or not indirect
        assert fitting
    elif not indirect and "${" not in given:
        assert not any(map(fits, made))


@given(
    st.sampled_from(["system", "SYSTEM", "sYsTeM"]),
    st.text(" \t\n\v\r", max_size=3),
    st.text(" \t\n\v\r", max_size=3),
    st.binary(max_size=40),
)
def test_no_spelling_of_a_command_slips_through(name: str, before: str, behind: str, arguments: bytes) -> None:
    """Whatever FreeSWITCH takes for `system`."""
    for one in (allow_api(deny=("system",)), allow_api("status"), allow_api("*", deny=("sys*",))):
        assert one.refuses_command(before + name + behind, arguments) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allow", ""),
        ("allow", "event"),
        ("allow", "all events"),
        ("allow", "none events"),
        ("allow-api", ""),
        ("allow-api", "  "),
        ("deny-api", " \n"),
        ("deny-api", "[a"),
        ("deny-api", "system [a"),
        ("allow-apis", "status"),
        ("Allow", "none"),
        ("deny_api", "system"),
        ("alow", "none"),
    ],
)
@pytest.mark.parametrize("node", [False, True])
def test_what_is_wrong_or_misspelt_refuses_everything(name: str, value: str, node: bool) -> None:
    """Passed over, it would allow what was to be denied."""
    with pytest.raises(ConfigError, match=name):
        read([], nodes=[("a@b", [(name, value)])]) if node else read([(name, value)])


@pytest.mark.parametrize("name", ["", "billing", "a b@host", "[a@b", "a@b\n"])
def test_a_node_without_a_name_that_one_can_have(name: str) -> None:
    with pytest.raises(ConfigError, match="node="):
        read([], nodes=[(name, [])])


def test_an_allow_api_without_api() -> None:
    with pytest.raises(ConfigError, match="api in allow"):
        rights(("allow", "events"), ("allow-api", "status"))
    with pytest.raises(ConfigError, match=r"node a@b: allow-api='status': expected api in allow"):
        read([("allow", "events")], nodes=[("a@b", [("allow-api", "status")])])
    read([("allow", "events")], nodes=[("a@b", [("allow", "api"), ("allow-api", "status")])])


GENERAL = [("cookie", "general"), ("allow", "api events"), ("allow-api", "status"), ("deny-api", "system")]


def config(*nodes: tuple[str, Params]) -> Config:
    found, wrong = read(GENERAL, nodes=nodes)
    assert wrong == []
    return found


def test_a_node_has_what_it_says_and_else_what_the_settings_say() -> None:
    of = config(
        ("a@*", []),
        ("b@*", [("allow", "all")]),
        ("c@*", [("allow-api", "show"), ("allow-api", "echo")]),
        ("d@*", [("deny-api", "lua"), ("cookie", "own")]),
    ).rights_of
    status, system = (Pattern("status"),), (Pattern("system"),)
    families = frozenset({Family.API, Family.EVENTS})
    assert of("a@host") == of("z@host") == Rights(families, status, system)
    assert of("b@host") == Rights(EVERYTHING, status, system)
    assert of("c@host") == Rights(families, (Pattern("show"), Pattern("echo")), system)
    assert of("d@host") == Rights(families, status, (*system, Pattern("lua")))


def test_of_several_the_first_counts() -> None:
    of = config(("a@one", [("allow", "logs")]), ("a@*", [("allow", "none")]), ("*", [("allow", "calls")])).rights_of
    assert [of(name).names() for name in ("a@one", "a@two", "A@one", "b@one")] == [["logs"], [], ["calls"], ["calls"]]


def test_cookies(tmp_path: Path) -> None:
    file = tmp_path / "cookie"
    file.write_text("from the file\n")
    file.chmod(0o600)
    of = config(
        ("a@one", [("allow", "logs")]),
        ("a@*", [("cookie", "own")]),
        ("b@*", [("cookie-file", str(file))]),
    ).cookie_of
    names = ("a@one", "a@two", "b@one", "c@one", "A@two")
    assert list(map(of, names)) == ["general", "own", "from the file", "general", "general"]
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"node b@\*: cookie-file=.*only its owner"):
        config(("b@*", [("cookie-file", str(file))]))


@pytest.mark.parametrize("name", ["cookie", "Cookie", "cooky", "secret"])
@pytest.mark.parametrize("value", [SECRET, SECRET + "ł"])
def test_the_cookie_of_a_node_is_never_told(name: str, value: str) -> None:
    try:
        found, wrong = read([], nodes=[("a@b", [(name, value)])])
    except ConfigError as error:
        found, wrong = Config(), [error]
    for told in [repr(found), *map(str, found.nodes), *map(str, wrong), *map(repr, wrong)]:
        assert SECRET not in told


def test_in_words() -> None:
    rule, other = config(("a@*", [("cookie", "x"), ("deny-api", "lua  X")]), ("b@*", [("allow", "none")])).nodes
    assert str(rule) == "a@* (allow api events, allow-api status, deny-api system, deny-api lua X, cookie ***)"
    assert str(other) == "b@* (allow none, allow-api status, deny-api system)"
