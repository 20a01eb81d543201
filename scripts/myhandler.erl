%% @doc An example: handles calls that the dialplan hands over, one process for each call.
%%
%% Build it and start it on a node, here calls@localhost, telling it FreeSWITCH's:
%% ```
%%   erlc freeswitch.erl myhandler.erl
%%   erl -sname calls@localhost -setcookie ClueCon -eval "myhandler:start('freeswitch@localhost')."
%% '''
%% In the dialplan, one of these, which say in three ways who takes the call:
%% ```
%%   <action application="erlang" data="myhandler calls@localhost"/>          the process registered as myhandler
%%   <action application="erlang" data="myhandler:! calls@localhost"/>        the process that myhandler names
%%   <action application="erlang" data="myhandler:launch calls@localhost"/>   the process that launch/1 returns
%% '''
%% The caller hears a tone, dials up to four digits, with # to end earlier, hears as many short tones as there were
%% digits, and is hung up. The digits are printed.
-module(myhandler).

-export([start/1, stop/0, launch/1]).

-define(MAX_DIGITS, 4).
%% How long the caller may take to dial, and FreeSWITCH to do anything else.
-define(DIAL_TIME, 10000).
-define(PATIENCE, 20000).

-define(TONE, "tone_stream://%(300,100,440)").
-define(BEEP, "tone_stream://%(80,80,880)").

%% ---- the process registered as myhandler ------------------------------------------------------------------------

%% @doc Start the process that takes the calls of a FreeSWITCH node.
-spec start(node()) -> pid().
start(Node) ->
    Pid = spawn(fun() ->
        process_flag(trap_exit, true),
        reception(Node, #{})
    end),
    register(?MODULE, Pid),
    Pid.

%% @doc End it, and the calls that are attached to it.
-spec stop() -> ok.
stop() ->
    case whereis(?MODULE) of
        undefined ->
            ok;
        Pid ->
            Monitor = monitor(process, Pid),
            Pid ! stop,
            receive
                {'DOWN', Monitor, process, Pid, _} -> ok
            end
    end.

%% @doc The third form: FreeSWITCH calls this by rpc, and the call goes to the process that it returns. The rpc server
%% waits meanwhile, so this returns at once.
-spec launch(reference()) -> {reference(), pid()}.
launch(Ref) ->
    Node = node(Ref),
    {Ref, spawn(fun() -> handle(Node) end)}.

%% Calls: the process of each call that is attached to this one, by UUID.
reception(Node, Calls) ->
    receive
        %% The first form: this process gets all messages of all calls. It passes them on.
        {call, {event, [UUID | _]}} = Call ->
            Pid = spawn_link(fun() -> handle(Node) end),
            Pid ! Call,
            reception(Node, Calls#{UUID => Pid});
        {call_event, {event, [UUID | _]}} = Event ->
            pass_on(UUID, Event, Calls),
            reception(Node, Calls);
        {call_hangup, UUID} = Hangup ->
            pass_on(UUID, Hangup, Calls),
            reception(Node, maps:remove(UUID, Calls));
        %% The second form: FreeSWITCH asks who takes the call, and sends nothing else here.
        {get_pid, _UUID, Ref, Asker} ->
            Asker ! {Ref, spawn(fun() -> handle(Node) end)},
            reception(Node, Calls);
        %% The process of a call has ended; with its call, if nothing went wrong.
        {'EXIT', Pid, Reason} ->
            Left = maps:filter(fun(_UUID, Handler) -> Handler =:= Pid end, Calls),
            [hang_up(Node, UUID) || Reason =/= normal, UUID <- maps:keys(Left)],
            reception(Node, maps:without(maps:keys(Left), Calls));
        stop ->
            [exit(Pid, shutdown) || Pid <- maps:values(Calls)],
            [hang_up(Node, UUID) || UUID <- maps:keys(Calls)],
            ok;
        _Other ->
            reception(Node, Calls)
    end.

pass_on(UUID, Message, Calls) ->
    case Calls of
        #{UUID := Pid} -> Pid ! Message;
        _ -> ok
    end.

%% ---- the process of one call ------------------------------------------------------------------------------------

%% First comes {call, Event} with all that is known about the call, then {call_event, Event} for each event of it, and
%% {call_hangup, UUID} in the end, whoever hangs up. FreeSWITCH links this process, so when the connection is lost it
%% ends too, or, as here, gets {'EXIT', Pid, noconnection}.
handle(Node) ->
    process_flag(trap_exit, true),
    erlang:monitor_node(Node, true),
    receive
        {call, {event, [UUID | _]} = Call} ->
            say(UUID, "call from ~s", [freeswitch:get_event_header(Call, "Caller-Caller-ID-Number")]),
            talk(Node, UUID);
        {'EXIT', _FreeSwitch, _Reason} ->
            ok;
        {nodedown, Node} ->
            ok
    after ?PATIENCE ->
        %% The caller had hung up before the call was attached.
        ok
    end.

%% freeswitch:execute has the call execute one application after the other, so we need not wait for each to be done,
%% which CHANNEL_EXECUTE_COMPLETE would say. {error, nosession} when the call is over; then its call_hangup is here or
%% comes soon.
talk(Node, UUID) ->
    freeswitch:execute(Node, UUID, "answer", ""),
    freeswitch:execute(Node, UUID, "playback", ?TONE),
    case digits(UUID, "", deadline(?DIAL_TIME)) of
        {ok, Digits} ->
            say(UUID, "digits \"~s\"", [Digits]),
            [freeswitch:execute(Node, UUID, "playback", ?BEEP) || _ <- Digits],
            freeswitch:execute(Node, UUID, "hangup", "NORMAL_CLEARING"),
            until_hangup(Node, UUID);
        over ->
            say(UUID, "over", [])
    end.

%% A DTMF event comes for each digit; all other events are of no interest.
digits(_UUID, Digits, _Deadline) when length(Digits) =:= ?MAX_DIGITS ->
    {ok, Digits};
digits(UUID, Digits, Deadline) ->
    receive
        {call_event, Event} ->
            case digit(Event) of
                none -> digits(UUID, Digits, Deadline);
                "#" -> {ok, Digits};
                Digit -> digits(UUID, Digits ++ Digit, Deadline)
            end;
        {call_hangup, UUID} ->
            over;
        {'EXIT', _FreeSwitch, _Reason} ->
            over;
        {nodedown, _Node} ->
            over
    after left(Deadline) ->
        {ok, Digits}
    end.

digit(Event) ->
    case text(freeswitch:get_event_name(Event)) of
        "DTMF" -> text(freeswitch:get_event_header(Event, "DTMF-Digit"));
        _ -> none
    end.

%% Of what comes now only the end matters. When it does not come in time we hang up whatever is still being played.
until_hangup(Node, UUID) ->
    receive
        {call_event, _Event} ->
            until_hangup(Node, UUID);
        {call_hangup, UUID} ->
            say(UUID, "over", []);
        {'EXIT', _FreeSwitch, _Reason} ->
            ok;
        {nodedown, Node} ->
            ok
    after ?PATIENCE ->
        hang_up(Node, UUID)
    end.

%% ---- small things -----------------------------------------------------------------------------------------------

%% At once, whatever is being played.
hang_up(Node, UUID) ->
    freeswitch:api(Node, uuid_kill, UUID).

say(UUID, Format, Arguments) ->
    io:format("~s: " ++ Format ++ "~n", [UUID | Arguments]).

%% The node's texts are strings or binaries, by its setting.
text(Text) when is_binary(Text) -> binary_to_list(Text);
text(Text) -> Text.

deadline(Milliseconds) ->
    erlang:monotonic_time(millisecond) + Milliseconds.

left(Deadline) ->
    max(0, Deadline - erlang:monotonic_time(millisecond)).
