"""The settings of erlang_event.conf."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from mod_erlang_py.config import tls
from mod_erlang_py.config.disposition import Hangup, Park, Transfer
from mod_erlang_py.config.rights import NAMES, Family, Rights
from mod_erlang_py.config.settings import FILE, Config, Encoding, EpmdMode, EventSource, field_of, read, values_of
from mod_erlang_py.config.strategy import Hash, LeastCalls, Random
from mod_erlang_py.errors import ConfigError
from mod_erlang_py.switch.freeswitch.switch import settings_in
from mod_erlang_py.switch.simulated import settings as simulated
from scripts.install import ROOT

SECRET = "do-not-tell"


def test_defaults_are_those_of_mod_erlang_event() -> None:
    config, wrong = read([])
    assert wrong == []
    assert config == Config()
    assert (config.listen_ip, config.listen_port) == ("0.0.0.0", 8031)
    assert (config.nodename, config.shortname, config.cookie) == ("freeswitch", True, "ClueCon")
    assert config.encoding is Encoding.STRING


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("listen-ip", "*", "*"),
        ("listen-ip", "::1", "::1"),
        ("listen-port", "1", 1),
        ("listen-port", "65535", 65535),
        ("nodename", "fs", "fs"),
        ("nodename", "fs@host.example.com", "fs@host.example.com"),
        ("cookie", "x", "x"),
        ("cookie", "ä" * 255, "ä" * 255),
        ("stop-on-bind-error", "true", True),
        ("epmd", "auto", EpmdMode.AUTO),
        ("epmd", "External", EpmdMode.EXTERNAL),
        ("epmd", "builtin", EpmdMode.BUILTIN),
        ("epmd", "none", EpmdMode.NONE),
        ("compat-rel", "15", 15),
        ("on-handler-exit", "park", Park()),
        ("on-handler-exit", "hangup", Hangup("NORMAL_TEMPORARY_FAILURE")),
        ("on-handler-exit", "hangup USER_BUSY", Hangup("USER_BUSY")),
        ("on-handler-exit", "transfer 1000 XML default", Transfer("1000", "XML", "default")),
        ("pg-strategy", "random", Random()),
        ("pg-strategy", "least_calls", LeastCalls()),
        ("pg-strategy", "hash caller_id_number", Hash("caller_id_number")),
        ("handler-timeout", "1", 1),
        ("fetch-timeout", "30", 30),
        ("max-xml-bytes", "4096", 4096),
        ("max-xml-elements", "40", 40),
        ("max-xml-siblings", "30", 30),
        ("max-xml-entities", "20", 20),
        ("expand-xml", "yes", True),
        ("encoding", "binary", Encoding.BINARY),
        ("encoding", "Binary", Encoding.BINARY),
        ("encoding", "string", Encoding.STRING),
        ("event-source", "auto", EventSource.AUTO),
        ("event-source", "Compiled", EventSource.COMPILED),
        ("event-source", "python", EventSource.PYTHON),
        ("max-event-bulk", "1", 1),
        ("max-log-bulk", "7", 7),
        ("outbox-bytes", "1048576", 1048576),
        ("outbox-messages", "5000", 5000),
        ("net-ticktime", "4", 4),
        ("net-ticktime", "3600", 3600),
        ("prometheus-listen-ip", "*", "*"),
        ("prometheus-listen-port", "9283", 9283),
        *[("shortname", word, True) for word in ("true", "TRUE", "yes", "on", "t", "enabled", "active", "allow")],
        *[("shortname", word, True) for word in ("1", "7")],
        *[("shortname", word, False) for word in ("false", "No", "off", "f", "disabled", "inactive", "disallow")],
        ("shortname", "0", False),
    ],
)
def test_each_setting(name: str, value: str, expected: object) -> None:
    config, wrong = read([(name, value)])
    assert wrong == []
    assert getattr(config, name.replace("-", "_")) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("listen-ip", "", "an address, or *"),
        ("listen-port", "0", "a whole number from 1 to 65535"),
        ("listen-port", "65536", "a whole number from 1 to 65535"),
        ("listen-port", "80 31", "a whole number from 1 to 65535"),
        ("listen-port", "", "a whole number from 1 to 65535"),
        ("listen-port", "1" * 5000, "a whole number from 1 to 65535"),
        ("nodename", "", "name or name@host"),
        ("nodename", "@host", "name or name@host"),
        ("nodename", "fs@", "name or name@host"),
        ("nodename", "fs@a@b", "name or name@host"),
        ("nodename", "free switch", "name or name@host"),
        ("shortname", "perhaps", "true or false"),
        ("shortname", "", "true or false"),
        ("shortname", "²", "true or false"),
        ("stop-on-bind-error", "2x", "true or false"),
        ("epmd", "internal", "auto, external, builtin or none"),
        ("compat-rel", "6", "a whole number from 7 to 99"),
        ("on-handler-exit", "explode", None),
        ("pg-strategy", "hash", "random, least_calls or hash VARIABLE"),
        ("pg-strategy", "round robin", "random, least_calls or hash VARIABLE"),
        ("handler-timeout", "0", None),
        ("fetch-timeout", "x", None),
        ("max-xml-bytes", "0", None),
        ("max-xml-bytes", "67108865", "a whole number from 1 to 67108864"),
        ("max-xml-siblings", "none", None),
        ("expand-xml", "maybe", None),
        ("encoding", "utf-8", "string or binary"),
        ("event-source", "c", "auto, compiled or python"),
        ("net-ticktime", "0", "a whole number from 1 to 3600"),
        ("max-event-bulk", "0", None),
        ("max-log-bulk", "-1", None),
        ("outbox-bytes", "1", None),
        ("outbox-messages", "none", None),
        ("net-ticktime", "1.5", "a whole number from 1 to 3600"),
        ("prometheus-listen-ip", "", "an address, or *"),
        ("prometheus-listen-port", "0", "a whole number from 1 to 65535"),
    ],
)
def test_a_wrong_value_is_told_and_leaves_the_default(name: str, value: str, expected: str | None) -> None:
    """expected: what the error says that it expected; None where only that it says something."""
    config, (error,) = read([(name, value)])
    assert config == Config()
    assert (error.param, error.expected) == (name, expected or error.expected)
    assert str(error).startswith(f"{name}=")
    assert str(error).endswith(f": expected {error.expected}")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cookie", "", "1 to 255 Latin-1 characters"),
        ("cookie", "x" * 256, "1 to 255 Latin-1 characters"),
        ("cookie", "ł", "1 to 255 Latin-1 characters"),
        ("cookie-file", "/no/such/file", "a file that can be read: No such file or directory"),
        ("apply-inbound-acl", " ", "the name of an access control list"),
    ],
)
def test_a_wrong_value_without_a_safe_default_ends_it(name: str, value: str, expected: str) -> None:
    """Nobody means to serve with everybody's cookie, or everybody."""
    with pytest.raises(ConfigError) as raised:
        read([(name, value)])
    assert (raised.value.param, raised.value.expected) == (name, expected)


def test_the_cookie_comes_from_a_file_of_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "cookie"
    file.write_text("from the file\nand no further\n")
    file.chmod(0o600)
    assert read([("cookie-file", str(file))])[0].cookie == "from the file"
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="only its owner"):
        read([("cookie-file", str(file))])


def test_without_a_cookie_that_of_the_home_folder_counts(tmp_path: Path) -> None:
    home = tmp_path / ".erlang.cookie"
    assert read([], tmp_path)[0].cookie == "ClueCon"
    home.write_text("HOMEMADE")
    home.chmod(0o400)
    assert read([], tmp_path)[0].cookie == "HOMEMADE"
    assert read([("cookie", "given")], tmp_path)[0].cookie == "given"
    home.chmod(0o444)
    with pytest.raises(ConfigError, match="only its owner"):
        read([], tmp_path)
    assert read([("cookie", "given")], tmp_path)[0].cookie == "given"


def test_access_control_lists_add_up() -> None:
    config, wrong = read([("apply-inbound-acl", "lan"), ("apply-inbound-acl", "10.0.0.0/8")])
    assert (config.apply_inbound_acl, wrong) == (("lan", "10.0.0.0/8"), [])


def test_one_wrong_value_does_not_cost_the_others() -> None:
    config, wrong = read([("listen-port", "x"), ("encoding", "binary"), ("nodename", "")])
    assert config == Config(encoding=Encoding.BINARY)
    assert [error.param for error in wrong] == ["listen-port", "nodename"]


def test_the_last_of_a_name_counts() -> None:
    assert read([("listen-port", "1"), ("listen-port", "2")]) == (Config(listen_port=2), [])


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("listen_port", "listen-port"), ("node-name", "nodename"), ("enconding", "encoding"), ("Cookie", "cookie")],
)
def test_an_unknown_name_is_told_with_the_nearest_known(name: str, nearest: str) -> None:
    config, (error,) = read([(name, "1")])
    assert config == Config()
    assert error.expected == f"a setting of erlang_event.conf, perhaps {nearest}"
    assert str(error).startswith(f"{name}=")


def test_an_unknown_name_that_resembles_none() -> None:
    _, (error,) = read([("xyzzy", "1")])
    assert error.expected == "a setting of erlang_event.conf"
    assert str(error) == "xyzzy='1': expected a setting of erlang_event.conf"


@pytest.mark.parametrize("name", ["cookie", "Cookie", "cookies", "cooky"])
@pytest.mark.parametrize("value", [SECRET, SECRET + "ł"])
def test_the_cookie_is_never_told(name: str, value: str) -> None:
    """Neither a good one nor a bad one, nor one under a misspelt name."""
    try:
        config, wrong = read([(name, value)])
    except ConfigError as error:
        config, wrong = Config(), [error]
    for told in [repr(config), str(config), *map(str, wrong), *map(repr, wrong)]:
        assert SECRET not in told


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().listen_port = 1  # type: ignore[misc]


def shipped_file() -> etree._Element:
    return etree.fromstring((ROOT / "conf" / "autoload_configs" / "erlang_event.conf.xml").read_text())


def comments() -> list[str]:
    return [comment.text or "" for comment in shipped_file().iter(etree.Comment)]


def shipped_settings() -> list[tuple[str, str]]:
    """Those in comments too: an operator takes the marks away and expects what stands there."""
    shipped = shipped_file()
    params = [(param.get("name", ""), param.get("value", "")) for param in shipped.iterfind("settings/param")]
    for comment in comments():
        if comment.startswith("<param"):
            param = etree.fromstring(comment)
            params.append((param.get("name", ""), param.get("value", "")))
    return params


EXAMPLES = {"cookie-file", "apply-inbound-acl", *NAMES[1:], "compat-rel", "prometheus-listen-port", *tls.PARSERS}
"""Settings of the shipped file that have no default, or go with one that has none: what stands there is an example."""


def test_the_shipped_file_has_the_defaults() -> None:
    assert read((name, value) for name, value in shipped_settings() if name not in EXAMPLES) == (Config(), [])


def test_the_shipped_file_has_every_setting() -> None:
    shipped = {name for name, _ in shipped_settings()}
    assert {field_of(name) for name in shipped} == {*values_of(Config())} - {"nodes"}
    assert shipped >= {"cookie-file", *NAMES}


def test_the_nodes_of_the_shipped_file_can_be_used(tmp_path: Path) -> None:
    (nodes,) = [one for one in comments() if one.startswith("<nodes>")]
    secret = tmp_path / "billing.cookie"
    secret.write_text("from the file")
    secret.chmod(0o600)
    given = settings_in(etree.fromstring(nodes.replace("/etc/freeswitch", str(tmp_path)))).nodes
    config, wrong = read([], nodes=given)
    assert wrong == []
    assert config.cookie_of("billing@10.0.0.5") == "from the file"
    assert config.rights_of("billing@10.0.0.5") == Rights(frozenset({Family.EVENTS, Family.LOGS}))
    assert config.cookie_of("monitor1@there") == "a secret of its own"
    assert config.rights_of("monitor1@there").refuses_command("show", b"calls as json") is None
    assert config.rights_of("other@there") == Rights()


@pytest.mark.parametrize(
    "nodes",
    [
        '<node name="a@b"><parm name="allow" value="none"/></node>',
        '<node name="a@b"><params><param name="allow" value="none"/></params></node>',
        '<nod name="a@b"><param name="allow" value="none"/></nod>',
        '<Node name="a@b"><param name="allow" value="none"/></Node>',
        '<group><node name="a@b"><param name="allow" value="none"/></node></group>',
    ],
)
def test_what_is_no_node_or_no_param_of_one_is_not_passed_over(nodes: str) -> None:
    """Either, in both switches: what was to be denied would be allowed."""
    xml = etree.fromstring(f'<configuration name="{FILE}"><nodes>{nodes}</nodes></configuration>')
    for given in settings_in(xml).nodes, simulated.settings_in(xml, FILE, lambda _: None).nodes:
        with pytest.raises(ConfigError, match="<"):
            read([], nodes=given)
