"""What the node is called: the rules of mod_erlang_event (`initialise_ei` in ei_helpers.c)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from mod_erlang_py.config.settings import Config

ANY = "*"


def node_name(config: Config, hostname: str, reverse: Callable[[str], str] | None = None) -> str:
    """The full node name.

    A nodename with `@` is taken whole. Otherwise the host is `hostname` (the switch's) when listening on any address,
    else the name that the listening address has; both cut at the first dot for a short name.
    reverse: the name of an address; an address without a name is its own name.
    """
    if "@" in config.nodename:
        return config.nodename
    host = hostname if is_any(config.listen_ip) else (reverse or name_of)(config.listen_ip)
    if config.shortname and not _is_address(host):
        host = host.split(".", 1)[0]
    return f"{config.nodename}@{host}"


def name_of(address: str) -> str:
    """The name that the address has in the reverse look-up, else the address."""
    try:
        return socket.getnameinfo((address, 0), 0)[0]
    except OSError:
        return address


def is_any(address: str) -> bool:
    return address == ANY or (_is_address(address) and ipaddress.ip_address(address).is_unspecified)


def is_loopback(address: str) -> bool:
    return address == "localhost" or (_is_address(address) and ipaddress.ip_address(address).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
