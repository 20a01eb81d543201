"""`api` and `bgapi`: the switch's API commands (api_exec in handle_msg.c)."""

from __future__ import annotations

import logging
import threading

from mod_erlang_py.errors import BadArg, SwitchError
from mod_erlang_py.etf import Atom, Term, text
from mod_erlang_py.switch.port import ApiResult, Event

from .context import ERROR, OK, ReplyThen, Request
from .registry import request

log = logging.getLogger(__name__)

NO_OUTPUT = b"Command returned no output!"
BGOK = Atom("bgok")
BGERROR = Atom("bgerror")


@request("api", 2, 3, or_more=True)
def api(ask: Request) -> Term:
    """`{api, Cmd}` or `{api, Cmd, Args}`: `{ok, S}`, or `{error, S}` when the command failed, said `-…` or nothing."""
    command, arguments = _command(ask)
    succeeded, output = _outcome(command, ask.context.switch.execute(command, arguments))
    if not output:
        succeeded, output = False, NO_OUTPUT
    return (OK if succeeded else ERROR, ask.context.text(output))


@request("bgapi", 2, 3, or_more=True)
def bgapi(ask: Request) -> ReplyThen:
    """As `api`, but `{ok, JobUUID}` at once; when it is done the event BACKGROUND_JOB is fired, and `{bgok, JobUUID,
    S}` or `{bgerror, JobUUID, S}` sent. `{error, system_limit}` when there is no thread for it."""
    command, arguments = _command(ask)
    context = ask.context
    job = context.switch.create_uuid().encode()
    answered = threading.Event()

    def run() -> None:
        answered.wait()
        succeeded, output = _outcome(command, context.switch.execute(command, arguments))
        done = Event(
            "BACKGROUND_JOB",
            (
                (b"Job-UUID", job),
                (b"Job-Command", command.encode()),
                (b"Job-Command-Arg", arguments),
                (b"Job-Successful", b"true" if succeeded else b"false"),
            ),
            output,
        )
        try:
            context.switch.fire(done)
        except SwitchError as refused:  # it shuts down; the reply is still owed
            log.warning("BACKGROUND_JOB: %s", refused)
        ask.reply((BGOK if succeeded else BGERROR, context.text(job), context.text(output)))

    context.workers.submit(run)
    return ReplyThen((OK, context.text(job)), answered.set)


def _command(ask: Request) -> tuple[str, bytes]:
    _, command, *rest = ask.term
    name = text(command)
    arguments = text(rest[0]) if rest else b""
    if b"\0" in name or b"\0" in arguments:
        raise BadArg("NUL in a command")
    try:
        return name.decode(), arguments
    except UnicodeDecodeError:
        raise BadArg("a command's name is UTF-8") from None


def _outcome(command: str, result: ApiResult) -> tuple[bool, bytes]:
    """Whether it counts as success, and what is answered."""
    if not result.found:
        return False, f"{command}: Command not found!\n".encode()
    return result.success and not result.output.startswith(b"-"), result.output
