%% How erlang.py asks a node.
-module(asked).
-export([serve/1]).

%% Reads "{FUNCTION, ARGUMENTS}." a line, and prints "=> TERM", on one line, of what Answer(Function, Arguments) returns.
serve(Answer) ->
    io:put_chars("=> ready\n"),
    next(Answer).

next(Answer) ->
    case io:get_line("") of
        Line when is_list(Line) ->
            {ok, Tokens, _} = erl_scan:string(Line),
            {ok, {Function, Arguments}} = erl_parse:parse_term(Tokens),
            io:format("=> ~w~n", [catch Answer(Function, Arguments)]),
            next(Answer);
        _ ->
            erlang:halt(0, [{flush, false}])
    end.
