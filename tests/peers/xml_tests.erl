%% Processes that answer look-ups, for tests/peers/test_xml.py.
-module(xml_tests).
-export([bound/3, look/3, look/4, found/1, found/2, fetched/1, say/3, user/1, module/3]).

%% A process that is bound to Sections, and does Fun(Id, Fetch) with each look-up of a user; others it answers with "".
bound(Node, Sections, Fun) ->
    Me = self(),
    Pid = spawn(fun() ->
        {foo, Node} ! {bind, Sections},
        receive Reply -> Me ! {bound, self(), Reply} end,
        answer(Node, Fun)
    end),
    receive {bound, Pid, ok} -> Pid after 5000 -> exit(not_bound) end.

answer(Node, Fun) ->
    receive
        {fetch, _, _, _, _, Id, Params} = Fetch ->
            case lists:keymember("user", 1, Params) of
                true -> Fun(Id, Fetch);
                false -> {foo, Node} ! {fetch_reply, Id, ""}
            end;
        _ -> ok
    end,
    answer(Node, Fun).

%% The password of User, asked for by a process of its own; found/1,2 has the answer, and the milliseconds it took.
look(Node, Tag, User) -> look(Node, Tag, user_data, User ++ "@example.com param password").

look(Node, Tag, Command, Arguments) ->
    Me = self(),
    spawn(fun() ->
        Begin = erlang:monotonic_time(millisecond),
        {foo, Node} ! {api, Command, Arguments},
        receive {_, Answer} -> Me ! {found, Tag, Answer, erlang:monotonic_time(millisecond) - Begin} end
    end).

found(Tag) -> found(Tag, 8000).

found(Tag, Timeout) -> receive {found, Tag, Answer, Took} -> {Answer, Took} after Timeout -> none end.

%% The next look-up of a user that this process is asked for; others it answers with "".
fetched(Node) ->
    receive
        {fetch, _, _, _, _, Id, Params} = Fetch ->
            case lists:keymember("user", 1, Params) of
                true -> Fetch;
                false -> ok = element(1, say(Node, Id, "")), fetched(Node)
            end
    after 5000 -> none end.

%% What the node answers to a fetch_reply. A process's own requests are answered in order.
say(Node, Id, Xml) ->
    {foo, Node} ! {fetch_reply, Id, Xml},
    receive {ok, Id} = R -> R; {error, Id, _} = R -> R; {error, _} = R -> R after 5000 -> timeout end.

user(Password) -> ["<user id=\"7\"><params><param name=\"password\" value=\"", Password, "\"/></params></user>"].

%% A process that is bound to the configuration, and answers for one File of it.
module(Node, File, Xml) ->
    Me = self(),
    Pid = spawn(fun() ->
        {foo, Node} ! {bind, configuration},
        receive Reply -> Me ! {bound, self(), Reply} end,
        configuration(Node, File, Xml)
    end),
    receive {bound, Pid, ok} -> Pid after 5000 -> exit(not_bound) end.

configuration(Node, File, Xml) ->
    receive
        {fetch, configuration, _, _, File, Id, _} -> {foo, Node} ! {fetch_reply, Id, Xml};
        {fetch, _, _, _, _, Id, _} -> {foo, Node} ! {fetch_reply, Id, ""};
        _ -> ok
    end,
    configuration(Node, File, Xml).
