%% Everybody else's traffic during a trial, and what became of it: watcher.py asks. Times are in microseconds.
-module(watch).
-export([start/0, watch/1, take/0, finish/0]).

-define(KINDS, [api, event, call, fetch, machine]).
-define(PATIENCE, 30000). % milliseconds after which what has not come is lost
-define(BURST, 10).       % events at once
-define(COMPLAINTS, 10).

%% A row of the table `watch`: {Kind, Done, Lost, Doubled, Refused, Told, Slowest, Began}. Refused: answered by an error.
%% Told: ended by a nodedown, of which the asker heard. Began: of what is under way, 0 when nothing is.
-define(DONE, 2).
-define(LOST, 3).
-define(DOUBLED, 4).
-define(REFUSED, 5).
-define(TOLD, 6).
-define(SLOWEST, 7).
-define(BEGAN, 8).

start() -> spawn(fun() -> asked:serve(fun(Function, Arguments) -> apply(?MODULE, Function, Arguments) end) end).

%% Begin with that node: [1].
watch(Node) ->
    ets:new(watch, [named_table, public]),
    ets:new(takers, [named_table, public]), % {UUID, Pid}, of the call under way
    ets:new(over, [named_table, public]), % {UUID}, of calls that ended as they should
    ets:insert(watch, {complaints, 0}),
    [ets:insert(watch, {Kind, 0, 0, 0, 0, 0, 0, 0}) || Kind <- ?KINDS],
    register(watch_desk, spawn(fun desk/0)),
    spawn(fun() -> process_flag(trap_exit, true), bind(Node) end),
    [register(Kind, spawn(fun() -> process_flag(trap_exit, true), enter(Kind, Node, 1) end)) || Kind <- ?KINDS],
    [1].

%% What was seen since it was last asked, Done, Lost, Doubled, Refused, Told, Slowest for each of KINDS. What is under way is as
%% slow as it is by now.
take() -> lists:append([taken(Kind) || Kind <- ?KINDS]).

taken(Kind) ->
    Now = now_us(),
    [{_, Done, Lost, Doubled, Refused, Told, Slowest, Began}] = ets:lookup(watch, Kind),
    Taken = [{?DONE, -Done}, {?LOST, -Lost}, {?DOUBLED, -Doubled}, {?REFUSED, -Refused}, {?TOLD, -Told}],
    ets:update_counter(watch, Kind, Taken),
    ets:update_element(watch, Kind, {?SLOWEST, 0}),
    [Done, Lost, Doubled, Refused, Told, case Began of 0 -> Slowest; _ -> max(Slowest, Now - Began) end].

%% Begin nothing more, wait for what is under way, and look for what comes twice: as take/0.
finish() ->
    Ends = [begin Monitor = monitor(process, Kind), catch Kind ! finish, Monitor end || Kind <- ?KINDS],
    [receive {'DOWN', Monitor, _, _, _} -> ok end || Monitor <- Ends],
    take().

%% Connect, as often as it takes. What still comes of a round before, which went out by a link that nobody knew to be
%% down yet, or by the next, comes before the answer `entered`.
enter(Kind, Node, Number) ->
    erlang:monitor_node(Node, true),
    {foo, Node} ! {api, echo, "entered"},
    case entered(Node) andalso prepare(Kind, Node) of
        {ready, State} ->
            rounds(Kind, Node, State, Number);
        _ ->
            timer:sleep(20),
            leave_or(fun() -> enter(Kind, Node, Number) end)
    end.

entered(Node) ->
    receive
        {nodedown, Node} -> false;
        {ok, "entered"} -> true;
        Other when Other =/= finish -> entered(Node)
    after ?PATIENCE -> erlang:monitor_node(Node, false), false
    end.

leave_or(Next) -> receive finish -> ok after 0 -> Next() end.

rounds(Kind, Node, State, Number) ->
    Began = now_us(),
    ets:update_element(watch, Kind, {?BEGAN, Began}),
    {Outcome, Next} = round(Kind, Node, State, Number),
    Took = now_us() - Began,
    [{_, _, _, _, _, _, Slowest, _}] = ets:lookup(watch, Kind),
    Slow = case Kind of machine -> Took - 10000; _ -> Took end,
    ets:update_element(watch, Kind, [{?BEGAN, 0}, {?SLOWEST, max(Slowest, Slow)}]),
    ets:update_counter(watch, Kind, {column(Outcome), 1}),
    case Outcome of
        told ->
            leave_or(fun() -> enter(Kind, Node, Number + 1) end);
        NotDone when NotDone =/= done ->
            erlang:monitor_node(Node, false),
            leave_or(fun() -> enter(Kind, Node, Number + 1) end);
        done ->
            receive
                finish -> doubled(Kind, [One || One <- flush(300), counts(One, State)])
            after pause(Kind) ->
                doubled(Kind, [One || One <- flush(0), counts(One, State)]),
                rounds(Kind, Node, Next, Number + 1)
            end
    end.

column(done) -> ?DONE;
column(lost) -> ?LOST;
column(refused) -> ?REFUSED;
column(told) -> ?TOLD.

pause(api) -> 2;
pause(machine) -> 0;
pause(_) -> 20.

%% What no reply is to be among, as all that were awaited have come.
flush(After) ->
    receive
        {nodedown, _} = Down -> self() ! Down, [];
        finish -> self() ! finish, [];
        {call_event, _} -> flush(After);
        {'EXIT', _, _} -> flush(After); % the switch is linked to those to whom it has given something
        Any -> [Any | flush(After)]
    after After -> [] end.

%% All but what may still come of a round that was told of its end.
counts({event, Subscription, _}, {Its, _}) -> Subscription =:= Its;
counts({call_hangup, UUID}, _) -> ets:member(over, UUID);
counts({call, {event, [UUID | _]}}, _) -> ets:member(over, UUID);
counts({bgok, Job, _}, _) -> ets:member(over, Job);
counts(_, _) -> true.

doubled(_, []) -> ok;
doubled(Kind, Found) ->
    complain(Kind, {nobody_awaited, Found}),
    ets:update_counter(watch, Kind, {?DOUBLED, length(Found)}).

refused(Kind, What) -> complain(Kind, What), refused.

%% To the operator, a few times.
complain(Kind, What) ->
    ets:update_counter(watch, complaints, 1) =< ?COMPLAINTS andalso
        io:format(standard_error, "~s: ~ts~n", [Kind, string:slice(io_lib:format("~0tp", [What]), 0, 300)]).

now_us() -> erlang:monotonic_time(microsecond).

%% --- what each kind does

prepare(event, Node) ->
    Life = integer_to_list(erlang:unique_integer([positive])),
    Wanted = #{filter => [{"Watcher", '==', atom_to_list(node())}, {"Life", '==', Life}], headers => ["Number"]},
    {foo, Node} ! {subscribe, [{'CUSTOM', 'trials::watched'}], Wanted},
    receive
        {ok, Subscription} -> {ready, {Subscription, Life}};
        {nodedown, Node} -> down
    after ?PATIENCE -> erlang:monitor_node(Node, false)
    end;
prepare(fetch, Node) ->
    {foo, Node} ! {api, user_exists, "id 0 watched.0"},
    receive {ok, "true"} -> {ready, none}; {nodedown, Node} -> down; {_, _} -> erlang:monitor_node(Node, false) end;
prepare(_, _) -> {ready, none}.

round(machine, _, State, _) ->
    timer:sleep(10),
    {done, State};
round(api, Node, State, Number) ->
    Text = integer_to_list(Number),
    {foo, Node} ! {api, echo, Text},
    {api(Node, Text), State};
round(event, Node, {Subscription, Life} = State, Number) ->
    Fire = fun(N) ->
        Headers = [{"Watcher", atom_to_list(node())}, {"Life", Life}, {"Number", integer_to_list(N)}],
        {foo, Node} ! {sendevent, 'CUSTOM', 'trials::watched', Headers}
    end,
    First = (Number - 1) * ?BURST + 1,
    Last = Number * ?BURST,
    lists:foreach(Fire, lists:seq(First, Last)),
    {events(Node, Subscription, First, Last, ?BURST), State};
round(call, Node, State, Number) ->
    UUID = lists:concat(["watched-", Number, "-", erlang:unique_integer([positive]), "-", node()]),
    ets:insert(takers, {UUID, self()}),
    ets:delete(takers, State),
    Dial = ["{origination_uuid=", UUID, "}null/1 watch_desk:!-", atom_to_list(node()), " XML trials"],
    {foo, Node} ! {bgapi, originate, lists:append(Dial), UUID},
    {call(Node, UUID, [job, call, done, sent, over]), UUID};
round(fetch, Node, State, Number) ->
    User = integer_to_list(Number),
    {foo, Node} ! {api, user_exists, lists:append(["id ", User, " watched.", User])},
    {fetch(Node), State}.

%% Another reply than that is one too many.
api(Node, Text) ->
    receive
        {nodedown, Node} -> told;
        {ok, Text} -> done;
        {error, _} = Found -> refused(api, Found);
        {ok, _} = Found -> doubled(api, [Found]), api(Node, Text)
    after ?PATIENCE -> lost
    end.

%% Each once and in their order; as many `ok`.
events(_, _, Next, Last, 0) when Next > Last -> done;
events(Node, Subscription, Next, Last, Replies) ->
    receive
        {nodedown, Node} -> told;
        ok when Replies > 0 -> events(Node, Subscription, Next, Last, Replies - 1);
        {event, Subscription, [_, {_, Number}]} ->
            case list_to_integer(Number) of
                Next -> events(Node, Subscription, Next + 1, Last, Replies);
                Other when Other < Next ->
                    doubled(event, [Other]),
                    events(Node, Subscription, Next, Last, Replies);
                Other ->
                    ets:update_counter(watch, event, {?LOST, Other - Next}),
                    events(Node, Subscription, Other + 1, Last, Replies)
            end;
        {error, _} = Error ->
            refused(event, Error)
    after ?PATIENCE -> lost
    end.

%% Dialled, handed to this process, hung up by it. Left: what is to come, in whatever order that it may. Since: when
%% something came last.
call(Node, UUID, Left) -> call(Node, UUID, Left, erlang:monotonic_time(millisecond)).

call(_, UUID, [], _) -> ets:insert(over, {UUID}), done;
call(Node, UUID, Left, Since) ->
    receive
        {nodedown, Node} -> told;
        {ok, UUID} -> came(Node, UUID, job, Left);
        {call, {event, [UUID | _]}} ->
            {foo, Node} ! {sendmsg, UUID, [{"call-command", "hangup"}]},
            came(Node, UUID, call, Left);
        {call_event, _} -> call(Node, UUID, Left);
        {bgok, UUID, _} -> came(Node, UUID, done, Left);
        ok -> came(Node, UUID, sent, Left);
        {call_hangup, UUID} -> came(Node, UUID, over, Left);
        {call_hangup, _} = Other -> doubled(call, [Other || counts(Other, UUID)]), call(Node, UUID, Left);
        {error, _} = Found -> refused(call, Found);
        {call_taken, UUID} = Found -> refused(call, Found);
        {bgerror, UUID, _} = Found -> refused(call, Found)
    after 2000 ->
        Late = erlang:monotonic_time(millisecond) - Since > ?PATIENCE,
        case lists:member(call, Left) andalso not lists:member(done, Left) andalso exists(Node, UUID) of
            "false" -> refused(call, {freeswitch_has_ended_it, UUID});
            _ when Late -> complain(call, {never_came, UUID, Left}), lost;
            _ -> call(Node, UUID, Left, Since)
        end
    end.

%% Whether FreeSWITCH has that call, which nobody has had yet: without a thread or memory for it, it has not.
exists(Node, UUID) ->
    {foo, Node} ! {api, uuid_exists, UUID},
    receive {ok, Found} when Found =/= UUID -> Found; {error, _} -> unknown after ?PATIENCE -> unknown end.

came(Node, UUID, What, Left) ->
    lists:member(What, Left) orelse doubled(call, [What]),
    call(Node, UUID, lists:delete(What, Left)).

%% Answers call after call to their processes.
desk() ->
    receive
        {get_pid, UUID, Ref, Switch} -> [Switch ! {Ref, Taker} || {_, Taker} <- ets:lookup(takers, UUID)];
        _ -> ok
    end,
    desk().

%% FreeSWITCH asks another process here for the user, about whom it is asked.
fetch(Node) ->
    receive
        {nodedown, Node} -> told;
        {ok, "true"} -> done;
        {Word, _} = Other when Word =:= ok; Word =:= error -> refused(fetch, Other)
    after ?PATIENCE -> lost
    end.

%% Answers look-ups, whenever the node is there.
bind(Node) ->
    erlang:monitor_node(Node, true),
    {foo, Node} ! {bind, directory},
    answer(Node).

answer(Node) ->
    receive
        {nodedown, Node} -> timer:sleep(20), bind(Node);
        {fetch, directory, _, _, "watched." ++ User, ID, _} ->
            {foo, Node} ! {fetch_reply, ID, directory(User)},
            answer(Node);
        {fetch, _, _, _, _, ID, _} -> {foo, Node} ! {fetch_reply, ID, ""}, answer(Node);
        _ -> answer(Node)
    end.

directory(User) ->
    lists:append(["<document type=\"freeswitch/xml\"><section name=\"directory\"><domain name=\"watched.", User,
                  "\"><user id=\"", User, "\"/></domain></section></document>"]).
