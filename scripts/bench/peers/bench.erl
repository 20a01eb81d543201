%% What erlang.py asks an Erlang node to do. Times are in microseconds, what is returned is a list of numbers.
-module(bench).
-export([start/0, part/1, requests/2, rate/3, jobs/3, under_events/2, events/3, events/4, latencies/3]).
-export([echo/0, otp/2, otp_rate/3, calls/3, answer/0, hold/2, directory/1, lookups/3, lines/3, filters/2, subclasses/2]).
-export([subscribed/4, subscriptions/2, execute/3, executes/4, grouped/4]).

start() -> spawn(fun() -> asked:serve(fun apart/2) end).

%% In a process of its own, which leaves nothing behind.
apart(Function, Arguments) ->
    Self = self(),
    {_, Monitor} = spawn_opt(fun() -> Self ! {done, catch apply(?MODULE, Function, Arguments)} end,
                             [monitor, {min_heap_size, 1000000}]),
    Value = receive {done, Done} -> Done end,
    receive {'DOWN', Monitor, _, _, _} -> Value end.

%% Leave Node: the next one of its name is another.
part(Node) ->
    process_flag(trap_exit, true), % it is linked to this process
    erlang:disconnect_node(Node),
    [1].

ask(Node, Term) ->
    {foo, Node} ! Term,
    receive ok -> true; {ok, _} -> true; Other -> Other after 10000 -> no_reply end.

%% Round trips of {api, echo, "hello"}, one after the other: [P50, P99].
requests(Node, Count) ->
    percentiles([round_trip(Node) || _ <- lists:seq(1, Count)]).

%% The least that a round trip costs here: between two Erlang nodes, to a process that echo/0 starts.
otp(Node, Count) -> percentiles([round_trip_otp(Node) || _ <- lists:seq(1, Count)]).

round_trip_otp(Node) ->
    Began = erlang:monotonic_time(nanosecond),
    {bench_echo, Node} ! {self(), {api, echo, "hello"}},
    receive {ok, "hello"} -> (erlang:monotonic_time(nanosecond) - Began) / 1000 after 30000 -> exit(no_reply) end.

echo() ->
    whereis(bench_echo) =:= undefined andalso register(bench_echo, spawn(fun echo_loop/0)),
    [1].

echo_loop() -> receive {From, {api, echo, Text}} -> From ! {ok, Text}, echo_loop() end.

round_trip(Node) ->
    Began = erlang:monotonic_time(nanosecond),
    {foo, Node} ! {api, echo, "hello"},
    receive
        {ok, "hello"} -> (erlang:monotonic_time(nanosecond) - Began) / 1000;
        {ok, <<"hello">>} -> (erlang:monotonic_time(nanosecond) - Began) / 1000
    after 30000 -> exit(no_reply)
    end.

%% The same from several processes at once for so many milliseconds: [round trips a second].
rate(Node, Processes, Milliseconds) -> rate_of(fun() -> round_trip(Node) end, Processes, Milliseconds).

otp_rate(Node, Processes, Milliseconds) -> rate_of(fun() -> round_trip_otp(Node) end, Processes, Milliseconds).

rate_of(RoundTrip, Processes, Milliseconds) ->
    Self = self(),
    End = erlang:monotonic_time(millisecond) + Milliseconds,
    Pids = [spawn_link(fun() -> Self ! {self(), until(RoundTrip, End, 0)} end) || _ <- lists:seq(1, Processes)],
    [lists:sum([receive {Pid, Count} -> Count end || Pid <- Pids]) / Milliseconds * 1000].

until(RoundTrip, End, Count) ->
    RoundTrip(),
    case erlang:monotonic_time(millisecond) < End of
        true -> until(RoundTrip, End, Count + 1);
        false -> Count + 1
    end.

%% Background jobs, so many at a time: [jobs a second, P50, P99 of the time from the request to bgok].
jobs(Node, Count, AtOnce) ->
    Self = self(),
    Began = erlang:monotonic_time(millisecond),
    Shares = [Count div AtOnce || _ <- lists:seq(1, AtOnce)],
    Pids = [spawn_link(fun() -> Self ! {self(), [job(Node) || _ <- lists:seq(1, Share)]} end) || Share <- Shares],
    Times = lists:append([receive {Pid, Found} -> Found after 60000 -> exit(no_bgok) end || Pid <- Pids]),
    Took = erlang:monotonic_time(millisecond) - Began,
    [length(Times) * 1000 / max(1, Took) | percentiles(Times)].

job(Node) ->
    Began = erlang:monotonic_time(nanosecond),
    {foo, Node} ! {bgapi, echo, "hello"},
    receive {bgok, _, _} -> (erlang:monotonic_time(nanosecond) - Began) / 1000 after 30000 -> exit(no_bgok) end.

%% Round trips for so many milliseconds while another process of this node receives events: [P50, P99, events].
under_events(Node, Milliseconds) ->
    Self = self(),
    Listener = spawn_link(fun() ->
        listen(Node),
        receive {event, _} -> Self ! first end,
        discard(0)
    end),
    receive first -> ok after 60000 -> exit(no_event) end,
    End = erlang:monotonic_time(millisecond) + Milliseconds,
    Times = paced(Node, End),
    Listener ! {count, self()},
    Count = receive {count, N} -> N end,
    leave(Node),
    unlink(Listener),
    exit(Listener, kill),
    percentiles(Times) ++ [Count].

paced(Node, End) ->
    case erlang:monotonic_time(millisecond) < End of
        true -> [round_trip(Node) | begin timer:sleep(1), paced(Node, End) end];
        false -> []
    end.

discard(Count) ->
    receive
        {event, _} -> discard(Count + 1);
        {count, From} -> From ! {count, Count}
    end.

%% Count events: [microseconds from when the first was sent until the last came, how many came out of order or not at
%% all]. What comes afterwards, as when the switch has lost some, is waited for Idle milliseconds.
events(Node, Count, Idle) ->
    listen(Node),
    {First, Sent} = receive {event, [_ | Headers]} -> number_and_time(Headers) after 60000 -> exit(no_event) end,
    {Last, Received} = count(First, 1, Count, Idle),
    leave(Node),
    [Last - Sent / 1000, Count - Received].

%% Received: in order.
%% The same, where so many subclasses of other events were asked for, too.
events(Node, Count, Idle, Subclasses) ->
    true = ask(Node, register_event_handler),
    absent(Node, Subclasses),
    events(Node, Count, Idle).

count(Last, Received, Last, _) -> {erlang:system_time(microsecond), Received};
count(Number, Received, Last, Idle) ->
    receive {event, [_ | Headers]} ->
        case number(Headers) of
            Next when Next =:= Number + 1 -> count(Next, Received + 1, Last, Idle);
            Next when Next > Number -> count(Next, Received + 1, Last, Idle);
            _ -> count(Number, Received, Last, Idle)
        end
    after Idle -> {erlang:system_time(microsecond) - Idle * 1000, Received}
    end.

%% As events/3, by a subscription with those options; the link stays: [microseconds, lost].
subscribed(Node, Count, Idle, Options) ->
    {ok, Ref} = answer_to(Node, {subscribe, [{'CUSTOM', "erlang_py::bench"}], Options}),
    io:put_chars("=> listening\n"),
    {First, Sent} = receive {event, Ref, Event} -> {header("Number", Event), header("Sent", Event)}
        after 60000 -> exit(no_event) end,
    {Last, Received} = count_subscribed(Ref, First, 1, Count, Idle),
    ok = answer_to(Node, {unsubscribe, Ref}),
    [Last - Sent / 1000, Count - Received].

count_subscribed(_, Last, Received, Last, _) -> {erlang:system_time(microsecond), Received};
count_subscribed(Ref, Number, Received, Last, Idle) ->
    receive {event, Ref, Event} ->
        case header("Number", Event) of
            Next when Next > Number -> count_subscribed(Ref, Next, Received + 1, Last, Idle);
            _ -> count_subscribed(Ref, Number, Received, Last, Idle)
        end
    after Idle -> {erlang:system_time(microsecond) - Idle * 1000, Received}
    end.

header(Name, Map) when is_map(Map) -> to_integer(maps:get(Name, Map));
header(Name, [_ | Headers]) -> {_, Value} = lists:keyfind(Name, 1, Headers), to_integer(Value).

answer_to(Node, Term) ->
    {foo, Node} ! Term,
    receive Answer -> Answer after 30000 -> exit(no_reply) end.

%% How long each of Count events was on its way: [P50, P99, the longest, lost].
latencies(Node, Count, Idle) ->
    listen(Node),
    Found = latency(Count, Idle, 0, []),
    leave(Node),
    percentiles(Found) ++ [lists:max(Found), Count - length(Found)].

latency(Count, _, Count, Found) -> Found;
latency(Count, Idle, _, Found) ->
    receive {event, [_ | Headers]} ->
        {Number, Sent} = number_and_time(Headers),
        latency(Count, Idle, Number, [(erlang:system_time(nanosecond) - Sent) / 1000 | Found])
    after Idle -> Found
    end.

listen(Node) ->
    true = ask(Node, register_event_handler),
    true = ask(Node, {event, 'CUSTOM', 'erlang_py::bench'}),
    io:put_chars("=> listening\n").

leave(Node) ->
    {foo, Node} ! noevents,
    receive ok -> ok; {error, _} -> ok after 10000 -> exit(no_reply) end,
    part(Node).

%% Number and Sent are the last two headers.
number([{_, Value}, _]) -> to_integer(Value);
number([_ | Rest]) -> number(Rest).

number_and_time([{_, Number}, {_, Sent}]) -> {to_integer(Number), to_integer(Sent)};
number_and_time([_ | Rest]) -> number_and_time(Rest).

to_integer(Value) when is_list(Value) -> list_to_integer(Value);
to_integer(Value) -> binary_to_integer(Value).

percentiles([]) -> exit(no_event);
percentiles(Times) ->
    Sorted = list_to_tuple(lists:sort(Times)),
    Size = tuple_size(Sorted),
    [element(max(1, round(Size * Part)), Sorted) || Part <- [0.5, 0.99]].

%% Calls that a process of their own answers and hangs up, so many at a time. Each is dialled to
%% loopback/handled-MICROSECONDS-NODE/bench, whose dialplan hands it to `bench_desk:! NODE`: the number says when.
%% [Calls a second, P50 and P99 of the microseconds from the dialling to its process, calls that ended].
calls(Node, Count, AtOnce) ->
    Self = self(),
    no_desk(),
    Desk = spawn_link(fun() -> register(bench_desk, self()), desk(Self) end),
    Found = dialled(Node, handled, Count, AtOnce),
    unlink(Desk),
    exit(Desk, kill),
    Found.

%% The same, by so many members of a process group: the dialplan hands calls for grouped-... to `pg:bench_desks NODE`.
grouped(Node, Count, AtOnce, Members) ->
    Self = self(),
    pg:start(pg), % it stays
    Pids = [spawn_link(fun() -> ok = pg:join(bench_desks, self()), Self ! {joined, self()}, member(Node, Self) end) ||
        _ <- lists:seq(1, Members)],
    [receive {joined, Pid} -> ok end || Pid <- Pids],
    Found = dialled(Node, grouped, Count, AtOnce),
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Pids],
    Found.

dialled(Node, Extension, Count, AtOnce) ->
    [{foo, Node} ! {api, fsctl, Setting} || Setting <- ["sps 10000", "max_sessions 10000", "loglevel err"]],
    Began = erlang:monotonic_time(millisecond),
    [dial(Node, Extension) || _ <- lists:seq(1, min(AtOnce, Count))],
    {Times, Ended} = follow(Node, Extension, Count, Count - min(AtOnce, Count), [], 0),
    Took = erlang:monotonic_time(millisecond) - Began,
    Sorted = list_to_tuple(lists:sort([0 | Times])),
    At = fun(Share) -> element(max(1, round(tuple_size(Sorted) * Share)), Sorted) end,
    [Ended * 1000 / Took, At(0.5), At(0.99), Ended].

%% Answer and hang up the calls that others dial, from now on: [1].
answer() ->
    Self = self(),
    no_desk(),
    spawn(fun() -> register(bench_desk, self()), Self ! there, desk(Self) end),
    receive there -> [1] end.

no_desk() ->
    case whereis(bench_desk) of
        undefined -> ok;
        Old -> Monitor = monitor(process, Old), exit(Old, kill), receive {'DOWN', Monitor, _, _, _} -> ok end
    end.

%% Dial another for each that has ended. What answers the bgapi is not looked at.
follow(_, _, Count, _, Times, Count) -> {Times, Count};
follow(Node, Extension, Count, Left, Times, Ended) ->
    receive
        {taken, Time} -> follow(Node, Extension, Count, Left, [Time | Times], Ended);
        ended when Left > 0 -> dial(Node, Extension), follow(Node, Extension, Count, Left - 1, Times, Ended + 1);
        ended -> follow(Node, Extension, Count, Left, Times, Ended + 1);
        _ -> follow(Node, Extension, Count, Left, Times, Ended)
    after 20000 -> {Times, Ended}
    end.

dial(Node, Extension) ->
    Number = lists:concat([Extension, "-", erlang:system_time(microsecond), "-", node()]),
    {foo, Node} ! {bgapi, originate, lists:concat(["loopback/", Number, "/bench &park()"])}.

desk(Owner) ->
    receive
        {get_pid, _, Ref, Switch} -> Switch ! {Ref, spawn(fun() -> take(node(Switch), Owner) end)};
        _ -> ok
    end,
    desk(Owner).

%% The process of one call.
take(Node, Owner) ->
    receive
        {call, {event, Event}} -> answer_and_hang_up(Node, Owner, Event), take(Node, Owner);
        {call_hangup, _} -> Owner ! ended;
        _ -> take(Node, Owner)
    after 20000 -> gone
    end.

%% The process of many.
member(Node, Owner) ->
    receive
        {call, {event, Event}} -> answer_and_hang_up(Node, Owner, Event);
        {call_hangup, _} -> Owner ! ended;
        _ -> ok
    end,
    member(Node, Owner).

answer_and_hang_up(Node, Owner, [UUID | Headers]) ->
    Now = erlang:system_time(microsecond),
    case string:split(proplists:get_value("Caller-Destination-Number", Headers), "-", all) of
        [_, Dialled | _] -> Owner ! {taken, Now - list_to_integer(Dialled)};
        ["sip"] -> ok
    end,
    [{foo, Node} ! {sendmsg, UUID, Message} || Message <- [
        [{"call-command", "execute"}, {"execute-app-name", "answer"}, {"event-lock", "true"}],
        [{"call-command", "hangup"}, {"hangup-cause", "NORMAL_CLEARING"}]]].

%% Have so many more subscriptions, to events that do not come, until the switch goes: [1].
subscriptions(Node, Count) ->
    Self = self(),
    spawn(fun() ->
        [{ok, _} = answer_to(Node, {subscribe, [{'CUSTOM', absent()}]}) || _ <- lists:seq(1, Count)],
        Self ! asked,
        receive never -> ok end
    end),
    receive asked -> [1] after 60000 -> exit(no_reply) end.

absent() -> lists:concat(["bench::absent", erlang:unique_integer([positive])]).

%% Applications that a parked call executes, one after the other: [P50, P99] in microseconds.
execute(Node, UUID, Count) -> percentiles([executed(Node, UUID) || _ <- lists:seq(1, Count)]).

%% So many processes, spread over the calls, each of which waits for Each executes, one after the other:
%% [executes a second, how many were not done].
executes(Node, UUIDs, Processes, Each) ->
    Self = self(),
    Calls = list_to_tuple(UUIDs),
    Began = erlang:monotonic_time(microsecond),
    Pids = [begin
        UUID = element(Number rem tuple_size(Calls) + 1, Calls),
        spawn_link(fun() -> [executed(Node, UUID) || _ <- lists:seq(1, Each)], Self ! {self(), Each} end)
    end || Number <- lists:seq(1, Processes)],
    Done = lists:sum([receive {Pid, Count} -> Count after 60000 -> 0 end || Pid <- Pids]),
    [Done * 1000000 / (erlang:monotonic_time(microsecond) - Began), Processes * Each - Done].

executed(Node, UUID) ->
    Began = erlang:monotonic_time(nanosecond),
    {ok, #{response := _}} = answer_to(Node, {execute, UUID, set, "a=b"}),
    (erlang:monotonic_time(nanosecond) - Began) / 1000.

%% Dial calls, of one leg each, to a process of their own, which keeps them until the switch goes: [how many have one].
%% Later ones come on top.
hold(Node, Count) ->
    [{foo, Node} ! {api, fsctl, Setting} || Setting <- ["sps 10000", "max_sessions 10000", "loglevel err"]],
    Self = self(),
    no_desk(),
    spawn(fun() -> register(bench_desk, self()), hold_desk(Self) end),
    [dial_held(Node) || _ <- lists:seq(1, min(50, Count))],
    [held(Node, Count, Count - min(50, Count), 0)].

held(_, Count, _, Count) -> Count;
held(Node, Count, Left, Held) ->
    receive
        held when Left > 0 -> dial_held(Node), held(Node, Count, Left - 1, Held + 1);
        held -> held(Node, Count, Left, Held + 1);
        _ -> held(Node, Count, Left, Held)
    after 20000 -> Held
    end.

dial_held(Node) ->
    {foo, Node} ! {bgapi, originate, lists:concat(["null/1 handled-0-", node(), " XML bench"])}.

hold_desk(Owner) ->
    receive
        {get_pid, _, Ref, Switch} -> Switch ! {Ref, spawn(fun() -> keep(Owner) end)};
        _ -> ok
    end,
    hold_desk(Owner).

keep(Owner) ->
    receive {call, _} -> Owner ! held; _ -> ok end,
    keep(Owner).

%% Give the node's events Count filters, on headers that they do not have: [1].
filters(Node, Count) ->
    [begin
        {foo, Node} ! {filter, list_to_atom(lists:concat(["add Bench-Absent-", Number, " x"]))},
        receive {filter_command_processing_log, _} -> ok after 10000 -> exit(no_reply) end
    end || Number <- lists:seq(1, Count)],
    [1].

%% Ask for Count subclasses, of events that do not come, until the switch goes: [1].
subclasses(Node, Count) ->
    Self = self(),
    spawn(fun() -> true = ask(Node, register_event_handler), absent(Node, Count), Self ! asked, receive never -> ok end end),
    receive asked -> [1] after 60000 -> exit(no_reply) end.

absent(Node, Count) ->
    [true = ask(Node, {event, 'CUSTOM', list_to_atom(lists:concat(["bench::absent", Number]))}) ||
        Number <- lists:seq(1, Count)].

%% Be the directory, for lookups/3 on another node.
directory(Node) ->
    Self = self(),
    spawn(fun() ->
        {foo, Node} ! {bind, directory},
        receive ok -> Self ! bound end,
        serve_directory(Node)
    end),
    receive bound -> [1] after 10000 -> exit(not_bound) end.

serve_directory(Node) ->
    receive
        {fetch, _, _, _, _, Id, _} ->
            {foo, Node} ! {fetch_reply, Id, <<"<document type='freeswitch/xml'><section name='directory'>"
                "<domain name='bench'><user id='1000'/></domain></section></document>">>};
        _ -> ok
    end,
    serve_directory(Node).

%% user_exists, one after the other, with that answer: [P50, P99] in microseconds.
lookups(Node, Count, Expected) ->
    Times = list_to_tuple(lists:sort([begin
        Began = erlang:monotonic_time(nanosecond),
        {foo, Node} ! {api, user_exists, "id 1000 bench"},
        receive {ok, Expected} -> (erlang:monotonic_time(nanosecond) - Began) / 1000 after 10000 -> exit(no_reply) end
    end || _ <- lists:seq(1, Count)])),
    [element(max(1, round(Count * Share)), Times) || Share <- [0.5, 0.99]].

%% Log lines of the level DEBUG, from the first to the last: [microseconds, how many did not come]. The one numbered Count
%% is the last; what comes after a pause of Idle milliseconds is not waited for.
lines(Node, Count, Idle) ->
    true = ask(Node, register_log_handler),
    true = ask(Node, {set_log_level, debug}),
    io:put_chars("=> listening\n"),
    Began = first_line(),
    {Last, Received} = count_lines(Count, Idle, 1, Began),
    {foo, Node} ! nolog,
    part(Node),
    [Last - Began, Count - Received].

first_line() ->
    receive {log, Line} ->
        case is_ours(Line) of
            true -> erlang:monotonic_time(microsecond);
            false -> first_line()
        end
    after 60000 -> exit(no_line)
    end.

count_lines(Count, _, Count, Last) -> {Last, Count};
count_lines(Count, Idle, Received, Last) ->
    receive {log, Line} ->
        case is_ours(Line) of
            true -> count_lines(Count, Idle, Received + 1, erlang:monotonic_time(microsecond));
            false -> count_lines(Count, Idle, Received, Last)
        end
    after Idle -> {Last, Received}
    end.

is_ours(Line) -> lists:keyfind(file, 1, Line) =:= {file, "bench.c"}.
