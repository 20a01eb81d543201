"""The API commands. Each is a function of (context, argument) that returns what FreeSWITCH would write.

The modules register theirs when they are imported, which happens here:

    clock     uptime strftime strepoch strmicroepoch msleep
    core      status version hostname switchname create_uuid global_getvar global_setvar reloadxml
    text      echo eval url_encode url_decode md5 toupper tolower cond
    calls     originate hupall
    channels  uuid_exists uuid_kill uuid_getvar uuid_setvar uuid_dump uuid_answer uuid_pre_answer uuid_park
              uuid_transfer uuid_bridge uuid_send_dtmf uuid_recv_dtmf
    modules   load unload reload module_exists
    logs      log console
    reports   show help
    users     user_exists user_data find_user_xml

Source: mod_commands.c, mod_dptools.c and mod_console.c of FreeSWITCH 1.11.1, and its answers.
"""

from mod_erlang_py.switch.simulated.commands import calls, channels, clock, core, logs, modules, reports, text, users
from mod_erlang_py.switch.simulated.commands.registry import Command, Context, built_in

MODULES = (calls, channels, clock, core, logs, modules, reports, text, users)

__all__ = ["MODULES", "Command", "Context", "built_in"]
