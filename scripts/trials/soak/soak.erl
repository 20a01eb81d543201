%% What the Erlang nodes of `make soak` do, and what became of it: nodes.py asks. Times are in microseconds.
%%
%% A worker does one thing after the other, and takes what comes to it for the answer: what comes besides is one too
%% many. What is not right, or does not come in a minute, ends the worker; another one goes on. So what was asked for
%% and never answered is lost.
-module(soak).
-export([start/0, desk/1, ear/1, visitor/1, guest/1, counts/0, rest/0, rest/2, open_desk/1, work/2, doomed/1]).

%% As counts.py has them.
-define(KINDS, [api, bgapi, gen_server, rpc, execute, denied, lookup, fetch_reply, event, subscription, acknowledged,
                burst, mark, line, subscribe, call, sip, handler_death, node_death, visit, reload]).
-define(BUCKETS, 120). % of the time that it took, four for each doubling
-define(FIELDS, (4 + ?BUCKETS)).
-define(ASKED, 1).
-define(ANSWERED, 2).
-define(DOUBLED, 3).
-define(WORST, 4).

-define(PATIENCE, 60000). % milliseconds
-define(LINGER, 1000).    % that a call's process looks for what comes twice
-define(WORKERS, 128).    % jobs of bgapi that run at once, at most
-define(CROWDED, 5000).   % milliseconds
-define(BURST, 1000).     % events
-define(NOTES, 100).      % lines about what went wrong that a node writes at most

%% Of the atomics `state`.
-define(RESTS, 1).
-define(NOTED, 2).
-define(TICKS, 3).
-define(MARKS, 4).

start() ->
    spawn(fun() ->
        persistent_term:put(counts, atomics:new(length(?KINDS) * ?FIELDS, [])),
        persistent_term:put(state, atomics:new(4, [])),
        ets:new(workers, [named_table, public]),
        ets:new(dialled, [named_table, public]),
        asked:serve(fun(Function, Arguments) -> apply(?MODULE, Function, Arguments) end)
    end).

%% --- what nodes.py asks for

%% Ask for everything, dial calls and handle them, fire what others watch for: [1]. The ear is there by then.
desk(Node) ->
    open_desk(Node),
    receive_ticks(subscription, Node, [{format, map}]),
    receive_ticks(acknowledged, Node, [{ack, 100}, {headers, ["Number", "Sent"]}]),
    [work(Kind, Node) || Kind <- [api, bgapi, crowd, gen_server, rpc, execute, lookup, tick, burst, mark, subscribe,
        call, handler_death, node_death, reload]],
    [1].

%% Have the switch hand its calls to this node: [1].
open_desk(Node) ->
    Self = self(),
    spawn(fun() -> register(soak_desk, self()), Self ! there, answer_desk() end),
    receive there -> ok end,
    {foo, Node} ! {api, global_setvar, lists:concat(["soak_desk=", node()])},
    receive {ok, _} -> [1] after ?PATIENCE -> exit(no_reply) end.

%% Answer look-ups, and receive events and log lines: [1], when all of it was asked for.
ear(Node) ->
    Self = self(),
    Ready = fun() -> Self ! there end,
    [begin spawn(fun() -> Receive(Node, Ready) end), receive there -> ok after ?PATIENCE -> exit(no_reply) end end
        || Receive <- [fun directory/2, fun handler/2, fun log_handler/2]],
    [1].

%% Come and go: [1].
visitor(Node) -> work(visit, Node).

%% Ask for what this node has the right to, and for what it has not: [1].
guest(Node) -> [work(Kind, Node) || Kind <- [api, denied]], [1].

%% What there was of each kind until now: asked, answered, doubled, worst, and how many took how long.
counts() ->
    Counts = persistent_term:get(counts),
    [atomics:get(Counts, At) || At <- lists:seq(1, length(?KINDS) * ?FIELDS)].

%% Begin nothing more, and wait for what is under way: [ticks, marks] that this node had made.
rest() ->
    State = persistent_term:get(state),
    atomics:put(State, ?RESTS, 1),
    Monitors = [monitor(process, Pid) || {Pid} <- ets:tab2list(workers)],
    [receive {'DOWN', Monitor, _, _, _} -> ok end || Monitor <- Monitors],
    Found = [atomics:get(State, ?TICKS), atomics:get(State, ?MARKS)],
    wait_for(subscription, hd(Found)),
    wait_for(acknowledged, hd(Found)),
    timer:sleep(2 * ?LINGER),
    Found.

%% Wait, as long as patience goes, for so many ticks and marks, and for the answers to what was answered: [1].
rest(Ticks, Marks) ->
    wait_for(event, Ticks),
    wait_for(mark, Marks),
    wait_for(fetch_reply, read(fetch_reply, ?ASKED)),
    timer:sleep(?LINGER),
    [1].

wait_for(Kind, Count) -> wait_for(Kind, Count, now_ms() + ?PATIENCE).

wait_for(Kind, Count, Deadline) ->
    case read(Kind, ?ANSWERED) >= Count orelse now_ms() > Deadline of
        true -> ok;
        false -> timer:sleep(20), wait_for(Kind, Count, Deadline)
    end.

%% --- counting

asked(Kind) -> asked(Kind, 1).
asked(Kind, Count) -> atomics:add(persistent_term:get(counts), at(Kind, ?ASKED), Count).

answered(Kind, Took) ->
    Counts = persistent_term:get(counts),
    atomics:add(Counts, at(Kind, ?WORST) + 1 + bucket(Took), 1),
    at_least(Counts, at(Kind, ?WORST), Took, 0),
    atomics:add(Counts, at(Kind, ?ANSWERED), 1).

doubled(Kind, What) ->
    note("~s: nobody awaited ~0tP", [Kind, What, 20]),
    atomics:add(persistent_term:get(counts), at(Kind, ?DOUBLED), 1).

read(Kind, Field) -> atomics:get(persistent_term:get(counts), at(Kind, Field)).

at(Kind, Field) -> place(Kind, ?KINDS, 0) * ?FIELDS + Field.

place(Kind, [Kind | _], Place) -> Place;
place(Kind, [_ | Kinds], Place) -> place(Kind, Kinds, Place + 1).

bucket(Took) -> min(?BUCKETS - 1, trunc(4 * math:log2(max(1, Took)))).

at_least(Counts, At, Value, Seen) when Value > Seen ->
    case atomics:compare_exchange(Counts, At, Seen, Value) of
        ok -> ok;
        Other -> at_least(Counts, At, Value, Other)
    end;
at_least(_, _, _, _) -> ok.

note(Format, Arguments) ->
    case atomics:add_get(persistent_term:get(state), ?NOTED, 1) =< ?NOTES of
        true -> io:format(standard_error, "~s: " ++ Format ++ "~n", [node() | Arguments]);
        false -> ok
    end.

now_ms() -> erlang:monotonic_time(millisecond).
now_us() -> erlang:monotonic_time(microsecond).
system_us() -> erlang:system_time(microsecond).

%% --- workers

%% Begin with that: [1].
work(api, Node) -> workers(2, api, 40, fun(N, _) -> api(Node, N) end);
work(bgapi, Node) -> workers(2, bgapi, 250, fun(N, _) -> bgapi(Node, N) end);
work(crowd, Node) -> workers(1, bgapi, 3600000, fun(_, _) -> crowd(Node) end);
work(gen_server, Node) -> workers(1, gen_server, 50, fun(N, _) -> gen_server(Node, N) end);
work(rpc, Node) -> workers(1, rpc, 100, fun(N, _) -> rpc(Node, N) end);
work(execute, Node) -> workers(2, execute, 0, fun(_, _) -> execute(Node) end);
work(lookup, Node) -> workers(2, lookup, 200, fun(N, _) -> lookup(Node, N) end);
work(tick, Node) -> workers(1, tick, 20, fun(_, _) -> tick(Node) end);
work(burst, Node) -> workers(1, burst, 10000, fun(N, State) -> burst(Node, N, State) end);
work(mark, Node) -> workers(1, mark, 200, fun(_, _) -> mark(Node) end);
work(subscribe, Node) -> workers(2, subscribe, 400, fun(N, _) -> subscribe(Node, N) end);
work(call, Node) -> workers(8, call, 2000, fun(_, _) -> call(Node) end);
work(handler_death, Node) -> workers(2, handler_death, 2000, fun(_, _) -> handler_death(Node) end);
work(node_death, Node) -> workers(1, node_death, 15000, fun(N, _) -> node_death(Node, N) end);
work(visit, Node) -> workers(1, visit, 1000, fun(N, _) -> visit(Node, N) end);
work(denied, Node) -> workers(2, denied, 50, fun(N, _) -> denied(Node, N) end);
work(reload, Node) -> workers(1, reload, 10000, fun(_, _) -> reload(Node) end).

%% So many that do it again every so many milliseconds, each with what it had returned the time before.
workers(Count, Kind, Interval, Round) ->
    [ets:insert(workers, {spawn(fun() -> guard(Kind, Interval, Round) end)}) || _ <- lists:seq(1, Count)],
    [1].

guard(Kind, Interval, Round) ->
    {_, Monitor} = spawn_monitor(fun() -> rounds(Kind, Interval, Round, 1, none) end),
    receive
        {'DOWN', Monitor, _, _, rest} -> ok;
        {'DOWN', Monitor, _, _, Reason} ->
            note("~s: ~0tP", [Kind, Reason, 40]),
            case rests() of true -> ok; false -> timer:sleep(100), guard(Kind, Interval, Round) end
    end.

rounds(Kind, Interval, Round, Number, State) ->
    Began = now_ms(),
    Next = Round(Number, State),
    pause(Began + Interval),
    no_more(Kind),
    case rests() of
        true -> timer:sleep(?LINGER), no_more(Kind), exit(rest);
        false -> rounds(Kind, Interval, Round, Number + 1, Next)
    end.

%% Until then, or the time to rest.
pause(Until) ->
    case Until - now_ms() of
        Left when Left > 1000 -> timer:sleep(1000), rests() orelse pause(Until);
        Left -> timer:sleep(max(0, Left))
    end.

rests() -> atomics:get(persistent_term:get(state), ?RESTS) =:= 1.

no_more(Kind) -> receive Any -> doubled(Kind, Any), no_more(Kind) after 0 -> ok end.

next() -> receive Message -> Message after ?PATIENCE -> exit(nothing_came) end.

%% Ask, and get exactly this.
ask(Kind, Node, Request, Expected) ->
    asked(Kind),
    Began = now_us(),
    {foo, Node} ! Request,
    Expected = next(),
    answered(Kind, now_us() - Began).

%% Another one each time, now and then a long one.
text(Number) when Number rem 100 =:= 0 -> integer_to_list(Number) ++ lists:duplicate(20000, $x);
text(Number) -> integer_to_list(Number).

%% --- asking

api(Node, Number) -> ask(api, Node, {api, echo, text(Number)}, {ok, text(Number)}).

bgapi(Node, Number) ->
    asked(bgapi),
    Began = now_us(),
    {foo, Node} ! {bgapi, echo, text(Number)},
    {ok, Job} = next(),
    {bgok, Job, Output} = next(),
    Output = text(Number),
    answered(bgapi, now_us() - Began).

%% As many jobs at once as the switch has threads for, which stay: there are no more of them later. Each takes so long
%% that all have begun before the first is done.
crowd(Node) ->
    asked(bgapi, ?WORKERS),
    Began = now_us(),
    [{foo, Node} ! {bgapi, msleep, integer_to_list(?CROWDED)} || _ <- lists:seq(1, ?WORKERS)],
    Jobs = [receive {ok, Job} -> Job after ?PATIENCE -> exit(nothing_came) end || _ <- lists:seq(1, ?WORKERS)],
    Done = [receive {bgok, Job, _} -> answered(bgapi, now_us() - Began - ?CROWDED * 1000), Job
        after ?PATIENCE -> exit(nothing_came) end || _ <- Jobs],
    true = lists:sort(Jobs) =:= lists:sort(Done).

%% By OTP's own call, whose runtime drops a second answer; and by hand, where it would be seen.
gen_server(Node, Number) when Number rem 2 =:= 0 ->
    asked(gen_server),
    Began = now_us(),
    Expected = {ok, text(Number)},
    Expected = gen_server:call({any, Node}, {api, echo, text(Number)}, ?PATIENCE),
    answered(gen_server, now_us() - Began);
gen_server(Node, Number) ->
    Tag = make_ref(),
    ask(gen_server, Node, {'$gen_call', {self(), Tag}, {api, echo, text(Number)}}, {Tag, {ok, text(Number)}}).

rpc(Node, Number) ->
    asked(rpc),
    Began = now_us(),
    Expected = {ok, text(Number)},
    Expected = rpc:call(Node, freeswitch, api, [echo, text(Number)], ?PATIENCE),
    answered(rpc, now_us() - Began).

%% In a parked call, of which this is the life.
execute(Node) ->
    UUID = lists:concat(["soak-execute-", erlang:unique_integer([positive]), "-", node()]),
    {foo, Node} ! {api, originate, lists:append(["{origination_uuid=", UUID, "}null/1 parked XML soak"])},
    {ok, "+OK" ++ _} = next(),
    execute(Node, UUID, 200),
    {foo, Node} ! {api, uuid_kill, UUID},
    {ok, _} = next().

execute(_, _, 0) -> ok;
execute(Node, UUID, Left) ->
    Value = integer_to_list(Left),
    asked(execute),
    Began = now_us(),
    {foo, Node} ! {execute, UUID, set, "soak=" ++ Value},
    {ok, #{variables := #{"soak" := Value}}} = next(),
    answered(execute, now_us() - Began),
    timer:sleep(100),
    no_more(execute),
    rests() orelse execute(Node, UUID, Left - 1).

%% One of each family after the other, in every envelope. configuration.py has what the guest may do.
denied(Node, Number) ->
    Requests = [{api, status}, {bgapi, status}, {json_api, #{command => status}},
        {sendevent, 'CUSTOM', "soak::denied", []}, register_event_handler, {event, 'ALL'}, {subscribe, all},
        register_log_handler, {bind, directory}, {handlecall, "soak-denied"},
        {execute, "soak-denied", hangup, ""}, {sendmsg, "soak-denied", [{"call-command", "hangup"}]}],
    Request = lists:nth(Number rem length(Requests) + 1, Requests),
    Denied = {error, eacces},
    case Number div length(Requests) rem 3 of
        0 -> ask(denied, Node, Request, Denied);
        1 -> Tag = make_ref(), ask(denied, Node, {'$gen_call', {self(), Tag}, Request}, {Tag, Denied});
        2 ->
            asked(denied),
            Began = now_us(),
            [Function | Arguments] = if is_atom(Request) -> [Request]; true -> tuple_to_list(Request) end,
            Denied = rpc:call(Node, freeswitch, Function, Arguments, ?PATIENCE),
            answered(denied, now_us() - Began)
    end.

%% With the certificate that it has not: the two change places.
reload(Node) ->
    Certs = filename:join(filename:dirname(code:which(?MODULE)), "certs"),
    Path = fun(Name, Extension) -> filename:join(Certs, Name ++ Extension) end,
    [ok = file:rename(Path(From, Extension), Path(To, Extension)) || Extension <- [".pem", ".key"],
        {From, To} <- [{"switch", "was"}, {"spare", "switch"}, {"was", "spare"}]],
    asked(reload),
    Began = now_us(),
    {foo, Node} ! {api, erlang, "reload"},
    {ok, "+OK 1 changed\nchanged: certificate for localhost" ++ _} = next(),
    answered(reload, now_us() - Began).

%% A user that the ear knows, and one that it does not.
lookup(Node, Number) ->
    Expected = case Number rem 2 of 0 -> "true"; 1 -> "false" end,
    ask(lookup, Node, {api, user_exists, lists:concat(["id ", Number, " soak"])}, {ok, Expected}).

subscribe(Node, Number) ->
    asked(subscribe),
    Began = now_us(),
    Owner = pid_to_list(self()),
    Options = #{filter => [{"Owner", '==', Owner}], headers => ["Number"], format => map},
    {foo, Node} ! {subscribe, [{'CUSTOM', "soak::own"}], Options},
    {ok, Ref} = next(),
    {foo, Node} ! {sendevent, 'CUSTOM', "soak::own", [{"Owner", Owner}, {"Number", Number}]},
    Event = {event, Ref, #{"Number" => integer_to_list(Number)}},
    [Event, ok] = lists:sort(fun(A, _) -> A =/= ok end, [next(), next()]),
    {foo, Node} ! {unsubscribe, Ref},
    ok = next(),
    answered(subscribe, now_us() - Began).

%% --- what is watched for: each once, in order

tick(Node) ->
    Number = atomics:add_get(persistent_term:get(state), ?TICKS, 1),
    [asked(Kind) || Kind <- [event, subscription, acknowledged]],
    {foo, Node} ! {sendevent, 'CUSTOM', "soak::tick", [{"Number", Number}, {"Sent", system_us()}]},
    ok = next().

%% As fast as the switch takes them, to a subscription of its own.
burst(Node, _, none) ->
    {foo, Node} ! {subscribe, [{'CUSTOM', "soak::burst"}]},
    {ok, Ref} = next(),
    burst(Node, 1, Ref);
burst(Node, Round, Ref) ->
    Padding = [{lists:concat(["Padding-", N]), "a value as long as they often are"} || N <- lists:seq(1, 60)],
    First = ?BURST * (Round - 1) + 1,
    asked(burst, ?BURST),
    [{foo, Node} ! {sendevent, 'CUSTOM', "soak::burst", Padding ++ [{"Number", N}, {"Sent", system_us()}]} ||
        N <- lists:seq(First, First + ?BURST - 1)],
    burst_of(Ref, First - 1, First + ?BURST - 1, ?BURST),
    Ref.

burst_of(_, Last, Last, 0) -> ok;
burst_of(Ref, Last, End, Replies) ->
    case next() of
        ok -> burst_of(Ref, Last, End, Replies - 1);
        {event, Ref, Event} ->
            burst_of(Ref, came(burst, Last, header("Number", Event), header("Sent", Event)), End, Replies)
    end.

mark(Node) ->
    Number = atomics:add_get(persistent_term:get(state), ?MARKS, 1),
    asked(mark),
    {foo, Node} ! {api, log, lists:concat(["debug soak-mark ", Number, " ", system_us()])},
    {ok, "+OK\n"} = next().

came(Kind, Last, Number, Sent) when Number > Last ->
    Number =:= Last + 1 orelse note("~s: ~w came after ~w", [Kind, Number, Last]),
    answered(Kind, max(0, system_us() - Sent)),
    Number;
came(Kind, Last, Number, _) ->
    doubled(Kind, {Number, behind, Last}),
    Last.

receive_ticks(Kind, Node, Options) ->
    Self = self(),
    spawn(fun() ->
        {foo, Node} ! {subscribe, [{'CUSTOM', "soak::tick"}], Options},
        {ok, Ref} = next(),
        Self ! there,
        ticks(Kind, Node, Ref, 0)
    end),
    receive there -> ok after ?PATIENCE -> exit(no_reply) end.

ticks(Kind, Node, Ref, Last) ->
    receive
        {event, Ref, Event} ->
            Next = came(Kind, Last, header("Number", Event), header("Sent", Event)),
            case Kind =:= acknowledged andalso Next rem 10 =:= 0 of
                true -> {foo, Node} ! {ack, Ref, 10};
                false -> ok
            end,
            ticks(Kind, Node, Ref, Next);
        Other -> doubled(Kind, Other), ticks(Kind, Node, Ref, Last)
    end.

header(Name, Map) when is_map(Map) -> list_to_integer(maps:get(Name, Map));
header(Name, [_ | Headers]) -> list_to_integer(proplists:get_value(Name, Headers)).

handler(Node, Ready) ->
    Requests = [register_event_handler, {event, 'CUSTOM', 'soak::tick'}],
    [begin {foo, Node} ! Request, ok = next() end || Request <- Requests],
    Ready(),
    handle(0).

handle(Last) ->
    receive
        {event, Event} -> handle(came(event, Last, header("Number", Event), header("Sent", Event)));
        Other -> doubled(event, Other), handle(Last)
    end.

log_handler(Node, Ready) ->
    {foo, Node} ! register_log_handler,
    ok = next(),
    Ready(),
    lines(0).

lines(Last) ->
    receive
        {log, Line} ->
            asked(line),
            answered(line, 0),
            lines(case mark_of(Line) of
                [Number, Sent] -> came(mark, Last, list_to_integer(Number), list_to_integer(Sent));
                none -> Last
            end);
        Other -> doubled(line, Other), lines(Last)
    end.

%% The line that mark/1 has logged, behind what FreeSWITCH writes before each.
mark_of(Line) ->
    case proplists:get_value(file, Line) =:= "mod_commands.c"
        andalso string:split(proplists:get_value(data, Line), "soak-mark ") of
        [_, Mark] -> string:lexemes(Mark, " \n");
        _ -> none
    end.

%% --- look-ups

directory(Node, Ready) ->
    {foo, Node} ! {bind, directory},
    ok = next(),
    Ready(),
    look_up(Node, queue:new()).

%% Replies: those that FreeSWITCH has not acknowledged, in the order in which they were sent.
look_up(Node, Replies) ->
    receive
        {fetch, directory, _, _, _, Id, [_ | Parameters]} ->
            asked(fetch_reply),
            {foo, Node} ! {fetch_reply, Id, user(proplists:get_value("user", Parameters))},
            look_up(Node, queue:in({Id, now_us()}, Replies));
        Answer ->
            case {queue:out(Replies), Answer} of
                {{{value, {Id, Began}}, Rest}, {ok, Id}} ->
                    answered(fetch_reply, now_us() - Began),
                    look_up(Node, Rest);
                {{{value, _}, Rest}, _} when element(1, Answer) =:= error ->
                    note("fetch_reply: ~0tP", [Answer, 20]),
                    look_up(Node, Rest);
                _ ->
                    doubled(fetch_reply, Answer),
                    look_up(Node, Replies)
            end
    end.

%% Who has an even number is known.
user(Name) when is_list(Name) ->
    case string:to_integer(Name) of
        {Number, ""} when Number rem 2 =:= 0 ->
            ["<document type='freeswitch/xml'><section name='directory'><domain name='soak'><user id='", Name,
             "'/></domain></section></document>"];
        _ -> ""
    end;
user(_) -> "".

%% --- calls

%% By its number the desk finds who has dialled it.
dial(Node, Extension) ->
    Number = integer_to_list(erlang:unique_integer([positive])),
    ets:insert(dialled, {Number, self()}),
    {foo, Node} ! {bgapi, originate, lists:concat(["loopback/", Extension, "-", Number, "/soak &park()"])},
    Number.

call(Node) ->
    asked(call),
    Began = now_us(),
    Number = dial(Node, taken),
    answered(call, story(call, [job, done, taken, over]) - Began),
    ets:delete(dialled, Number).

%% The process that has the call dies with it; the dialplan goes on, to another.
handler_death(Node) ->
    asked(handler_death),
    Number = dial(Node, dying),
    receive {taken, Taker} -> Taker ! die after ?PATIENCE -> exit(never_taken) end,
    Began = now_us(),
    answered(handler_death, story(handler_death, [job, done, taken, over]) - Began),
    ets:delete(dialled, Number).

%% What is still to come of a call that this process has dialled, each once, in any order. Returns when it was taken.
story(Kind, Left) -> story(Kind, Left, 0).

story(_, [], Taken) -> Taken;
story(Kind, Left, Taken) ->
    {What, When} = receive
        {ok, _} -> {job, Taken};
        {bgok, _, _} -> {done, Taken};
        {bgerror, _, _} -> {done, Taken}; % hung up before it was through
        {taken, Taker} -> Taker ! {serve, Kind}, {taken, now_us()};
        over -> {over, Taken}
    after ?PATIENCE -> exit({never_came, Left})
    end,
    lists:member(What, Left) orelse doubled(Kind, What),
    story(Kind, lists:delete(What, Left), When).

%% Gives each call a process of its own, and tells who has dialled one what he could not see.
answer_desk() ->
    receive
        {get_pid, _, Ref, Switch} -> Switch ! {Ref, spawn(fun() -> take(node(Switch)) end)};
        {tell, Number, What} -> tell(Number, What);
        Other -> note("desk: ~0tP", [Other, 20])
    end,
    answer_desk().

tell(Number, What) ->
    case ets:lookup(dialled, Number) of
        [{_, Dialler}] -> Dialler ! What;
        [] -> note("nobody has dialled ~s: ~0tP", [Number, What, 20])
    end.

take(Node) ->
    {call, {event, [UUID | Headers]}} = next(),
    case string:split(proplists:get_value("Caller-Destination-Number", Headers), "-", all) of
        ["sip"] ->
            asked(sip),
            Began = now_us(),
            serve(Node, UUID, sip, fun() -> answered(sip, now_us() - Began) end);
        [_, Number | _] ->
            tell(Number, {taken, self()}),
            (fun F() -> receive
                die -> exit(soaked);
                {serve, Kind} -> serve(Node, UUID, Kind, fun() -> tell(Number, over) end);
                {call_event, _} -> F()
            after ?PATIENCE -> note("nobody waits for ~s", [UUID]), exit(nobody_waits)
            end end)()
    end.

serve(Node, UUID, Kind, Over) ->
    [{foo, Node} ! {sendmsg, UUID, Message} || Message <- [
        [{"call-command", "execute"}, {"execute-app-name", "answer"}, {"event-lock", "true"}],
        [{"call-command", "hangup"}, {"hangup-cause", "NORMAL_CLEARING"}]]],
    until_over(UUID, Kind, [ok, ok, over]),
    Over(),
    timer:sleep(?LINGER),
    no_more(Kind).

%% Its events and then its end; and two answers, which come in no order with these.
until_over(_, _, []) -> ok;
until_over(UUID, Kind, Left) ->
    What = receive
        {call_event, {event, [UUID | _]}} -> event;
        {call_hangup, UUID} -> over;
        Other -> Other
    after ?PATIENCE ->
        note("~s: no end of ~s: ~0tp", [Kind, UUID, Left]),
        exit(no_end)
    end,
    case What =:= event andalso lists:member(over, Left) orelse lists:member(What, Left) of
        true -> until_over(UUID, Kind, Left -- [What]);
        false -> doubled(Kind, What), until_over(UUID, Kind, Left)
    end.

%% --- nodes that die with calls

%% A node is started, gets three calls, and is killed; the dialplan goes on, to the desk.
node_death(Node, Number) ->
    whereis(soak_deaths) =:= self() orelse register(soak_deaths, self()),
    Name = lists:concat(["doomed", os:getpid(), "_", Number, "@localhost"]),
    Arguments = ["-noinput", "-hidden", "-sname", Name, "-setcookie", atom_to_list(erlang:get_cookie()),
        "-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "+S", "1",
        "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
        "-pa", filename:dirname(code:which(?MODULE)), "-run", "soak", "doomed", atom_to_list(node())],
    Port = open_port({spawn_executable, os:find_executable("erl")}, [{args, Arguments}, exit_status]),
    {os_pid, Pid} = erlang:port_info(Port, os_pid),
    receive there -> ok after ?PATIENCE -> os:cmd("kill -9 " ++ integer_to_list(Pid)), exit(did_not_start) end,
    Self = self(),
    Callers = [spawn_monitor(fun() -> doomed_call(Node, Name, Self) end) || _ <- [1, 2, 3]],
    [receive {has, Caller} -> ok; {'DOWN', Monitor, _, _, _} = Down -> Self ! Down end || {Caller, Monitor} <- Callers],
    os:cmd("kill -9 " ++ integer_to_list(Pid)),
    [Caller ! {killed, now_us()} || {Caller, _} <- Callers],
    [receive {'DOWN', Monitor, _, _, Why} -> Why =:= normal orelse note("node_death: ~0tP", [Why, 20]) end
        || {_, Monitor} <- Callers],
    receive {Port, {exit_status, _}} -> ok after ?PATIENCE -> exit(did_not_end) end.

doomed_call(Node, Doomed, Owner) ->
    asked(node_death),
    Number = integer_to_list(erlang:unique_integer([positive])),
    ets:insert(dialled, {Number, self()}),
    {foo, Node} ! {bgapi, originate, lists:concat(["loopback/doomed-", Number, "-", Doomed, "/soak &park()"])},
    receive has -> Owner ! {has, self()} after ?PATIENCE -> exit(never_taken) end,
    Began = receive {killed, When} -> When after ?PATIENCE -> exit(not_killed) end,
    answered(node_death, max(0, story(node_death, [job, done, taken, over]) - Began)),
    timer:sleep(?LINGER),
    no_more(node_death),
    ets:delete(dialled, Number).

%% Such a node: it takes calls, tells the desk so, and ends with it.
doomed([Desk]) ->
    Node = list_to_atom(Desk),
    spawn(fun() ->
        register(soak_doomed, self()),
        monitor_node(Node, true),
        {soak_deaths, Node} ! there,
        doom(Node)
    end).

doom(Desk) ->
    receive
        {get_pid, _, Ref, Switch} -> Switch ! {Ref, spawn(fun() -> hold(Desk) end)}, doom(Desk);
        {nodedown, Desk} -> erlang:halt(0, [{flush, false}])
    end.

hold(Desk) ->
    {call, {event, [_ | Headers]}} = next(),
    [_, Number | _] = string:split(proplists:get_value("Caller-Destination-Number", Headers), "-", all),
    {soak_desk, Desk} ! {tell, Number, has},
    receive never -> ok end.

%% --- visits

%% Connect, have a part in everything, and go without a word. It answers look-ups that it knows nobody.
visit(Node, Number) ->
    asked(visit),
    Began = now_us(),
    Self = self(),
    {Visitor, Monitor} = spawn_monitor(fun() ->
        process_flag(trap_exit, true), % the switch's pid is linked to this process
        Expected = {ok, text(Number)},
        {foo, Node} ! {api, echo, text(Number)},
        Expected = next(),
        Connected = now_us() - Began,
        [begin {foo, Node} ! Request, ok = reply() end ||
            Request <- [register_event_handler, {event, 'ALL'}, register_log_handler, {bind, directory}]],
        {foo, Node} ! {subscribe, all, #{format => map}},
        {ok, Ref} = reply(),
        {foo, Node} ! {bgapi, msleep, "1000"},
        {ok, _} = reply(),
        stay(Node, Ref, [event, subscription], now_ms() + 300),
        Self ! {took, Connected},
        receive never -> ok end
    end),
    Took = receive
        {took, Microseconds} -> Microseconds;
        {'DOWN', Monitor, _, _, Reason} -> exit(Reason)
    end,
    erlang:disconnect_node(Node),
    exit(Visitor, kill),
    receive {'DOWN', Monitor, _, _, _} -> ok end,
    answered(visit, Took).

%% Among events, lines and look-ups.
reply() ->
    receive
        ok -> ok;
        {ok, _} = Answer -> Answer;
        {error, _} = Answer -> Answer
    after ?PATIENCE -> exit(no_reply)
    end.

%% Until the time is over, and one of each has come.
stay(Node, Ref, Left, Until) ->
    receive
        {event, _} -> stay(Node, Ref, Left -- [event], Until);
        {event, Ref, _} -> stay(Node, Ref, Left -- [subscription], Until);
        {fetch, _, _, _, _, Id, _} -> {foo, Node} ! {fetch_reply, Id, ""}, stay(Node, Ref, Left, Until);
        _ -> stay(Node, Ref, Left, Until)
    after max(0, Until - now_ms()) ->
        case Left of
            [] -> ok;
            _ -> receive
                {event, _} = Event -> self() ! Event, stay(Node, Ref, Left, Until);
                {event, Ref, _} = Event -> self() ! Event, stay(Node, Ref, Left, Until)
            after ?PATIENCE -> exit({never_came, Left})
            end
        end
    end.
