%% What scripts/bench.py asks an Erlang node to do. Times are in microseconds.
-module(bench).
-export([start/0, requests/2, rate/3, events/2, latencies/2, latencies/3, paced/3]).

%% Reads "FUNCTION ARGUMENTS." a line, an Erlang list of arguments, and prints "=> TERM", on one line.
start() ->
    spawn(fun() -> io:put_chars("=> ready\n"), serve() end).

serve() ->
    case io:get_line("") of
        Line when is_list(Line) ->
            {ok, Tokens, _} = erl_scan:string(Line),
            {ok, {Function, Arguments}} = erl_parse:parse_term(Tokens),
            Self = self(),
            {_, Monitor} = spawn_opt(fun() -> Self ! {done, catch apply(?MODULE, Function, Arguments)} end,
                                     [monitor, {min_heap_size, 1000000}]),
            receive {done, Value} -> io:format("=> ~w~n", [Value]) end,
            receive {'DOWN', Monitor, _, _, _} -> ok end,
            serve();
        _ ->
            erlang:halt(0, [{flush, false}])
    end.

%% Round trips of {api, echo, "hello"}, one after the other: {P50, P99}.
requests(Node, Count) ->
    percentiles([round_trip(Node) || _ <- lists:seq(1, Count)]).

round_trip(Node) ->
    Began = erlang:monotonic_time(nanosecond),
    {foo, Node} ! {api, echo, "hello"},
    receive {ok, "hello"} -> (erlang:monotonic_time(nanosecond) - Began) / 1000 after 10000 -> exit(no_reply) end.

%% The same from several processes at once for so many milliseconds: round trips a second.
rate(Node, Processes, Milliseconds) ->
    Self = self(),
    End = erlang:monotonic_time(millisecond) + Milliseconds,
    Pids = [spawn_link(fun() -> Self ! {self(), until(Node, End, 0)} end) || _ <- lists:seq(1, Processes)],
    lists:sum([receive {Pid, Count} -> Count end || Pid <- Pids]) / Milliseconds * 1000.

until(Node, End, Count) ->
    round_trip(Node),
    case erlang:monotonic_time(millisecond) < End of
        true -> until(Node, End, Count + 1);
        false -> Count + 1
    end.

%% Round trips at a pace of so many a second for as long as Seconds: {P50, P99}.
paced(Node, Rate, Seconds) ->
    Began = erlang:monotonic_time(microsecond),
    percentiles([begin
        Ahead = Began + I * 1000000 div Rate - erlang:monotonic_time(microsecond),
        if Ahead > 1000 -> timer:sleep(Ahead div 1000); true -> ok end,
        round_trip(Node)
    end || I <- lists:seq(1, Rate * Seconds)]).

%% Count events, all of them and in order: {Microseconds from the first to the last, out of order}.
events(Node, Count) ->
    listen(Node),
    receive {event, [_ | First]} -> Number = number(First) after 60000 -> Number = exit(no_event) end,
    Began = erlang:monotonic_time(microsecond),
    Wrong = count(Number, Count, if Number =:= 1 -> 0; true -> 1 end),
    Took = erlang:monotonic_time(microsecond) - Began,
    leave(Node),
    {Took, Wrong}.

count(Last, Last, Wrong) -> Wrong;
count(Number, Last, Wrong) ->
    receive {event, [_ | Headers]} ->
        case number(Headers) of
            Next when Next =:= Number + 1 -> count(Next, Last, Wrong);
            Other -> count(Other, Last, Wrong + 1)
        end
    after 30000 -> {lost_after, Number, Wrong}
    end.

%% The time that each of Count events was on its way: {P50, P99, lost}.
latencies(Node, Count) -> latencies(Node, Count, 1).

%% Scale: what Sent counts, in nanoseconds.
latencies(Node, Count, Scale) ->
    listen(Node),
    Found = latency(Count, Scale, []),
    leave(Node),
    {P50, P99} = percentiles(Found),
    {P50, P99, Count - length(Found)}.

latency(Count, Scale, Found) ->
    receive {event, [_ | Headers]} ->
        Now = erlang:system_time(nanosecond),
        {Number, Sent} = number_and_time(Headers),
        More = [(Now - Sent * Scale) / 1000 | Found],
        if Number >= Count -> More; true -> latency(Count, Scale, More) end
    after 30000 -> Found
    end.

listen(Node) ->
    {foo, Node} ! register_event_handler,
    receive ok -> ok after 10000 -> exit(no_reply) end,
    {foo, Node} ! {event, 'CUSTOM', 'erlang_py::bench'},
    receive ok -> ok after 10000 -> exit(no_reply) end,
    io:put_chars("=> listening\n").

leave(Node) ->
    {foo, Node} ! noevents,
    receive ok -> ok; {error, _} -> ok after 10000 -> exit(no_reply) end.

%% Number and Sent are the last two headers.
number([{_, Value}, _]) -> text_to_integer(Value);
number([_ | Rest]) -> number(Rest).

number_and_time([{_, Number}, {_, Sent}]) -> {text_to_integer(Number), text_to_integer(Sent)};
number_and_time([_ | Rest]) -> number_and_time(Rest).

text_to_integer(Value) when is_list(Value) -> list_to_integer(Value);
text_to_integer(Value) -> binary_to_integer(Value).

percentiles(Times) ->
    Sorted = list_to_tuple(lists:sort(Times)),
    Size = tuple_size(Sorted),
    {element(max(1, round(Size * 0.5)), Sorted), element(max(1, round(Size * 0.99)), Sorted)}.
