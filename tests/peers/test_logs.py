"""Log lines, as mod_erlang_event has them, from a real Erlang node."""

from __future__ import annotations

import pytest

from mod_erlang_py.etf import atom_text
from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.peers.handlers import Handler
from tests.waiting import wait_until

BADARG = "{error,badarg}"
LEVELS = ["alert", "crit", "err", "warning", "notice", "info", "debug"]
SETTLE = "(fun L(I) -> receive {log, _} -> L(I + 1) after 300 -> I end end)(0)"
"""How many log lines came until there were no more."""
MARKED = """
    (fun L() -> receive {log, P} ->
        case string:find(proplists:get_value(data, P), "marked by the test") of nomatch -> L(); _ -> P end
    after 5000 -> timeout end end)()
"""
"""The next log line with that text, as a property list."""


@pytest.mark.parametrize(
    ("term", "reply"),
    [
        ("register_log_handler", "ok"),
        ("nolog", "ok"),
        *[(f"{{set_log_level, {level}}}", "ok") for level in LEVELS],
        ("{set_log_level, 'DEBUG'}", "ok"),
        ("{set_log_level, 'Warning'}", "ok"),
        ("{set_log_level, error}", "ok"),  # as the documentation has it; badarg in the C module
        ("{set_log_level, console}", BADARG),
        ("{set_log_level, no_such}", BADARG),
        ("{set_log_level, ''}", BADARG),
        ('{set_log_level, "debug"}', BADARG),
        ('{set_log_level, <<"debug">>}', BADARG),
        ("{set_log_level, 7}", BADARG),
        ("{set_log_level}", BADARG),
        ("{set_log_level, debug, info}", BADARG),
        ("set_log_level", "{error,undef}"),
    ],
)
def test_replies(node: RunningNode, peer: Erl, term: str, reply: str) -> None:
    assert Handler(peer, node).ask(term) == reply


def test_a_line(node: RunningNode, peer: Erl) -> None:
    handler = Handler(peer, node, "register_log_handler")
    found = handler.eval(f'request(N, {{api, log, "warning marked by the test"}}), {MARKED}')
    keys = [atom_text(key) for key, _ in found]
    values = dict(zip(keys, [value for _, value in found], strict=True))
    assert keys == ["level", "text_channel", "file", "func", "line", "data", "user_data"]
    channel = {"simulated": 0, "freeswitch": 3}[node.kind]  # the command's own line is one of a session's channel
    assert (values["level"], values["text_channel"], values["user_data"]) == (4, channel, [])
    assert isinstance(values["line"], int)
    assert values["data"].endswith(b"marked by the test\n")
    assert b"[WARNING]" in values["data"]
    assert values["file"]
    assert values["func"]


@pytest.mark.parametrize("level", LEVELS)
def test_levels(node: RunningNode, peer: Erl, level: str) -> None:
    """A handler at a level gets that and what is more severe."""
    handler = Handler(peer, node, "register_log_handler", f"{{set_log_level, {level}}}")
    handler.text(SETTLE)
    wanted = list(range(1, LEVELS.index(level) + 2))
    found = handler.eval(
        f"""
        [request(N, {{api, log, atom_to_list(L) ++ " marked by the test"}})
            || L <- [debug, info, notice, warning, err, crit, alert]],
        (fun L() -> P = {MARKED}, case proplists:get_value(level, P) of 1 -> [1]; I -> [I | L()] end end)()
        """
    )
    assert list(found) == wanted[::-1]


def test_error_is_err(node: RunningNode, peer: Erl) -> None:
    handler = Handler(peer, node, "register_log_handler", "{set_log_level, error}")
    handler.text(SETTLE)
    assert (
        handler.text(
            f"""
        [request(N, {{api, log, L ++ " marked by the test"}}) || L <- ["warning", "err"]],
        proplists:get_value(level, {MARKED})
        """
        )
        == "3"
    )


def test_registering_again_sets_the_level_to_debug(node: RunningNode, peer: Erl) -> None:
    handler = Handler(peer, node, "register_log_handler", "{set_log_level, alert}", "register_log_handler")
    assert (
        handler.text(f'request(N, {{api, log, "debug marked by the test"}}), proplists:get_value(level, {MARKED})')
        == "7"
    )


def test_nothing_after_the_ok_of_nolog(node: RunningNode, peer: Erl) -> None:
    handler = Handler(peer, node, "register_log_handler")
    found = handler.text(
        f"""
        Logging = spawn_link(fun() -> (fun L() ->
            {{foo, N}} ! {{api, log, "info marked by the test"}}, receive _ -> L() end end)() end),
        Round = fun() ->
            [{MARKED} || _ <- lists:seq(1, 5)],
            {{foo, N}} ! nolog,
            (fun L() -> receive ok -> ok; {{log, _}} -> L() after 5000 -> exit(late) end end)(),
            After = receive {{log, X}} -> {{log, X}} after 50 -> nothing end,
            {{foo, N}} ! register_log_handler,
            receive ok -> After after 5000 -> exit(late) end
        end,
        Found = [Round() || _ <- lists:seq(1, 10)],
        unlink(Logging), exit(Logging, kill),
        lists:usort(Found)
        """
    )
    assert found == "[nothing]"


def test_a_handler_that_exits(node: RunningNode, peer: Erl) -> None:
    handler = Handler(peer, node)
    assert (
        handler.text(
            """
        {Pid, Monitor} = spawn_monitor(fun() ->
            {foo, N} ! register_log_handler, receive ok -> ok end,
            {foo, N} ! {api, log, "info hello"}, receive {log, _} -> ok end end),
        receive {'DOWN', Monitor, _, Pid, Reason} -> Reason after 5000 -> timeout end
        """
        )
        == "normal"
    )
    handler.text('[request(N, {api, log, "info hello"}) || _ <- lists:seq(1, 10)]')
    assert handler.text("Nothing()") == "nothing"
    assert handler.ask("register_log_handler") == "ok"
    assert handler.text(f'request(N, {{api, log, "info marked by the test"}}), is_list({MARKED})') == "true"


def test_several_nodes_each_at_its_level(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    low, high = Handler(peer, node, "register_log_handler"), Handler(erl(node), node, "register_log_handler")
    assert high.ask("{set_log_level, crit}") == "ok"
    high.text(SETTLE)
    low.text('[request(N, {api, log, L ++ " marked by the test"}) || L <- ["info", "alert"]]')
    level = f"proplists:get_value(level, {MARKED})"
    assert high.text(level) == "1"
    assert low.text(f"{{{level}, {level}}}") == "{6,1}"


def test_log_and_event_handlers_come_to_rest(node: RunningNode, peer: Erl) -> None:
    """A process that wants every line and every event: neither is the cause of the other without end."""
    handler = Handler(peer, node, "register_log_handler", "register_event_handler", "{event, 'ALL'}")
    handler.text("timer:sleep(300)")
    handler.peer.text("(fun L() -> receive _ -> L() after 0 -> ok end end)()")
    handler.text("timer:sleep(1000)")
    assert int(handler.text("element(2, process_info(self(), message_queue_len))")) < 20
    assert handler.ask("noevents") == "ok"


def test_long_lines(node: RunningNode, peer: Erl) -> None:
    """Over 65535 bytes, where the C module has to give up."""
    handler = Handler(peer, node, "register_log_handler")
    size = 100_000
    length = handler.text(
        f"""
        request(N, {{api, log, "notice marked by the test" ++ lists:duplicate({size}, $x)}}),
        length(proplists:get_value(data, {MARKED}))
        """
    )
    assert size < int(length) < size + 200


def test_the_switchs_log_is_bound_only_while_somebody_listens(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    """A killed node leaves nothing bound: threads are as before."""
    Handler(peer, node)
    other = erl(node)
    Handler(other, node)
    before = node.threads()
    Handler(other, node, "register_log_handler")
    other.kill9()
    wait_until(lambda: other.name not in node.api("erlang listeners"))
    wait_until(lambda: node.threads() <= before)
