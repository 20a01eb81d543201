%% A node to which something happens while it has calls, look-ups, log lines, events and requests under way.
-module(victim).
-export([start/0, busy/2, coming/2, gone/1, pending/1, tally/0, hang_up/0, quiet/0, reach/1, leave/1]).

-define(PATIENCE, 30000).

start() -> spawn(fun() -> asked:serve(fun(Function, Arguments) -> apply(?MODULE, Function, Arguments) end) end).

%% Have Calls calls, answer look-ups of the directory with nothing, get all events and log lines, and go on asking, until
%% quiet/0: [calls that it has].
busy(Node, Calls) ->
    prepare(Node),
    Desk = process(fun() -> desk(fun(UUID) -> take(Node, UUID) end) end),
    register(victim_desk, Desk),
    [process(fun() -> handler(Node, Requests) end) || Requests <- [
        [{bind, directory}],
        [register_log_handler, {set_log_level, info}],
        [register_event_handler, {event, 'CHANNEL_CREATE', 'CHANNEL_HANGUP_COMPLETE'}],
        [{subscribe, all, [{format, map}]}]
    ]],
    [process(fun() -> ask(Node, 1) end) || _ <- lists:seq(1, 5)],
    [{foo, Node} ! dial(victim_desk) || _ <- lists:seq(1, Calls)],
    wait(fun() -> count(calls) >= Calls end),
    [count(calls)].

%% Have Calls calls dialled, which come to a process here one after the other, every 50 ms, and are hung up by it 100 ms
%% later: [calls that are dialled].
coming(Node, Calls) ->
    prepare(Node),
    Take = fun(UUID) -> erlang:send_after(100, self(), hang_up), take(Node, UUID) end,
    register(victim_desk, process(fun() -> desk(Take) end)),
    Numbers = lists:seq(1, Calls),
    [{foo, Node} ! dial_late(uuid(N), 50 * N, victim_desk) || N <- Numbers],
    ets:insert(victim, {dialled, [uuid(N) || N <- Numbers]}),
    [length([N || N <- Numbers, receive {bgok, _, _} -> true after ?PATIENCE -> false end])].

%% Wait until none of those calls exists any more: [].
gone(Node) ->
    [{_, UUIDs}] = ets:lookup(victim, dialled),
    wait(fun() -> not lists:any(fun(UUID) -> exists(Node, UUID) end, UUIDs) end),
    [].

exists(Node, UUID) ->
    {foo, Node} ! {api, uuid_exists, UUID},
    receive {ok, "true"} -> true; {ok, "false"} -> false after ?PATIENCE -> true end.

uuid(Number) -> lists:concat(["late-", Number, "-", node()]).

%% One of each request that is not answered for long, of a call that is asked for and of a look-up: [].
pending(Node) ->
    prepare(Node),
    register(victim_mute, process(fun() -> mute() end)),
    process(fun() -> {foo, Node} ! {bind, directory}, mute() end),
    [process(fun() -> asked(Node, Request) end) || Request <- [
        {api, msleep, "20000"},
        {api, user_exists, "id 1 pending"},
        {api, originate, "null/1 &sleep(20000)"}
    ]],
    [process(fun() -> asked_in_background(Node, Request) end) || Request <- [
        {bgapi, msleep, "20000"},
        {bgapi, user_exists, "id 2 pending"}
    ]],
    {foo, Node} ! dial(victim_mute),
    timer:sleep(200), % all are under way: there is nothing that says so
    [].

prepare(Node) ->
    process_flag(trap_exit, true),
    ets:info(victim) =:= undefined andalso ets:new(victim, [named_table, public]),
    [exit(Pid, kill) || {{process, Pid}, _} <- ets:tab2list(victim)],
    wait(fun() -> not lists:any(fun is_process_alive/1, [Pid || {{process, Pid}, _} <- ets:tab2list(victim)]) end),
    ets:delete_all_objects(victim),
    wait(fun() -> net_adm:ping(Node) =:= pong end).

process(Run) ->
    Pid = spawn(fun() -> process_flag(trap_exit, true), Run() end),
    ets:insert(victim, {{process, Pid}, true}),
    Pid.

dial(Desk) -> {bgapi, originate, lists:concat(["null/1 ", Desk, ":!-", node(), " XML trials"])}.

dial_late(UUID, Milliseconds, Desk) ->
    Actions = ["sleep:", integer_to_list(Milliseconds), ",erlang:", atom_to_list(Desk), ":! ", atom_to_list(node())],
    {bgapi, originate, lists:append(["{origination_uuid=", UUID, "}null/1 '", lists:append(Actions), "' inline"])}.

%% [calls, call_hangups, calls that had more than one, calls that ended by a nodedown, requests, answers, answers too many, requests told of a nodedown,
%% events, log lines, look-ups].
tally() ->
    Hangups = [N || {{hangup, _}, N} <- ets:tab2list(victim)],
    [count(calls), length(Hangups), length([N || N <- Hangups, N > 1])
     | [count(What) || What <- [calls_told, asked, answered, answered_again, told, events, logs, lookups]]].

%% End all calls, and wait for their call_hangup: as tally/0.
hang_up() ->
    [Pid ! hang_up || {{call, _}, Pid} <- ets:tab2list(victim)],
    Over = fun() -> length([ok || {{hangup, _}, _} <- ets:tab2list(victim)]) + count(calls_told) end,
    wait(fun() -> Over() >= count(calls) end),
    timer:sleep(200), % for one that comes twice
    tally().

%% Ask nothing more, and wait for what is under way: as tally/0.
quiet() ->
    ets:insert(victim, {quiet, true}),
    wait(fun() -> count(asked) =:= count(answered) + count(told) end),
    tally().

%% Connect, as often as it takes: [milliseconds].
reach(Node) ->
    Began = erlang:monotonic_time(millisecond),
    wait(fun() -> net_adm:ping(Node) =:= pong end),
    [erlang:monotonic_time(millisecond) - Began].

leave(Node) -> [case erlang:disconnect_node(Node) of true -> 1; _ -> 0 end].

wait(True) -> wait(True, erlang:monotonic_time(millisecond) + ?PATIENCE).

wait(True, Deadline) ->
    True() orelse erlang:monotonic_time(millisecond) > Deadline orelse begin timer:sleep(20), wait(True, Deadline) end.

count(What) -> case ets:lookup(victim, What) of [{_, N}] -> N; [] -> 0 end.

add(What) -> ets:update_counter(victim, What, 1, {What, 0}).

%% --- its processes

desk(Take) ->
    receive
        {get_pid, UUID, Ref, Switch} -> Switch ! {Ref, process(fun() -> Take(UUID) end)};
        _ -> ok
    end,
    desk(Take).

take(Node, UUID) ->
    receive
        {call, _} -> erlang:monitor_node(Node, true), ets:insert(victim, {{call, UUID}, self()}), add(calls);
        {nodedown, _} -> ets:member(victim, {hangup, UUID}) orelse add(calls_told);
        {call_hangup, UUID} -> add({hangup, UUID});
        hang_up -> {foo, Node} ! {sendmsg, UUID, [{"call-command", "hangup"}]};
        _ -> ok
    end,
    take(Node, UUID).

handler(Node, Requests) ->
    [{foo, Node} ! Request || Request <- Requests],
    handle(Node).

handle(Node) ->
    receive
        {fetch, _, _, _, _, ID, _} -> add(lookups), {foo, Node} ! {fetch_reply, ID, ""};
        {event, _} -> add(events);
        {event, _, _} -> add(events);
        {log, _} -> add(logs);
        _ -> ok
    end,
    handle(Node).

ask(Node, Number) ->
    Text = integer_to_list(Number),
    ets:member(victim, quiet) andalso exit(normal),
    erlang:monitor_node(Node, true),
    add(asked),
    {foo, Node} ! {api, echo, Text},
    answered(Node, Text),
    erlang:monitor_node(Node, false),
    timer:sleep(5),
    ask(Node, Number + 1).

answered(Node, Text) ->
    receive
        {ok, Text} -> add(answered);
        {ok, _} -> add(answered_again), answered(Node, Text);
        {nodedown, Node} -> add(told), exit(normal)
    end.

asked(Node, Request) ->
    erlang:monitor_node(Node, true),
    add(asked),
    {foo, Node} ! Request,
    receive
        {ok, _} -> add(answered);
        {error, _} -> add(answered);
        {nodedown, Node} -> add(told)
    end,
    receive
        {ok, _} -> add(answered_again);
        {error, _} -> add(answered_again)
    after 1000 -> ok
    end.

asked_in_background(Node, Request) ->
    erlang:monitor_node(Node, true),
    add(asked),
    {foo, Node} ! Request,
    receive
        {bgok, _, _} -> add(answered);
        {bgerror, _, _} -> add(answered);
        {nodedown, Node} -> add(told)
    end.

mute() -> receive never -> ok end.
