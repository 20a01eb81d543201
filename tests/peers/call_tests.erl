%% Processes that take calls, for tests/peers/test_calls.py.
-module(call_tests).
-export([halting/1, fatal/1, storm/3, shapes/1, start/1, answering/2, silent/1, brief/2, launch/1, by_itself/1, messages/1, kinds/1, wait/3, stop/2]).

%% A process registered as Name that takes calls, and keeps all it is sent.
start(Name) -> answering(Name, undefined).

%% The same; asked for a pid it gives that of Other.
answering(Name, Other) ->
    Pid = spawn(fun() -> register(Name, self()), loop(Other, []) end),
    wait_registered(Name, Pid).

%% A process that answers nothing.
silent(Name) ->
    Pid = spawn(fun() -> register(Name, self()), receive stop -> ok end end),
    wait_registered(Name, Pid).

%% A process whose node is gone as soon as it is asked for a pid.
halting(Name) ->
    Pid = spawn(fun() -> register(Name, self()), receive {get_pid, _, _, _} -> erlang:halt(1, [{flush, false}]) end end),
    wait_registered(Name, Pid).

%% In the dialplan's module:function form: gives the call to taker, but where the process doomed is.
fatal(Ref) ->
    case whereis(doomed) of
        undefined -> {Ref, whereis(taker)};
        _ -> erlang:halt(1, [{flush, false}])
    end.

%% A process that hands each call to one of its own, which ends as soon as it has it, after telling Owner.
brief(Name, Owner) ->
    Pid = spawn(fun() -> register(Name, self()), brief_loop(Owner) end),
    wait_registered(Name, Pid).

brief_loop(Owner) ->
    receive {get_pid, _, Ref, Pid} ->
        Pid ! {Ref, spawn(fun() -> receive {call, _} -> Owner ! taken end end)},
        brief_loop(Owner)
    end.

wait_registered(Name, Pid) ->
    case whereis(Name) of Pid -> Pid; _ -> timer:sleep(1), wait_registered(Name, Pid) end.

loop(Other, Seen) ->
    receive
        {messages, From} -> From ! {messages, lists:reverse(Seen)}, loop(Other, Seen);
        {stop, Reason} -> exit(Reason);
        {get_pid, _, Ref, Pid} = Asked ->
            Pid ! {Ref, case Other of undefined -> self(); _ -> Other end},
            loop(Other, [Asked | Seen]);
        Message -> loop(Other, [Message | Seen])
    end.

%% What the dialplan's module:function form calls.
launch(Ref) -> {Ref, whereis(taker)}.

%% The same, but the answer is sent from inside of it.
by_itself(Ref) ->
    {any, hd(nodes(hidden))} ! {Ref, whereis(taker)},
    receive never -> {Ref, none} end.

messages(Process) ->
    Process ! {messages, self()},
    receive {messages, Seen} -> Seen after 5000 -> timeout end.

%% The messages about calls by kind: call, the name of a call_event, call_hangup, get_pid.
kinds(Process) -> lists:filtermap(fun kind/1, messages(Process)).

kind({call, _}) -> {true, call};
kind({call_event, {event, [_ | Headers]}}) -> {true, list_to_atom(event_name(Headers))};
kind({call_hangup, _}) -> {true, call_hangup};
kind({get_pid, _, _, _}) -> {true, get_pid};
kind(_) -> false.

event_name(Headers) -> hd([text(Value) || {Key, Value} <- Headers, text(Key) =:= "Event-Name"]).

text(S) when is_binary(S) -> binary_to_list(S);
text(S) -> S.

%% The UUID of the Count-th message of that kind, once it is there.
wait(Process, Kind, Count) -> wait(Process, Kind, Count, erlang:monotonic_time(millisecond) + 10000).

wait(Process, Kind, Count, End) ->
    case [M || M <- messages(Process), element(1, M) =:= Kind] of
        Found when length(Found) >= Count -> uuid(lists:nth(Count, Found));
        _ -> case erlang:monotonic_time(millisecond) > End of
                 true -> {none, kinds(Process)};
                 false -> timer:sleep(5), wait(Process, Kind, Count, End)
             end
    end.

uuid({call, {event, [UUID | _]}}) -> UUID;
uuid({call_event, {event, [UUID | _]}}) -> UUID;
uuid({call_hangup, UUID}) -> UUID;
uuid({get_pid, UUID, _, _}) -> UUID;
uuid(Other) -> Other.

stop(Process, Reason) ->
    Monitor = monitor(process, Process),
    Process ! {stop, Reason},
    receive {'DOWN', Monitor, process, _, _} -> ok after 5000 -> timeout end.

%% The events of the calls that Process was given, in order: {Name, Names of the headers}; call comes first.
shapes(Process) -> lists:filtermap(fun shape/1, messages(Process)).

shape({call, Event}) -> {true, {call, names(Event)}};
shape({call_event, Event}) -> {true, {call_event, names(Event)}};
shape({call_hangup, _}) -> {true, call_hangup};
shape(_) -> false.

names({event, [_ | Headers]}) -> {event_name(Headers), [text(Key) || {Key, _} <- Headers]}.

%% Count calls, AtOnce at a time, each to a process of its own that answers it and hangs it up. How many of them had
%% exactly one call, as the first message, and exactly one call_hangup, as the last.
storm(Node, Count, AtOnce) ->
    Me = self(),
    Desk = spawn_link(fun() -> register(storm_desk, self()), storm_desk(Node, Me) end),
    wait_registered(storm_desk, Desk),
    [storm_dial(Node) || _ <- lists:seq(1, min(Count, AtOnce))],
    Good = storm_follow(Node, Count, Count - min(Count, AtOnce), 0),
    unlink(Desk),
    exit(Desk, kill),
    Good.

storm_dial(Node) ->
    Dialled = lists:concat(["loopback/park/default '&erlang(storm_desk:! ", node(), ")'"]),
    {foo, Node} ! {bgapi, originate, Dialled}.

storm_follow(_, 0, _, Good) -> Good;
storm_follow(Node, Unfinished, Undialled, Good) ->
    receive
        {stormed, How} ->
            [storm_dial(Node) || Undialled > 0],
            storm_follow(Node, Unfinished - 1, Undialled - 1, Good + How);
        _ -> storm_follow(Node, Unfinished, Undialled, Good)
    after 20000 -> {Good, Unfinished}
    end.

storm_desk(Node, Owner) ->
    receive {get_pid, _, Ref, Switch} -> Switch ! {Ref, spawn(fun() -> storm_take(Node, Owner) end)} end,
    storm_desk(Node, Owner).

storm_take(Node, Owner) ->
    receive {call, {event, [UUID | _]}} ->
        {foo, Node} ! {sendmsg, UUID, [{"call-command", "execute"}, {"execute-app-name", "answer"}]},
        {foo, Node} ! {sendmsg, UUID, [{"call-command", "hangup"}, {"hangup-cause", "NORMAL_CLEARING"}]},
        Owner ! {stormed, storm_end()}
    after 15000 -> Owner ! {stormed, 0}
    end.

%% Half a second more for what must not come after call_hangup.
storm_end() ->
    receive
        {call_hangup, _} -> receive {call_hangup, _} -> 0; {call, _} -> 0; {call_event, _} -> 0 after 500 -> 1 end;
        {call, _} -> 0;
        _ -> storm_end()
    after 15000 -> 0
    end.
