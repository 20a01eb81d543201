"""The settings of erlang_event.conf, as one frozen value.

Names are the file's, with `-` as `_`. Defaults are mod_erlang_event's (its `config` function), except where said.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from mod_erlang_py.config import limits, tls
from mod_erlang_py.config.disposition import Continue, Disposition, disposition
from mod_erlang_py.config.limits import Limits
from mod_erlang_py.config.rights import NAMES, TLS_REQUIRED, NodeRule, Params, Rights, node_rules, rights
from mod_erlang_py.config.strategy import Random, Strategy, strategy
from mod_erlang_py.config.tls import Tls
from mod_erlang_py.config.values import acl, address, cookie, cookie_file, flag, nodename, one_of, whole
from mod_erlang_py.errors import ConfigError

FILE = "erlang_event.conf"


class Encoding(Enum):
    """What a text of FreeSWITCH is in Erlang: a string (list of bytes) or a binary."""

    STRING = "string"
    BINARY = "binary"


class EpmdMode(Enum):
    """Which epmd the node registers with, and who starts it."""

    AUTO = "auto"
    EXTERNAL = "external"
    BUILTIN = "builtin"
    NONE = "none"


class EventSource(Enum):
    """What takes events from the switch."""

    AUTO = "auto"
    COMPILED = "compiled"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Config:
    listen_ip: str = "0.0.0.0"
    """Address to listen on; `*` is every address."""
    listen_port: int = 8031
    nodename: str = "freeswitch"
    """With `@` taken whole; else the host is found, see node/names.py."""
    shortname: bool = True
    cookie: str = field(default_factory=lambda: DEFAULT_COOKIE, repr=False)
    """Given, or read from `cookie-file`, or from $HOME/.erlang.cookie; else DEFAULT_COOKIE."""
    apply_inbound_acl: tuple[str, ...] = ()
    """Lists of the switch, all of which must allow an address that connects."""
    rights: Rights = field(default_factory=Rights)
    """allow, allow-api, deny-api: of nodes that no <node> is about. Ours."""
    nodes: tuple[NodeRule, ...] = ()
    """Each <node> of <nodes>. Ours."""
    stop_on_bind_error: bool = False
    """Whether a listen-port that is taken ends the node; else it is tried again every second."""
    epmd: EpmdMode = EpmdMode.AUTO
    """One that runs, else `epmd -daemon`, else the built-in one; or only one of these, or none. Ours."""
    compat_rel: int = 0
    """Accepted, and without effect: OTP 23 and later need no compatibility mode."""
    encoding: Encoding = Encoding.STRING
    event_source: EventSource = EventSource.AUTO
    """The compiled one where it is to be had, else the one in Python; or only one of these. Ours."""
    max_event_bulk: int = 32
    """The most events gathered in one write. (mod_erlang_event: sent between two polls, 1.)"""
    max_log_bulk: int = 32
    """The same of log lines."""
    outbox_bytes: int = 512 * 1024 * 1024
    """What may wait for one node that does not read; further events and log lines are lost. Ours."""
    outbox_bytes_total: int = 1024 * 1024 * 1024
    """The same for all nodes together. Ours."""
    outbox_messages: int = 100_000
    """The same in messages (SWITCH_CORE_QUEUE_LEN in mod_erlang_event). Ours."""
    on_handler_exit: Disposition = field(default_factory=Continue)
    """What becomes of a call whose handler, or its node, is lost. Ours."""
    handler_timeout: int = 5
    """Seconds that a node has to take a call. (mod_erlang_event: 5, fixed.)"""
    pg_strategy: Strategy = field(default_factory=Random)
    """Which member of a process group gets a call. Ours."""
    fetch_timeout: int = 5
    """Seconds that the bound processes have to answer an XML look-up. (mod_erlang_event: 5, fixed.)"""
    max_xml_bytes: int = 4 * 1024 * 1024
    """The longest XML that is taken as an answer (1 MiB in mod_xml_curl). Ours."""
    max_xml_elements: int = 50_000
    """Elements of it. Ours."""
    max_xml_siblings: int = 5000
    """Elements in one element: each costs the switch's parser a look at all before it. Ours."""
    max_xml_entities: int = 2000
    """References in one text: each costs that parser a move of the text. Ours."""
    expand_xml: bool = False
    """Whether $${variables} and X-PRE-PROCESS set are done in an answer, as in mod_xml_curl's. Ours."""
    net_ticktime: int = 60
    """Seconds without a byte after which a peer counts as gone, as kernel's net_ticktime. Ours."""
    prometheus_listen_ip: str = "127.0.0.1"
    """Address where Prometheus scrapes the figures. Ours."""
    prometheus_listen_port: int | None = None
    """None: nowhere. Ours."""
    tls: Tls = field(default_factory=Tls)
    """Settings of their own: distribution by TLS. Ours."""
    limits: Limits = field(default_factory=Limits)
    """Settings of their own, each with its reason. Ours."""

    def rule_of(self, node: str) -> NodeRule | None:
        """The first that is about a node of that name."""
        for rule in self.nodes:
            if rule.is_of(node):
                return rule
        return None

    def rights_of(self, node: str) -> Rights:
        rule = self.rule_of(node)
        return self.rights if rule is None else rule.rights

    def cookie_of(self, node: str) -> str:
        """Of both directions: what that node has to know, and we tell it."""
        rule = self.rule_of(node)
        return self.cookie if rule is None or rule.cookie is None else rule.cookie


GROUPS = ("tls", "limits")
"""The fields of Config that are settings themselves, each a field of what stands there."""

DEFAULT_COOKIE = "ClueCon"
SECRETS = ("cookie", "tls-passphrase")
"""Settings whose values are shown nowhere."""


def read(
    settings: Iterable[tuple[str, str]], home: Path | None = None, nodes: Iterable[tuple[str, Params]] = ()
) -> tuple[Config, list[ConfigError]]:
    """The settings of a file's <param> list, the last of a name counting; apply-inbound-acl and rights add up.

    home: where `.erlang.cookie` may be. nodes: each <node>, its name and its params. Returns the configuration and what
    is wrong with the file; a wrong value leaves its default in place. Raises ConfigError where that would not be safe:
    a cookie that cannot be used, a right that cannot be read.
    """
    values: dict[str, Any] = {}
    given_tls: dict[str, str] = {}
    acl: list[str] = []
    allowed: list[tuple[str, str]] = []
    wrong: list[ConfigError] = []
    for name, value in settings:
        if name in NAMES:
            allowed.append((name, value))
            continue
        parse = _PARSERS.get(name)
        if parse is None:
            unknown = ConfigError(name, _shown(name, value), _known(name))
            if _nearest(name) in NAMES:
                raise unknown
            wrong.append(unknown)
            continue
        try:
            parsed = parse(value)
        except ValueError as error:
            bad = ConfigError(name, _shown(name, value), str(error))
            if name in _NO_SAFE_DEFAULT:
                raise bad from None
            wrong.append(bad)
            continue
        if name in tls.PARSERS:
            given_tls[name] = _shown(name, value)
        if name == "apply-inbound-acl":
            acl.append(parsed)
        else:
            values[field_of(name)] = parsed
    if "cookie" not in values and home is not None and (home / ".erlang.cookie").exists():
        try:
            values["cookie"] = cookie_file(str(home / ".erlang.cookie"))
        except ValueError as error:
            raise ConfigError("cookie-file", str(home / ".erlang.cookie"), str(error)) from None
    general = rights(allowed)
    values |= {"apply_inbound_acl": tuple(acl), "rights": general, "nodes": node_rules(nodes, general)}
    found = with_values(Config(), values)
    tls.check(found.tls, given_tls)
    for rule in found.nodes:
        if rule.tls_required and not found.tls.on:
            raise ConfigError(f"node {rule.name}: {TLS_REQUIRED}", "true", "tls-listen-port in the settings")
    return found, wrong


def field_of(name: str) -> str:
    """The field, of Config or of one of its groups, that a setting is kept in."""
    if name in NAMES:
        return "rights"
    return "cookie" if name == "cookie-file" else name.replace("-", "_")


def values_of(config: Config) -> dict[str, Any]:
    """The value of each field, those of groups in the place of the group."""
    values: dict[str, Any] = {}
    for one in fields(config):
        value = getattr(config, one.name)
        values |= (
            {of.name: getattr(value, of.name) for of in fields(value)} if one.name in GROUPS else {one.name: value}
        )
    return values


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """The configuration with other values for some fields, named as in values_of."""
    own = {one.name for one in fields(config)} - {*GROUPS}
    changed = {name: value for name, value in values.items() if name in own}
    for name in GROUPS:
        group = getattr(config, name)
        changed[name] = replace(group, **{of.name: values[of.name] for of in fields(group) if of.name in values})
    return replace(config, **changed)


_NO_SAFE_DEFAULT = {"cookie", "cookie-file", "apply-inbound-acl", *tls.PARSERS}


def _known(name: str) -> str:
    close = _nearest(name)
    return f"a setting of {FILE}" + (f", perhaps {close}" if close else "")


def _nearest(name: str) -> str:
    """The known setting that the name resembles; "" when there is none."""
    return next(iter(difflib.get_close_matches(name.lower(), (*_PARSERS, *NAMES), n=1)), "")


def _shown(name: str, value: str) -> str:
    """The value, unless it is a secret, under its name or a misspelt one."""
    return "***" if _nearest(name) in SECRETS and name != "cookie-file" else value


_PARSERS: dict[str, Callable[[str], Any]] = {
    "listen-ip": address,
    "listen-port": whole(1, 65535),
    "nodename": nodename,
    "shortname": flag,
    "cookie": cookie,
    "cookie-file": cookie_file,
    "apply-inbound-acl": acl,
    "stop-on-bind-error": flag,
    "epmd": one_of(EpmdMode),
    "compat-rel": whole(7, 99),
    "encoding": one_of(Encoding),
    "event-source": one_of(EventSource),
    "max-event-bulk": whole(1, 1000),
    "max-log-bulk": whole(1, 1000),
    "outbox-bytes": whole(65536, 2**40),
    "outbox-bytes-total": whole(65536, 2**40),
    "outbox-messages": whole(1, 10_000_000),
    "on-handler-exit": disposition,
    "handler-timeout": whole(1, 3600),
    "pg-strategy": strategy,
    "fetch-timeout": whole(1, 3600),
    "max-xml-bytes": whole(1, 2**26),
    "max-xml-elements": whole(1, 10_000_000),
    "max-xml-siblings": whole(1, 1_000_000),
    "max-xml-entities": whole(1, 1_000_000),
    "expand-xml": flag,
    "net-ticktime": whole(1, 3600),
    "prometheus-listen-ip": address,
    "prometheus-listen-port": whole(1, 65535),
    **tls.PARSERS,
    **limits.PARSERS,
}
