%% @doc FreeSWITCH as seen from an Erlang program: one function for each request that mod_erlang_py, or
%% mod_erlang_event, answers. The latter knows nothing of subscriptions, targets, JSON and versions: its answer to these is
%% `{error, undef}', `{error, badarg}', or `{error, eacces}' where the switch's settings deny it to this node.
%%
%% `Node' is always FreeSWITCH's node, for example `freeswitch@localhost'. Every text may be a string or a binary; what
%% comes back is one or the other by the setting `encoding' in `erlang_event.conf'.
%%
%% A function returns what FreeSWITCH answered, or `timeout': there was no answer within 5 seconds, or FreeSWITCH cannot
%% be reached, or the connection broke meanwhile. In the last two cases it does not wait. {@link execute/5} waits for as
%% long as it takes.
%%
%% Requests for which it matters who sends them (events, log lines, calls and look-ups go to the sender) are sent by the
%% calling process, and so are answered to its mailbox; of `ok' and `{error, _}' messages such a function takes the next.
%% All others are sent by a process of their own and leave the caller's mailbox alone, however late the answer is.
%%
%% Works on OTP 23 and later.
-module(freeswitch).

%% Commands, events to FreeSWITCH, anything.
-export([api/2, api/3, bgapi/3, bgapi/4, sendevent/3, sendevent_custom/3, send/2, getpid/1, close/1]).
-export([api_json/3, json_api/2, version/1]).
%% Events and log lines from FreeSWITCH.
-export([subscribe/2, subscribe/3, unsubscribe/2, ack/3]).
-export([start_event_handler/4, register_event_handler/1, register_event_handler/2]).
-export([event/2, nixevent/2, setevent/2, noevents/1, filter/2]).
-export([start_log_handler/4, register_log_handler/1, register_log_handler/2, set_log_level/2, nolog/1]).
-export([get_event_header/2, get_event_name/1, get_event_body/1]).
%% Calls.
-export([handlecall/2, handlecall/3, nohandle/2, nohandle/3, sendmsg/3, execute/4, execute/5]).
-export([session_event/2, session_nixevent/2, session_setevent/2, session_noevents/1]).
%% XML: configuration, directory, dialplan.
-export([start_fetch_handler/5, bind/2, unbind/2, fetch_reply/3]).

-export_type([text/0, uuid/0, header/0, event/0, event_name/0, section/0, target/0, subscription/0, option/0, failure/0]).

-type text() :: string() | binary().
-type uuid() :: text().
-type header() :: {Key :: text(), Value :: text()}.
-type event() :: {event, [uuid() | undefined | header()]}.
-type event_name() :: atom() | text().
%% As FreeSWITCH calls it: `` 'HEARTBEAT' ''. After `` 'CUSTOM' '' come subclasses.
-type section() :: atom().
%% `config', `directory', `dialplan', `phrases' or `chatplan'; several as `` 'directory|dialplan' ''.
-type target() :: pid() | Name :: atom() | {Name :: atom(), node()}.
%% A process: a pid of any node, a name on this one, or a name on another.
-type subscription() :: reference().
-type option() ::
    {filter, text() | [text() | condition()]}
    | {headers, [text()]}
    | {format, list | map}
    | {encoding, string | binary}
    | {to, target()}
    | {uuid, uuid()}
    | {ack, pos_integer()}.
-type condition() ::
    {Header :: text(), '==' | '/=' | prefix | regex, text()}
    | {Header :: text(), exists}
    | {Header :: text(), exists, boolean()}.
-type failure() :: {error, Reason :: term()} | timeout.

-define(TIMEOUT, 5000).
%% FreeSWITCH takes requests under any registered name.
-define(NAME, freeswitch).

%% ---- commands ---------------------------------------------------------------------------------------------------

%% @equiv api(Node, Command, "")
-spec api(node(), atom() | text()) -> {ok, text()} | failure().
api(Node, Command) ->
    api(Node, Command, "").

%% @doc Run an API command and wait for its output. One that may take longer than the timeout is for {@link bgapi/3}.
%% `{error, Output}' when the output begins with a minus, is empty, or there is no such command.
-spec api(node(), atom() | text(), text()) -> {ok, text()} | failure().
api(Node, Command, Arguments) ->
    ask(Node, {api, Command, Arguments}).

%% @doc Run an API command whose output is JSON, or `show', and get it as a term: objects as maps with binaries as keys,
%% texts as binaries, `null' as an atom. `{error, {notjson, Reason}}' when it is none.
-spec api_json(node(), atom() | text(), text()) -> {ok, term()} | failure().
api_json(Node, Command, Arguments) ->
    ask(Node, {api, Command, Arguments, #{format => json}}).

%% @doc Run a command of FreeSWITCH's JSON API: `#{command => Name, data => Data}'. The answer is that map with `status'
%% and `response' in it, as {@link api_json/3} has it.
-spec json_api(node(), map()) -> {ok, map()} | failure().
json_api(Node, Map) ->
    ask(Node, {json_api, Map}).

%% @doc Start an API command. The caller later gets `{bgok, Job, Output}' or `{bgerror, Job, Output}'; when the
%% connection is lost first, `{bgerror, Job, "-ERR connection lost\n"}'.
-spec bgapi(node(), atom() | text(), text()) -> {ok, Job :: text()} | failure().
bgapi(Node, Command, Arguments) ->
    Caller = self(),
    job(Node, {bgapi, Command, Arguments}, fun(Tag, Job, Output) -> Caller ! {Tag, Job, Output} end).

%% @doc Start an API command. When it is done `Fun(ok | error, Output)' is called, in a process of its own.
-spec bgapi(node(), atom() | text(), text(), fun((ok | error, text()) -> term())) -> ok | failure().
bgapi(Node, Command, Arguments, Fun) when is_function(Fun, 2) ->
    Done = fun
        (bgok, _Job, Output) -> Fun(ok, Output);
        (bgerror, _Job, Output) -> Fun(error, Output)
    end,
    case job(Node, {bgapi, Command, Arguments}, Done) of
        {ok, _Job} -> ok;
        Failure -> Failure
    end.

%% @doc Fire an event in FreeSWITCH. The header "body" becomes its body.
-spec sendevent(node(), event_name(), [header()]) -> ok | failure().
sendevent(Node, Name, Headers) ->
    ask(Node, {sendevent, Name, Headers}).

%% @doc Fire a CUSTOM event in FreeSWITCH.
-spec sendevent_custom(node(), Subclass :: text() | atom(), [header()]) -> ok | failure().
sendevent_custom(Node, Subclass, Headers) ->
    ask(Node, {sendevent, 'CUSTOM', Subclass, Headers}).

%% @doc Send any term as a request of the caller; returns the answer as it came.
-spec send(node(), term()) -> term() | timeout.
send(Node, Term) ->
    ask_as_caller(Node, Term, any).

%% @doc The pid that stands for FreeSWITCH, to link to or to send to.
-spec getpid(node()) -> {ok, pid()} | failure().
getpid(Node) ->
    ask(Node, getpid).

%% @doc What FreeSWITCH's node is and can: `#{versions => #{Name => Text}, capabilities => [Name], messages => [{Tag, Arity}],
%% encoding => string | binary}'. mod_erlang_event answers `{error, undef}'.
-spec version(node()) -> {ok, map()} | failure().
version(Node) ->
    ask(Node, {version}).

%% @doc Have FreeSWITCH close the connection, and wait until it is. The next request opens another.
-spec close(node()) -> ok | failure().
close(Node) when is_atom(Node) ->
    aside(fun() ->
        case request(Node, exit) of
            ok ->
                receive
                    {nodedown, Node} -> ok
                end;
            Failure ->
                Failure
        end
    end).

%% ---- events and log lines ---------------------------------------------------------------------------------------

%% @equiv subscribe(Node, Events, [])
-spec subscribe(node(), all | [event_name() | {event_name(), text()}]) -> {ok, subscription()} | failure().
subscribe(Node, Events) ->
    subscribe(Node, Events, []).

%% @doc Have events sent to the caller, or to another process: `{event, Subscription, Event}' for each, where Event is
%% `[UUID | Headers]', or with `{format, map}' `#{Name => Value}', the body under `body'. Any number of times. Events: `all',
%% or a list of names, and `` {'CUSTOM', Subclass} ''.
%%
%% It ends by {@link unsubscribe/2}, with the process that gets the events, and with its call, which that process is told
%% by `{unsubscribed, Subscription, hangup}'. Whoever wants to know of the end of the connection monitors the node.
-spec subscribe(node(), all | [event_name() | {event_name(), text()}], [option()] | map()) ->
    {ok, subscription()} | failure().
subscribe(Node, Events, Options) ->
    ask_as_caller(Node, {subscribe, Events, Options}, any).

%% @doc No more of its events; of `all' that the caller subscribed to.
-spec unsubscribe(node(), subscription() | all) -> ok | failure().
unsubscribe(Node, all) ->
    ask_as_caller(Node, {unsubscribe, all});
unsubscribe(Node, Subscription) ->
    ask(Node, {unsubscribe, Subscription}).

%% @doc So many more events of a subscription with `{ack, N}' are done with, and as many may follow. Does not wait.
-spec ack(node(), subscription(), pos_integer()) -> ok.
ack(Node, Subscription, Count) when is_reference(Subscription), is_integer(Count), Count > 0 ->
    {?NAME, Node} ! {ack, Subscription, Count},
    ok.

%% @doc Spawn `Module:Function(Node, State)' as the event handler of this Erlang node, in place of the one before. It gets
%% `{event, [UUID | Headers]}' for each event that {@link event/2} asked for, and `{nodedown, Node}' when the connection
%% is lost.
-spec start_event_handler(node(), module(), atom(), term()) -> {ok, pid()} | failure().
start_event_handler(Node, Module, Function, State) ->
    start_handler(Node, register_event_handler, Module, Function, State).

%% @doc Make the caller the event handler of this Erlang node.
-spec register_event_handler(node()) -> ok | failure().
register_event_handler(Node) ->
    ask_as_caller(Node, register_event_handler).

%% @doc Make another process the event handler of its Erlang node.
-spec register_event_handler(node(), target()) -> ok | failure().
register_event_handler(Node, Target) ->
    ask(Node, {register_event_handler, Target}).

%% @doc Ask for events, beside those asked for before. The event handler gets them.
-spec event(node(), atom() | [event_name()]) -> ok | failure().
event(Node, Events) ->
    ask_as_caller(Node, naming(event, Events)).

%% @doc Ask for events no more.
-spec nixevent(node(), atom() | [event_name()]) -> ok | failure().
nixevent(Node, Events) ->
    ask_as_caller(Node, naming(nixevent, Events)).

%% @doc Ask for exactly these events, instead of those before. Not for `` 'ALL' ''.
-spec setevent(node(), atom() | [event_name()]) -> ok | failure().
setevent(Node, Events) ->
    ask_as_caller(Node, naming(setevent, Events)).

%% @doc No events any more. `{error, notlistening}' when there were none.
-spec noevents(node()) -> ok | failure().
noevents(Node) ->
    ask_as_caller(Node, noevents).

%% @doc Have only some of the events sent: `` 'Header value' '', `` 'add Header value' '', `` 'delete Header [value]' '',
%% `` 'delete all' ''; one or a list. Returns what became of each.
-spec filter(node(), atom() | [atom() | text()]) ->
    {filter_command_processing_log, [{Done :: text(), Header :: text(), Value :: text()} | atom()]} | failure().
filter(Node, Commands) ->
    ask_as_caller(Node, naming(filter, Commands), any).

%% @doc Spawn `Module:Function(Node, State)' as the log handler of this Erlang node, in place of the one before. It gets
%% `{log, [{level, L}, {text_channel, C}, {file, F}, {func, F}, {line, N}, {data, Text}, {user_data, UUID}]}' for each
%% line, and `{nodedown, Node}' when the connection is lost.
-spec start_log_handler(node(), module(), atom(), term()) -> {ok, pid()} | failure().
start_log_handler(Node, Module, Function, State) ->
    start_handler(Node, register_log_handler, Module, Function, State).

%% @doc Make the caller the log handler of this Erlang node.
-spec register_log_handler(node()) -> ok | failure().
register_log_handler(Node) ->
    ask_as_caller(Node, register_log_handler).

%% @doc Make another process the log handler of its Erlang node.
-spec register_log_handler(node(), target()) -> ok | failure().
register_log_handler(Node, Target) ->
    ask(Node, {register_log_handler, Target}).

%% @doc The least important level that the log handler gets: `debug', `info', `notice', `warning', `err', `crit', `alert'.
-spec set_log_level(node(), atom()) -> ok | failure().
set_log_level(Node, Level) ->
    ask_as_caller(Node, {set_log_level, Level}).

%% @doc No log lines any more.
-spec nolog(node()) -> ok | failure().
nolog(Node) ->
    ask_as_caller(Node, nolog).

%% @doc The value of an event's first header of that name. Takes the event or its list, and the name as string or binary
%% whichever of the two the event has.
-spec get_event_header(event() | [uuid() | undefined | header()], text()) -> text() | {error, notfound}.
get_event_header({event, Headers}, Name) ->
    get_event_header(Headers, Name);
get_event_header(Headers, Name) when is_list(Headers) ->
    first(Headers, iolist_to_binary(Name)).

%% @equiv get_event_header(Event, "Event-Name")
-spec get_event_name(event() | [uuid() | undefined | header()]) -> text() | {error, notfound}.
get_event_name(Event) ->
    get_event_header(Event, "Event-Name").

%% @equiv get_event_header(Event, "body")
-spec get_event_body(event() | [uuid() | undefined | header()]) -> text() | {error, notfound}.
get_event_body(Event) ->
    get_event_header(Event, "body").

first([{Key, Value} | Headers], Name) ->
    case iolist_to_binary(Key) of
        Name -> Value;
        _ -> first(Headers, Name)
    end;
first([_UUID | Headers], Name) ->
    first(Headers, Name);
first([], _Name) ->
    {error, notfound}.

%% ---- calls ------------------------------------------------------------------------------------------------------

%% @doc Attach a call to the caller. It gets `{call, Event}', then `{call_event, Event}' for each event of the call, and
%% `{call_hangup, UUID}' in the end.
-spec handlecall(node(), uuid()) -> ok | failure().
handlecall(Node, UUID) ->
    ask_as_caller(Node, {handlecall, UUID}).

%% @doc Attach a call to another process; with mod_erlang_event to one of this Erlang node, by its name.
-spec handlecall(node(), uuid(), target()) -> ok | failure().
handlecall(Node, UUID, Target) ->
    %% mod_erlang_event takes them in this order only.
    ask(Node, {handlecall, Target, UUID}).

%% @doc Let go of a call, which stays parked. `{error, badsession}' when it is attached to nobody.
-spec nohandle(node(), uuid()) -> ok | failure().
nohandle(Node, UUID) ->
    ask_as_caller(Node, {nohandle, UUID}).

%% @doc Let go of a call, which stays parked or continues in the dialplan.
-spec nohandle(node(), uuid(), park | continue) -> ok | failure().
nohandle(Node, UUID, Then) ->
    ask_as_caller(Node, {nohandle, UUID, Then}).

%% @doc Have a call do something:
%% `[{"call-command", "execute"}, {"execute-app-name", App}, {"execute-app-arg", Arg}]' or
%% `[{"call-command", "hangup"}, {"hangup-cause", Cause}]'. `ok' says that it was told, not that it has done it. What it
%% is told while an application waits for media it does at once, inside that application, unless that was told with
%% `{"event-lock", "true"}', as {@link execute/4} does.
-spec sendmsg(node(), uuid(), [header()]) -> ok | failure().
sendmsg(Node, UUID, Headers) ->
    ask(Node, {sendmsg, UUID, Headers}).

%% @doc Have a call execute an application. Those of one process are executed one after the other, each when the one
%% before is done, and so is what {@link sendmsg/3} tells it behind them. At once come `uuid_break', which ends what is
%% being played, and `uuid_kill', which ends the call, both by {@link api/3}.
-spec execute(node(), uuid(), Application :: text(), Argument :: text()) -> ok | failure().
execute(Node, UUID, Application, Argument) ->
    sendmsg(Node, UUID, [
        {"call-command", "execute"},
        {"execute-app-name", Application},
        {"execute-app-arg", Argument},
        {"event-lock", "true"}
    ]).

%% @doc Have a call execute an application, and wait until it is done. `Options', a proplist or a map: `event_lock' (true:
%% commands behind it wait), `timeout' (milliseconds; infinity), `loops' (1), `async' (false; true: returns
%% `{ok, ApplicationUUID}' at once), `format' (map; list: returns `{ok, Event}'). `{error, hangup}' when the call ends
%% first. Not in mod_erlang_event.
-spec execute(node(), uuid(), Application :: text() | atom(), Argument :: text(), [term()] | map()) ->
    {ok, #{response := text(), variables := #{text() => text()}}} | {ok, event() | uuid()} | failure().
execute(Node, UUID, Application, Argument, Options) when is_atom(Node) ->
    Caller = self(),
    {Pid, Monitor} = spawn_monitor(fun() ->
        erlang:monitor(process, Caller),
        exit({?MODULE, request(Node, {execute, UUID, Application, Argument, Options}, infinity)})
    end),
    receive
        {'DOWN', Monitor, process, Pid, {?MODULE, Result}} -> Result;
        {'DOWN', Monitor, process, Pid, _Reason} -> timeout
    end.

%% @doc Ask for these events of the caller's call too. Before the first such request it gets them all.
-spec session_event(node(), atom() | [event_name()]) -> ok | failure().
session_event(Node, Events) ->
    ask_as_caller(Node, naming(session_event, Events)).

%% @doc These events of the caller's call no more.
-spec session_nixevent(node(), atom() | [event_name()]) -> ok | failure().
session_nixevent(Node, Events) ->
    ask_as_caller(Node, naming(session_nixevent, Events)).

%% @doc Exactly these events of the caller's call. Not for `` 'ALL' ''.
-spec session_setevent(node(), atom() | [event_name()]) -> ok | failure().
session_setevent(Node, Events) ->
    ask_as_caller(Node, naming(session_setevent, Events)).

%% @doc No events of the caller's call; `call_hangup' still comes.
-spec session_noevents(node()) -> ok | failure().
session_noevents(Node) ->
    ask_as_caller(Node, session_noevents).

%% ---- XML --------------------------------------------------------------------------------------------------------

%% @doc Spawn `Module:Function(Node, State)', which answers FreeSWITCH's look-ups in a section. It gets
%% `{fetch, Section, Tag, Key, Value, FetchID, Params}' for each, which is to be answered with {@link fetch_reply/3} by any
%% process, and `{nodedown, Node}' when the connection is lost: the binding is gone then.
-spec start_fetch_handler(node(), section(), module(), atom(), term()) -> {ok, pid()} | failure().
start_fetch_handler(Node, Section, Module, Function, State) ->
    start_handler(Node, {bind, Section}, Module, Function, State).

%% @doc Have the caller asked for look-ups in a section too. They come as for {@link start_fetch_handler/5}.
-spec bind(node(), section()) -> ok | failure().
bind(Node, Section) ->
    ask_as_caller(Node, {bind, Section}).

%% @doc The caller is not asked any more about a section, or about `all'.
-spec unbind(node(), section() | all) -> ok | failure().
unbind(Node, Section) ->
    ask_as_caller(Node, {unbind, Section}).

%% @doc Answer a look-up. The first answer wins; later ones get an error. An empty one means "not found here".
-spec fetch_reply(node(), FetchID :: text(), iodata()) -> ok | failure().
fetch_reply(Node, FetchID, XML) ->
    case ask(Node, {fetch_reply, FetchID, XML}) of
        {ok, _FetchID} -> ok;
        {error, _FetchID, Reason} -> {error, Reason};
        Failure -> Failure
    end.

%% ---- asking -----------------------------------------------------------------------------------------------------

naming(Tag, Names) when is_list(Names) -> list_to_tuple([Tag | Names]);
naming(Tag, Name) when is_atom(Name) -> {Tag, Name}.

%% Ask in a process of its own. An answer that comes too late finds that process ended.
ask(Node, Term) when is_atom(Node) ->
    aside(fun() -> request(Node, Term) end).

%% What Fun returns in a process of its own; timeout when it does not within the time.
aside(Fun) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({?MODULE, Fun()}) end),
    receive
        {'DOWN', Monitor, process, Pid, {?MODULE, Result}} -> Result;
        {'DOWN', Monitor, process, Pid, _Reason} -> timeout
    after ?TIMEOUT ->
        exit(Pid, kill),
        erlang:demonitor(Monitor, [flush]),
        timeout
    end.

%% Ask, in a process that expects no other message.
request(Node, Term) ->
    request(Node, Term, ?TIMEOUT).

request(Node, Term, Timeout) ->
    case watched(Node) of
        true ->
            {?NAME, Node} ! Term,
            receive
                {nodedown, Node} -> timeout;
                Answer -> Answer
            after Timeout ->
                timeout
            end;
        false ->
            timeout
    end.

%% {nodedown, Node} will come when the connection is lost, or at once when there can be none. false: this node is none.
watched(Node) ->
    try
        erlang:monitor_node(Node, true)
    catch
        error:notalive -> false
    end.

%% A process that asks, returns the first answer as aside does, and goes on. Work(Answered) asks and calls
%% Answered(Answer) once.
and_go_on(Work) ->
    Caller = self(),
    Tag = make_ref(),
    {Pid, Monitor} = spawn_monitor(fun() -> Work(fun(Answer) -> Caller ! {Tag, Answer} end) end),
    receive
        {Tag, Answer} ->
            erlang:demonitor(Monitor, [flush]),
            Answer;
        {'DOWN', Monitor, process, Pid, _Reason} ->
            timeout
    after 2 * ?TIMEOUT ->
        %% It answers within ?TIMEOUT, unless connecting alone takes as long.
        exit(Pid, kill),
        receive
            {'DOWN', Monitor, process, Pid, _Killed} -> ok
        end,
        receive
            {Tag, Answer} -> Answer
        after 0 ->
            timeout
        end
    end.

job(Node, Term, Done) when is_atom(Node) ->
    and_go_on(fun(Answered) ->
        Answer = request(Node, Term),
        Answered(Answer),
        case Answer of
            {ok, Job} ->
                receive
                    {bgok, Job, Output} -> Done(bgok, Job, Output);
                    {bgerror, Job, Output} -> Done(bgerror, Job, Output);
                    {nodedown, Node} -> Done(bgerror, Job, as(Job, "-ERR connection lost\n"))
                end;
            _Failure ->
                ok
        end
    end).

as(Like, Text) when is_binary(Like) -> list_to_binary(Text);
as(_Like, Text) -> Text.

start_handler(Node, Term, Module, Function, State) when is_atom(Node), is_atom(Module), is_atom(Function) ->
    and_go_on(fun(Answered) ->
        case request(Node, Term) of
            ok ->
                Answered({ok, self()}),
                apply(Module, Function, [Node, State]);
            Failure ->
                Answered(Failure)
        end
    end).

%% ---- asking as the caller ---------------------------------------------------------------------------------------
%%
%% The answer comes to the caller's own mailbox, and nothing in it says what it answers. FreeSWITCH answers a process in
%% the order it was asked; so after a timeout the process remembers that it has answers to come over this connection, and
%% the next such function passes them over.

ask_as_caller(Node, Term) ->
    ask_as_caller(Node, Term, usual).

ask_as_caller(Node, Term, Kind) when is_atom(Node) ->
    case connected(Node) of
        true ->
            Late = late(Node),
            {Watcher, Monitor} = spawn_monitor(fun() -> watch(Node) end),
            {?NAME, Node} ! Term,
            {Answer, StillLate} = await(Monitor, Late, Kind, timeout),
            erlang:demonitor(Monitor, [flush]),
            exit(Watcher, kill),
            remember(Node, StillLate),
            Answer;
        false ->
            timeout
    end.

connected(Node) ->
    lists:member(Node, nodes(connected)) orelse aside(fun() -> net_kernel:connect_node(Node) end) =:= true.

%% Ends when the time is over, or the connection is lost.
watch(Node) ->
    watched(Node),
    receive
        {nodedown, Node} -> ok
    after ?TIMEOUT ->
        exit(late)
    end.

-define(IS_ANSWER(A, Kind),
    (A =:= ok orelse
        (tuple_size(A) =:= 2 andalso element(1, A) =:= error) orelse
        (Kind =:= any andalso tuple_size(A) =:= 2 andalso element(1, A) =:= ok) orelse
        (Kind =:= any andalso tuple_size(A) =:= 3 andalso element(1, A) =:= error) orelse
        (Kind =:= any andalso tuple_size(A) =:= 2 andalso element(1, A) =:= filter_command_processing_log))
).

%% The answer after as many as are late, and how many are late now. Last: the latest of those passed over; when no other
%% comes it is the answer after all, since some requests have none.
await(Monitor, Late, Kind, Last) ->
    Wanted =
        case Late of
            0 -> Kind;
            _ -> any
        end,
    receive
        Answer when ?IS_ANSWER(Answer, Wanted), Late =:= 0 -> {Answer, 0};
        Answer when ?IS_ANSWER(Answer, Wanted) -> await(Monitor, Late - 1, Kind, Answer);
        {'DOWN', Monitor, process, _, late} when Last =:= timeout -> {timeout, Late + 1};
        {'DOWN', Monitor, process, _, _} -> {Last, 0}
    end.

late(Node) ->
    case get({?MODULE, Node}) of
        undefined ->
            0;
        {Connection, Late} ->
            case connection(Node) of
                Connection -> Late;
                _Another -> 0
            end
    end.

remember(Node, 0) -> erase({?MODULE, Node});
remember(Node, Late) -> put({?MODULE, Node}, {connection(Node), Late}).

%% A term that only this connection has; false when there is none.
connection(Node) ->
    lists:keyfind(Node, 1, erlang:system_info(dist_ctrl)).
