"""`api`, `bgapi` and `json_api`: the switch's API commands (api_exec in handle_msg.c)."""

from __future__ import annotations

import logging

from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import BadOption, NotJson, SwitchError
from mod_erlang_py.etf import Atom, Term, atom_text, json, memory
from mod_erlang_py.log_lines import about
from mod_erlang_py.switch.port import ApiResult, Event

from . import arguments, bounds
from .background import BackgroundJob
from .context import ERROR, OK, ReplyThen, Request
from .registry import request

log = logging.getLogger(__name__)

NO_OUTPUT = b"Command returned no output!"
JSON = "a map that can be written as JSON: of texts, numbers, true, false, null, lists and maps"
NOT_JSON = Atom("notjson")
BGOK = Atom("bgok")
BGERROR = Atom("bgerror")


def _command(ask: Request) -> tuple[str, bytes]:
    _, command, *rest = ask.term
    return arguments.name(command), arguments.c_text(rest[0]) if rest else b""


def _json_command(ask: Request) -> tuple[str, bytes]:
    if not isinstance(ask.term[1], dict):
        raise BadOption("json_api", JSON)
    try:
        return "json", bounds.size("json_api", json.source(ask.term[1]), bounds.MAX_TEXT)
    except NotJson:
        raise BadOption("json_api", JSON) from None


@request("api", 2, 3, 4, family=Family.API, runs=_command, or_more=True)
def api(ask: Request) -> Term:
    """`{api, Cmd}` or `{api, Cmd, Args}`: `{ok, S}`, or `{error, S}` when the command failed, said `-…` or nothing.

    `{api, Cmd, Args, #{format => json}}`: the output, which is JSON, as a term; `{error, {notjson, S}}`: it is none.
    Ours. A fourth element that is neither a map nor a list of pairs is ignored, as mod_erlang_event does.
    """
    command, argument = _command(ask)
    options = ask.term[3] if len(ask.term) > 3 and _are_options(ask.term[3]) else None
    if not options or not arguments.options(options, {"format": _is_json}):
        succeeded, output = _executed(ask, command, argument)
        return (OK if succeeded else ERROR, ask.context.text(output))
    if command.lower() == "show" and b" as " not in argument:
        argument += b" as json"
    return _as_term(ask, *_executed(ask, command, argument))


@request("json_api", 2, family=Family.API, runs=_json_command, expected="{json_api, Map}")
def json_api(ask: Request) -> Term:
    """`{json_api, Map}`: what the API command `json` makes of it (switch_json_api_execute), as a map. Ours."""
    return _as_term(ask, *_executed(ask, *_json_command(ask)))


def _as_term(ask: Request, succeeded: bool, output: bytes) -> Term:
    if not succeeded:
        return (ERROR, ask.context.text(output))
    try:
        return (OK, json.term(output))
    except NotJson as wrong:
        name = ask.link.name
        log.warning("%s: what %s asked for is no JSON: %s", name, ask.sender, wrong, extra=about(name))
        return (ERROR, (NOT_JSON, ask.context.text(str(wrong).encode())))


def _are_options(term: Term) -> bool:
    return isinstance(term, dict) or (isinstance(term, list) and any(isinstance(one, tuple) for one in term))


def _is_json(value: Term) -> bool:
    if atom_text(value) != "json":
        raise ValueError("json")
    return True


@request("bgapi", 2, 3, 4, family=Family.API, runs=_command, or_more=True)
def bgapi(ask: Request) -> ReplyThen:
    """As `api`, but `{ok, JobUUID}` as soon as the command runs; when it is done the event BACKGROUND_JOB is fired, and
    `{bgok, JobUUID, S}` or `{bgerror, JobUUID, S}` sent. `{bgapi, Cmd, Args, JobUUID}`: under a UUID of one's own.
    `{error, system_limit}` when it cannot be run.

    Whoever names the UUID of a call that is to be made asks for the call next: it is there when the answer goes out.
    """
    command, argument = _command(ask)
    own = arguments.uuid(ask.term[3]) if len(ask.term) > 3 else ""
    context = ask.context
    uuid = (own or context.switch.create_uuid()).encode()

    def finish(result: ApiResult) -> None:
        succeeded, output = _outcome(command, result)
        done = Event(
            "BACKGROUND_JOB",
            (
                (b"Job-UUID", uuid),
                (b"Job-Command", command.encode()),
                (b"Job-Command-Arg", argument),
                (b"Job-Successful", b"true" if succeeded else b"false"),
            ),
            output,
        )
        try:
            context.switch.fire(done)
        except SwitchError as refused:  # it shuts down; the reply is still owed
            log.warning("BACKGROUND_JOB: %s", refused)
        ask.tell((BGOK if succeeded else BGERROR, context.text(uuid), context.text(output)))

    job = BackgroundJob(context.switch, command, argument, finish)
    if context.workers.submit(job.run, memory(ask.term)):
        job.wait_until_findable()
    return ReplyThen((OK, context.text(uuid)), job.answered)


def _executed(ask: Request, command: str, argument: bytes) -> tuple[bool, bytes]:
    succeeded, output = _outcome(command, ask.context.switch.execute(command, argument))
    return (succeeded, output) if output else (False, NO_OUTPUT)


def _outcome(command: str, result: ApiResult) -> tuple[bool, bytes]:
    """Whether it counts as success, and what is answered."""
    if not result.found:
        return False, f"{command}: Command not found!\n".encode()
    return result.success and not result.output.startswith(b"-"), result.output
