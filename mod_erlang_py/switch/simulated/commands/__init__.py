"""The API commands. Each is a function of (context, argument) that returns what FreeSWITCH would write.

The modules register theirs (registry.py) when they are imported, which happens here:

    core.py   echo global_getvar json log msleep reloadxml show status unload version
    calls.py  originate uuid_exists uuid_getvar uuid_kill uuid_recv_dtmf uuid_send_dtmf
    users.py  find_user_xml user_data user_exists

Source: mod_commands.c and mod_dptools.c of FreeSWITCH 1.11.1, and its answers.
"""

from mod_erlang_py.switch.simulated.commands import calls, core, users
from mod_erlang_py.switch.simulated.commands.registry import Context, Function, built_in

MODULES = (calls, core, users)

__all__ = ["MODULES", "Context", "Function", "built_in"]
