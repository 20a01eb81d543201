%% Evaluates Erlang expressions for tests/peers/erl.py, one line a request.
%%
%% stdin:  KIND MILLISECONDS BASE64(UTF-8 expressions)       KIND is `term` or `text`
%%         forget                                            the worker, its mailbox and all variables
%% stdout: "=> ok BASE64"     term_to_binary of the value, or its text (~0tp) in UTF-8
%%         "=> error BASE64"  text of {Class, Reason}
%%         "=> timeout "
%%
%% All requests run in one process, the worker, so self(), its mailbox and the variables last from one to the next.
%% A worker that times out or dies is replaced: the variables stay, the mailbox is empty.
-module(evaluator).
-export([start/0]).
%% What expressions may call without a module name.
-export([request/2, request/3, flush/0, collect/2, wait_until/1, wait_until/2]).

%% The answer to Term, sent to Node from a process of its own; the atom timeout when none came. Term may be a fun that
%% returns it: then self() in it is that process.
request(Node, Term) -> request(Node, Term, 5000).

request(Node, Term, Timeout) ->
    Self = self(),
    Ref = make_ref(),
    {Pid, Monitor} = spawn_monitor(fun() ->
        {foo, Node} ! if is_function(Term, 0) -> Term(); true -> Term end,
        Self ! {Ref, receive Reply -> Reply after Timeout -> timeout end}
    end),
    receive
        {Ref, Reply} -> erlang:demonitor(Monitor, [flush]), Reply;
        {'DOWN', Monitor, process, Pid, Reason} -> {'DOWN', Reason}
    end.

%% All messages that are there now.
flush() ->
    receive Message -> [Message | flush()] after 0 -> [] end.

%% The next N messages; fewer when one of them does not come within Timeout.
collect(0, _) -> [];
collect(N, Timeout) ->
    receive Message -> [Message | collect(N - 1, Timeout)] after Timeout -> [] end.

%% true as soon as Fun() is, false after Timeout.
wait_until(Fun) -> wait_until(Fun, 5000).

wait_until(Fun, Timeout) -> wait_until_time(Fun, erlang:monotonic_time(millisecond) + Timeout).

wait_until_time(Fun, End) ->
    case Fun() of
        true -> true;
        _ ->
            case erlang:monotonic_time(millisecond) < End of
                true -> receive after 10 -> wait_until_time(Fun, End) end;
                false -> false
            end
    end.

start() ->
    io:setopts(standard_io, [{encoding, latin1}]),
    spawn(fun() -> io:put_chars("=> ready \n"), serve(worker(), erl_eval:new_bindings()) end).

serve(Worker, Bindings) ->
    case io:get_line("") of
        "forget\n" ->
            {_, Pid, Monitor} = Worker,
            erlang:demonitor(Monitor, [flush]),
            exit(Pid, kill),
            io:put_chars("=> ok \n"),
            serve(worker(), erl_eval:new_bindings());
        Line when is_list(Line) ->
            [Kind, Milliseconds, Source] = string:lexemes(string:trim(Line), " "),
            {Tag, Pid, _} = Worker,
            Pid ! {Tag, base64:decode(Source), Bindings},
            {Next, Kept, Status, Result} = await(Worker, Bindings, list_to_integer(Milliseconds)),
            io:put_chars(["=> ", Status, " ", payload(Status, Kind, Result), "\n"]),
            serve(Next, Kept);
        _ ->
            erlang:halt(0, [{flush, false}])
    end.

await({Tag, Pid, Monitor} = Worker, Bindings, Milliseconds) ->
    receive
        {Tag, {ok, Value, Kept}} -> {Worker, Kept, "ok", Value};
        {Tag, {error, Reason}} -> {Worker, Bindings, "error", Reason};
        {'DOWN', Monitor, process, Pid, Reason} -> {worker(), Bindings, "error", {exit, Reason}}
    after Milliseconds ->
        erlang:demonitor(Monitor, [flush]),
        exit(Pid, kill),
        receive {Tag, _} -> ok after 0 -> ok end,
        {worker(), Bindings, "timeout", ""}
    end.

payload("ok", "term", Value) -> base64:encode(term_to_binary(Value));
payload("timeout", _, _) -> "";
payload(_, _, Value) -> base64:encode(unicode:characters_to_binary(io_lib:format("~0tp", [Value]))).

worker() ->
    Server = self(),
    Tag = make_ref(),
    {Pid, Monitor} = spawn_monitor(fun() -> work(Server, Tag) end),
    {Tag, Pid, Monitor}.

work(Server, Tag) ->
    receive
        {Tag, Source, Bindings} ->
            Server ! {Tag, evaluate(Source, Bindings)},
            work(Server, Tag)
    end.

evaluate(Source, Bindings) ->
    try
        {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Source)),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        Local = {value, fun(Name, Arguments) -> apply(?MODULE, Name, Arguments) end},
        {value, Value, Kept} = erl_eval:exprs(Expressions, Bindings, Local),
        {ok, Value, Kept}
    catch
        Class:Reason -> {error, {Class, Reason}}
    end.
