"""An error leaves all as it was: every request, every error that docs/messages.md names, asked by one who has nothing
and by one who has everything; what the node says of itself, and what the processes still receive, is the same after."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.peers.test_calls import called, hang_up, parked, with_taker
from tests.peers.test_reference_docs import rows

_OWNER = """
N = '%s', Me = self(),
Reply = fun() -> receive R when is_atom(R); element(1, R) =:= ok; element(1, R) =:= error;
    element(1, R) =:= filter_command_processing_log -> R after 5000 -> timeout end end,
Ask = fun(T) -> {foo, N} ! T, Reply() end,
Other = fun(F) ->
    {P, M} = spawn_monitor(fun() ->
        {foo, N} ! F(), Got = receive A -> A after 5000 -> timeout end,
        exit({Got, element(2, process_info(self(), links))}) end),
    receive {'DOWN', M, process, P, Answer} -> Answer end end,
Said = fun(What) -> {{ok, S}, _} = Other(fun() -> {api, erlang, What ++ " json"} end), list_to_binary(S) end,
Fire = fun(Subclass, H) -> {ok, []} = Other(fun() -> {sendevent, 'CUSTOM', Subclass, H} end), ok end,
Event = fun() ->
    Fire(py_test, [{"N", "dropped"}, {"Keep", "no"}]), Fire(py_test, [{"N", "kept"}, {"Keep", "yes"}]),
    receive {event, [_ | H]} -> proplists:get_value("N", H) after 5000 -> none end end,
Line = fun() ->
    [{{ok, _}, _} = Other(fun() -> {api, log, L} end) || L <- ["info py_line", "notice py_line"]],
    (fun Next() -> receive {log, P} -> case string:find(proplists:get_value(data, P), "py_line") of
        nomatch -> Next(); _ -> proplists:get_value(level, P) end after 5000 -> none end end)() end,
OwnEvent = fun() ->
    Fire(py_other, [{"Unique-ID", Own}, {"N", "unwanted"}]), Fire(py_call, [{"Unique-ID", Own}, {"N", "wanted"}]),
    receive {call_event, {event, [Own | H]}} -> proplists:get_value("N", H) after 5000 -> none end end,
TakersEvent = fun() ->
    Had = length(call_tests:messages(T)), Fire(py_other, [{"Unique-ID", Named}]),
    wait_until(fun() -> length(call_tests:messages(T)) > Had end) end,
ok
"""
"""In the process that has everything:
    Ask(Term)    the reply to it
    Other(Fun)   the reply to the term that Fun makes in a process of its own, and what that is linked to afterwards
    Said(What)   what `erlang WHAT json` prints
    Event() Line() OwnEvent() TakersEvent()   fire what it wants and what it does not, or log it: what comes
"""

BADARG = r"\{error,badarg\}"
BADOPTION = r"\{error,\{badarg,.*\}\}"

ERRORS = {
    "{nosuch, 1}": r"\{error,undef\}",
    "{make_ref(), self()}": r"\{error,notfound\}",
    "{rex, {make_ref(), self()}}": r"\{error,notfound\}",
    "{getpid, now}": r"\{error,undef\}",
    "lists:duplicate(100001, {})": BADARG,
    "{api}": BADARG,
    "{api, 12}": BADARG,
    "{api, echo, #{}}": BADARG,
    '{api, nosuch, ""}': r'\{error,"nosuch: Command not found!\\n"\}',
    '{api, uuid_kill, "nosuch"}': r'\{error,"-ERR No such channel!\\n"\}',
    "{api, echo}": r'\{error,"Command returned no output!"\}',
    "{bgapi}": BADARG,
    "{bgapi, echo, {}}": BADARG,
    '{bgapi, echo, "", {}}': BADARG,
    "{sendevent, 'NO_SUCH', []}": BADARG,
    "{sendevent, 'ALL', []}": BADARG,
    "{sendevent, 'CUSTOM', py_test}": BADARG,
    '{sendevent, \'CUSTOM\', py_test, [{"N", "1"}, nonsense]}': BADARG,
    '{api, status, "", #{format => json}}': r"\{error,\{notjson,.*\}\}",
    "{json_api, 12}": BADOPTION,
    "{subscribe}": BADOPTION,
    "{subscribe, 'NO_SUCH'}": BADOPTION,
    "{subscribe, 'HEARTBEAT', [{filter, nonsense}]}": BADOPTION,
    "{subscribe, 'HEARTBEAT', #{to => nobody}}": r"\{error,noproc\}",
    "{subscribe, 'HEARTBEAT', #{to => {nobody, 'nobody@localhost'}}}": r"\{error,noconnection\}",
    "{unsubscribe, make_ref()}": r"\{error,notfound\}",
    "{register_event_handler, nobody}": r"\{error,noproc\}",
    "{register_log_handler, {nobody, 'nobody@localhost'}}": r"\{error,noconnection\}",
    '{execute, "nosuch", answer, ""}': r"\{error,nosession\}",
    '{execute, "nosuch", answer, "", #{loops => none}}': BADOPTION,
    "{execute, 12, answer, []}": BADOPTION,
    "{version, now}": BADOPTION,
    "{event}": BADARG,
    "{event, 'HEARTBEAT', 12}": BADARG,
    "{event, 'CUSTOM', other, {}}": BADARG,
    "{nixevent}": BADARG,
    "{nixevent, 'CUSTOM', py_test, 12}": BADARG,
    "{setevent}": BADARG,
    "{setevent, 'ALL'}": BADARG,
    "{setevent, 'HEARTBEAT', 12}": BADARG,
    "{filter}": BADARG,
    "{filter, 'delete all', 12}": BADARG,
    "{filter, nonsense}": r"\{filter_command_processing_log,\['-ERR invalid syntax'\]\}",
    "{filter, 'add N /(/'}": r"\{filter_command_processing_log,\['-ERR invalid syntax'\]\}",
    "{set_log_level}": BADARG,
    "{set_log_level, nosuch}": BADARG,
    '{set_log_level, "debug"}': BADARG,
    "{handlecall}": BADARG,
    "{handlecall, 12}": BADARG,
    '{handlecall, "nosuch"}': r"\{error,badsession\}",
    '{handlecall, taker, "nosuch"}': r"\{error,badsession\}",
    '{handlecall, ""}': r"\{error,baduuid\}",
    "{handlecall, no_such_name, Own}": r"\{error,session_attach_failed\}",
    "{handlecall, Named, no_such_name}": r"\{error,session_attach_failed\}",
    "{handlecall, Own, Named}": BADARG,
    "{handlecall, lists:duplicate(257, $x)}": BADARG,
    "{nohandle}": BADOPTION,
    '{nohandle, "nosuch"}': r"\{error,badsession\}",
    "{nohandle, Free}": r"\{error,badsession\}",
    "{nohandle, Named, hangup}": BADOPTION,
    "{nohandle, Own, 12}": BADOPTION,
    "{sendmsg, Own}": BADARG,
    '{sendmsg, "nosuch", []}': r"\{error,nosession\}",
    '{sendmsg, Own, [{"call-command", "hangup"}, nonsense]}': BADARG,
    '{sendmsg, Named, [{"call-command", {}}]}': BADARG,
    "{session_event}": BADARG,
    "{session_event, 'HEARTBEAT', 12}": BADARG,
    "{session_nixevent, 'CUSTOM', {}}": BADARG,
    "{session_setevent, 'ALL'}": BADARG,
    "{bind}": BADARG,
    "{bind, nosection}": BADARG,
    '{bind, "directory"}': BADARG,
    "{unbind}": BADARG,
    "{unbind, nosection}": BADARG,
    "{fetch_reply}": BADARG,
    '{fetch_reply, "nosuch"}': BADARG,
    '{fetch_reply, "nosuch", {}}': BADARG,
    '{fetch_reply, "nosuch", "<user/>"}': r"\{error,invalid_uuid\}",
}
"""What is sent: what is answered. Own and Named are calls, of the process that asks and of the registered one; Free is
one that nobody has."""

STRANGERS = {
    "{session_event, 'HEARTBEAT'}": r"\{error,notlistening\}",
    "{session_nixevent, 'HEARTBEAT'}": r"\{error,notlistening\}",
    "{session_setevent, 'HEARTBEAT'}": r"\{error,notlistening\}",
    "session_noevents": r"\{error,notlistening\}",
}
"""What is an error for who has no call."""

ELSEWHERE = {"bad_xml", "duplicate_response", "badmem", "notlistening", "enotsup", "system_limit", "eacces"}
"""Whose tests are test_a_bad_answer_leaves_the_others_their_chance, test_the_shape_of_a_fetch,
test_a_session_that_takes_no_more, test_who_never_listened, and in tests/requests test_otp.py,
test_bgapi_without_a_thread_for_it and test_rights.py, where what is denied does not run."""


def test_every_error_of_the_page_is_here() -> None:
    told = " ".join(answered for _, answered in rows("messages.md", "sent", "answered"))
    reasons = set(re.findall(r"\{error, (?:FetchID, )?\{?(\w+)", told)) - {"S"}
    assert reasons, told
    tried = " ".join((ERRORS | STRANGERS).values()).replace(r"\{", "")
    assert {reason for reason in reasons - ELSEWHERE if f",{reason}" not in tried} == set()


def test_an_error_leaves_all_as_it_was(node: RunningNode, erl: StartErl) -> None:
    owner = with_everything(node, erl)
    changed: dict[str, Any] = {}
    before = state(owner)
    came = [before[what] for what in ("Event()", "Line()", "OwnEvent()", "TakersEvent()")]
    assert came == ['"kept"', "5", '"wanted"', "true"]
    for term, answer in ERRORS.items():
        for asked in (f"Ask({term})", f"Other(fun() -> {term} end)"):
            got = owner.text(asked, 15)
            wanted = answer if asked.startswith("Ask") else rf"\{{{answer},\[\]\}}"
            assert re.fullmatch(wanted, got), (asked, got)
            after = state(owner)
            if after != before:
                changed[asked] = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
                before = after
    for term, answer in STRANGERS.items():
        assert re.fullmatch(rf"\{{{answer},\[\]\}}", owner.text(f"Other(fun() -> {term} end)")), term
        if (after := state(owner)) != before:
            changed[term] = (before, after)
    assert changed == {}
    hang_up_all(node, owner)


def with_everything(node: RunningNode, erl: StartErl) -> Erl:
    """Its evaluating process handles events, one filter on them, and log lines; it is bound, and has a call with a
    choice of its events. The process taker has a call too."""
    owner = with_taker(node, erl)
    for name in ("Own", "Named", "Free"):
        owner.eval(f'{name} = "{parked(node, owner)}", ok')
    owner.eval(_OWNER % node.name)
    for term in (
        "register_event_handler",
        "{event, 'CUSTOM', py_test}",
        "register_log_handler",
        "{set_log_level, notice}",
        "{bind, chatplan}",
        "{handlecall, Own}",
        "{session_setevent, 'CUSTOM', py_call}",
        "{handlecall, taker, Named}",
    ):
        assert owner.text(f"Ask({term})") == "ok", term
    assert "added" in owner.text("Ask({filter, 'Keep yes'})")
    assert owner.text("receive {call, {event, [Own | _]}} -> mine after 5000 -> none end") == "mine"
    assert called(owner) == owner.text("Named").strip('"')
    return owner


def hang_up_all(node: RunningNode, owner: Erl) -> None:
    for uuid in ("Own", "Named", "Free"):
        hang_up(node, owner, owner.text(uuid).strip('"'))


def state(owner: Erl) -> dict[str, Any]:
    """What the node says of itself, and what events and log lines bring to whom."""
    told: dict[str, Any] = {"sessions": said(owner, f"sessions {owner.name}")}
    for what in ("handlers", "bindings"):
        told[what] = [one for one in said(owner, what)[what] if one["node"] == owner.name]
    status = said(owner, "status")
    told["calls"] = status["calls"], [one["calls"] for one in status["listeners"] if one["node"] == owner.name]
    told["links"] = owner.text("lists:sort(element(2, process_info(Me, links)))")
    for what in ("Event()", "Line()", "OwnEvent()", "TakersEvent()"):
        told[what] = owner.text(what, 15)
    return told


def said(owner: Erl, what: str) -> Any:
    return json.loads(owner.eval(f'Said("{what}")').value)


def test_a_session_that_takes_no_more(node: RunningNode, erl: StartErl) -> None:
    """It takes 256 messages, and is busy with the first."""
    owner = with_everything(node, erl)
    before = state(owner)
    tone = "tone_stream://%(5000,0,440)"
    busy = '[{"call-command", "execute"}, {"execute-app-name", "playback"}, {"event-lock", "true"},'
    busy += f' {{"execute-app-arg", "{tone}"}}]'
    assert owner.text(f"[ok] = lists:usort([Ask({{sendmsg, Free, {busy}}}) || _ <- lists:seq(1, 200)])") == "[ok]"
    owner.eval(f"Answers = [Ask({{sendmsg, Free, {busy}}}) || _ <- lists:seq(1, 200)]", 30)
    assert owner.text("lists:usort(Answers)") == "[ok,{error,badmem}]"
    assert state(owner) == before
    hang_up_all(node, owner)


def test_who_never_listened(node: RunningNode, erl: StartErl) -> None:
    owner = with_everything(node, erl)
    before = state(owner)
    other = erl(node)
    assert other.request(node.name, "noevents") == "{error,notlistening}"
    assert state(owner) == before
    hang_up_all(node, owner)
