%% Handlers that the dialplan has spawned, for tests/peers/test_spawned.py. Each tells the process `owner' what it gets.
-module(spawned).
-export([plain/2, server/2, statem/2, crashing/2]).
-export([init/1, callback_mode/0, handle_call/3, handle_cast/2, handle_info/2, handle_event/4, terminate/2, terminate/3]).

%% A process without a behaviour. It also tells what proc_lib and others make of it.
plain(UUID, Node) ->
    owner ! {spawned, self(), UUID, Node, get('$ancestors'), proc_lib:translate_initial_call(self()),
             group_leader() =:= whereis(user)},
    plain().

plain() ->
    receive
        {stop, Reason} -> exit(Reason);
        Message -> owner ! {got, self(), Message}, plain()
    end.

%% gen_server:enter_loop.
server(UUID, Node) ->
    process_flag(trap_exit, true),
    owner ! {spawned, self(), UUID, Node},
    gen_server:enter_loop(?MODULE, [], UUID).

%% gen_statem:enter_loop.
statem(UUID, Node) ->
    owner ! {spawned, self(), UUID, Node},
    gen_statem:enter_loop(?MODULE, [], new, UUID).

%% Ends before it can be given the call.
crashing(UUID, _Node) -> error({crashing, UUID}).

init(_) -> ignore.
callback_mode() -> handle_event_function.

handle_call(uuid, _From, UUID) -> {reply, UUID, UUID}.
handle_cast(_, UUID) -> {noreply, UUID}.

handle_info({call_hangup, _} = Message, UUID) -> owner ! {got, self(), Message}, {stop, normal, UUID};
handle_info(Message, UUID) -> owner ! {got, self(), Message}, {noreply, UUID}.

handle_event(info, {call, _} = Message, new, _) -> owner ! {got, self(), Message}, {next_state, up, up};
handle_event(info, {call_hangup, _} = Message, up, _) -> owner ! {got, self(), Message}, stop;
handle_event(info, Message, _, _) -> owner ! {got, self(), Message}, keep_state_and_data.

terminate(Reason, UUID) -> owner ! {terminated, self(), UUID, Reason}.
terminate(_, _, _) -> ok.
