%% Members of a pg group that take calls, for the tests of pg:Group.
-module(members).
-export([desk/1, start/1, start/2, calls/1, stop/1, storm/4, churn/2]).

%% The scope, if it is not there yet, outside the caller's life.
scope(Scope) ->
    case pg:start(Scope) of
        {ok, _} -> ok;
        {error, {already_started, _}} -> ok
    end.

start(Group) -> start(pg, Group).

%% A new member, which keeps the UUIDs of the calls that it was given, hangs none up, and tells when asked.
start(Scope, Group) ->
    scope(Scope),
    Pid = spawn(fun() -> loop([]) end),
    ok = pg:join(Scope, Group, Pid),
    Pid.

loop(Calls) ->
    receive
        {call, {event, [UUID | _]}} -> loop(Calls ++ [UUID]);
        {calls, From} -> From ! {calls, self(), Calls}, loop(Calls);
        {stop, Reason} -> exit(Reason);
        {call_hangup, _} -> loop(Calls);
        _ -> loop(Calls)
    end.

calls(Pid) ->
    Pid ! {calls, self()},
    receive {calls, Pid, Calls} -> Calls after 5000 -> timeout end.

stop(Pid) ->
    Monitor = monitor(process, Pid),
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end.

%% A new member that takes calls of several switches, and forgets those of one that is gone.
desk(Group) ->
    scope(pg),
    Pid = spawn(fun() -> desk_loop(#{}) end),
    ok = pg:join(Group, Pid),
    Pid.

desk_loop(Calls) ->
    receive
        {call, {event, [UUID | Headers]}} ->
            Node = list_to_atom(proplists:get_value("Erlang-Node", Headers)),
            maps:is_key(UUID, Calls) orelse erlang:monitor_node(Node, true),
            desk_loop(Calls#{UUID => Node});
        {call_hangup, UUID} -> desk_loop(maps:remove(UUID, Calls));
        {call_taken, UUID} -> desk_loop(maps:remove(UUID, Calls));
        {nodedown, Node} -> desk_loop(maps:filter(fun(_, Of) -> Of =/= Node end, Calls));
        {calls, From} -> From ! {calls, self(), maps:to_list(Calls)}, desk_loop(Calls);
        _ -> desk_loop(Calls)
    end.

%% Count calls to Target, "pg:...", AtOnce at a time; one that has lost its member is transferred to the extension `group'.
%% How they ended: how many with each cause.
storm(Node, Target, Count, AtOnce) ->
    [ask(Node, Request) || Request <- [register_event_handler, {event, 'CHANNEL_HANGUP_COMPLETE'}]],
    [dial(Node, Target, N) || N <- lists:seq(1, AtOnce)],
    follow(Node, Target, Count, AtOnce, #{}).

ask(Node, Request) ->
    {any, Node} ! Request,
    receive ok -> ok end.

dial(Node, Target, N) ->
    UUID = lists:concat(["storm-", node(), "-", N]),
    Variables = ["{origination_uuid=", UUID, ",erlang_on_handler_exit='transfer group XML default'}"],
    Command = [Variables, "loopback/park/default '&erlang(", Target, ")'"],
    spawn(fun() -> {any, Node} ! {bgapi, originate, Command}, receive {bgok, _, _} -> ok; {bgerror, _, _} -> ok end end).

follow(_, _, Count, _, Ended) when map_size(Ended) =:= Count ->
    lists:foldl(fun(Cause, Counts) -> maps:update_with(Cause, fun(N) -> N + 1 end, 1, Counts) end, #{}, maps:values(Ended));
follow(Node, Target, Count, Dialled, Ended) ->
    receive
        {event, ["storm-" ++ _ = UUID | Headers]} ->
            Dialled < Count andalso dial(Node, Target, Dialled + 1),
            follow(Node, Target, Count, Dialled + 1, Ended#{UUID => proplists:get_value("Hangup-Cause", Headers)});
        _ -> follow(Node, Target, Count, Dialled, Ended)
    after 30000 -> {timeout, maps:size(Ended), Dialled}
    end.

%% Count members of the group `storm' that come and go: every few milliseconds the oldest is killed, and a new one begins.
%% Each hangs up the calls that it has with USER_BUSY, as nobody else does, one after the other. The atom `stop' ends it.
churn(Node, Count) ->
    scope(pg),
    spawn(fun() -> churn_on([worker(Node) || _ <- lists:seq(1, Count)], Node) end).

churn_on([Oldest | Others], Node) ->
    receive
        stop -> ok
    after 25 ->
        exit(Oldest, kill),
        churn_on(Others ++ [worker(Node)], Node)
    end.

worker(Node) ->
    Pid = spawn(fun() -> work(Node) end),
    ok = pg:join(storm, Pid),
    Pid.

work(Node) ->
    receive
        {call, {event, [UUID | _]}} ->
            timer:sleep(rand:uniform(20)),
            {any, Node} ! {sendmsg, UUID, [{"call-command", "hangup"}, {"hangup-cause", "USER_BUSY"}]},
            work(Node);
        _ -> work(Node)
    end.
