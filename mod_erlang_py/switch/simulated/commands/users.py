"""Commands about the users in the directory."""

from __future__ import annotations

from lxml import etree

from mod_erlang_py.switch.simulated.commands.registry import Context, command
from mod_erlang_py.switch.simulated.directory import as_text, attributes
from mod_erlang_py.switch.simulated.words import separate

_DOMAIN = b"freeswitch.local"
"""Of a user without one, where there is no global variable `domain` (switch_core_get_domain)."""


@command("user_exists")
def user_exists(context: Context, argument: bytes) -> bytes:
    return b"true" if isinstance(_find(context, argument), etree._Element) else b"false"


@command("find_user_xml")
def find_user_xml(context: Context, argument: bytes) -> bytes:
    found = _find(context, argument)
    return as_text(found).encode() if isinstance(found, etree._Element) else b"-ERR %s\n" % found


def _find(context: Context, argument: bytes) -> etree._Element | bytes:
    """The user, or why not."""
    words = separate(argument, b" ", 3)
    if len(words) < 3:
        return b"bad args"
    key, name, domain = words
    user = context.directory.user(key, name, domain)
    return b"can't find user" if user is None else user


@command("user_data")
def user_data(context: Context, argument: bytes) -> bytes:
    """Nothing when there is no such user, or it has no such thing. Any other type than var and attr means param."""
    words = separate(argument, b" ", 3)
    if len(words) < 3:
        return b""
    name, kind, key = words
    name, at, domain = name.partition(b"@")
    if not at:
        domain = _DOMAIN
    user = context.directory.user(b"id:number-alias", name, domain, ((b"type", kind),))
    if user is None:
        return b""
    if kind == b"attr":
        return attributes(user).get(key.decode(errors="replace"), "").encode()
    path = "variables/variable" if kind == b"var" else "params/param"
    container, tag = path.split("/")
    found = user.find(container)
    values = [
        one.get("value", "")
        for one in (found.iterfind(tag) if found is not None else ())
        if one.get("name", "").encode().lower() == key.lower() and one.get("value") is not None
    ]
    return values[-1].encode() if values else b""
