%% @doc An example: a directory and a dialplan that FreeSWITCH gets from Erlang, out of two small tables.
%%
%% ```
%%   erlc freeswitch.erl directory_example.erl
%%   erl -sname calls@localhost -setcookie ClueCon -eval "directory_example:start('freeswitch@localhost')."
%% '''
%% Then, in fs_cli:
%% ```
%%   user_exists id 1000 example.com              true
%%   user_data 1000@example.com param password    secret-1000
%%   originate loopback/4100/erlang &park()       a call through the dialplan below, in the context `erlang'
%% '''
%% What is not in the tables is looked up in FreeSWITCH's own XML files.
-module(directory_example).

-export([start/1, stop/1, init/2, user/2, extension/2]).

-define(DOMAIN, "example.com").
-define(CONTEXT, "erlang").

%% ---- the tables -------------------------------------------------------------------------------------------------

%% @doc The password and the variables of a user, or `none'.
-spec user(string(), string()) -> {string(), [{string(), string()}]} | none.
user("1000", ?DOMAIN) -> {"secret-1000", [{"user_context", ?CONTEXT}, {"effective_caller_id_name", "Ann & Bob"}]};
user("1001", ?DOMAIN) -> {"secret-1001", [{"user_context", ?CONTEXT}]};
user(_, _) -> none.

%% @doc What is done with a call to a number in a context: applications and their arguments; or `none'.
-spec extension(string(), string()) -> [{string(), string()}] | none.
extension("4100", ?CONTEXT) -> [{"answer", ""}, {"playback", "silence_stream://200"}, {"park", ""}];
extension("4101", ?CONTEXT) -> [{"hangup", "USER_BUSY"}];
extension(_, _) -> none.

%% ---- serving ----------------------------------------------------------------------------------------------------

%% @doc Serve both sections, one process for each. They bind again when FreeSWITCH has been away.
-spec start(node()) -> [{ok, pid()} | freeswitch:failure()].
start(Node) ->
    [freeswitch:start_fetch_handler(Node, Section, ?MODULE, init, Section) || Section <- [directory, dialplan]].

%% @doc End a process that {@link start/1} returned; its binding goes with it.
-spec stop(pid()) -> ok.
stop(Pid) ->
    Monitor = monitor(process, Pid),
    Pid ! stop,
    receive
        {'DOWN', Monitor, process, Pid, _} -> ok
    end.

%% @private
-spec init(node(), atom()) -> ok.
init(Node, Section) ->
    %% FreeSWITCH links the process that is bound. It need not end with the connection.
    process_flag(trap_exit, true),
    serve(Node, Section).

serve(Node, Section) ->
    receive
        %% directory: {fetch, directory, "domain", "name", "example.com", FetchID, [undefined | Headers]}
        %% dialplan:  {fetch, dialplan, "undefined", "undefined", "undefined", FetchID, [UUID | Headers]}
        {fetch, Section, _Tag, _Key, _Value, FetchID, Params} ->
            %% Any process may answer: one look-up does not wait for another, and one that fails harms no other.
            spawn(fun() -> freeswitch:fetch_reply(Node, FetchID, reply(Section, Params)) end),
            serve(Node, Section);
        {nodedown, Node} ->
            bind_again(Node, Section),
            serve(Node, Section);
        stop ->
            ok;
        _Other ->
            serve(Node, Section)
    end.

bind_again(Node, Section) ->
    timer:sleep(1000),
    case freeswitch:bind(Node, Section) of
        ok ->
            erlang:monitor_node(Node, true);
        _Failure ->
            bind_again(Node, Section)
    end.

%% ---- XML --------------------------------------------------------------------------------------------------------

reply(directory, Params) ->
    Id = param("user", Params),
    Domain = param("domain", Params),
    case user(Id, Domain) of
        {Password, Variables} ->
            document("directory", [
                tag("domain", [{"name", Domain}], [
                    tag("user", [{"id", Id}], [
                        tag("params", [], [tag("param", [{"name", "password"}, {"value", Password}], [])]),
                        tag("variables", [], [
                            tag("variable", [{"name", Name}, {"value", Value}], [])
                         || {Name, Value} <- Variables
                        ])
                    ])
                ])
            ]);
        none ->
            not_found()
    end;
reply(dialplan, Params) ->
    Number = param("Hunt-Destination-Number", Params),
    Context = param("Hunt-Context", Params),
    case extension(Number, Context) of
        none ->
            not_found();
        Actions ->
            document("dialplan", [
                tag("context", [{"name", Context}], [
                    tag("extension", [{"name", Number}], [
                        tag("condition", [], [
                            tag("action", [{"application", Application}, {"data", Data}], [])
                         || {Application, Data} <- Actions
                        ])
                    ])
                ])
            ])
    end.

%% FreeSWITCH goes on to its next source, here its own files.
not_found() ->
    <<>>.

%% The value of a parameter of the look-up; "" when there is none. Its texts are strings or binaries.
param(Name, Params) ->
    case freeswitch:get_event_header(Params, Name) of
        {error, notfound} -> "";
        Value -> binary_to_list(iolist_to_binary(Value))
    end.

document(Section, Content) ->
    iolist_to_binary(tag("document", [{"type", "freeswitch/xml"}], [tag("section", [{"name", Section}], Content)])).

tag(Name, Attributes, Content) ->
    ["<", Name, [[" ", Key, "=\"", escape(Value), "\""] || {Key, Value} <- Attributes], ">", Content, "</", Name, ">"].

escape(Text) ->
    lists:flatmap(fun escaped/1, Text).

escaped($&) -> "&amp;";
escaped($<) -> "&lt;";
escaped($") -> "&quot;";
escaped(Character) -> [Character].
