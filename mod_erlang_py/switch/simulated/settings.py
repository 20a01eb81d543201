"""Reading the settings of a configuration file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from lxml import etree

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Params, Settings

_GLOBAL = re.compile(r"\$\$\{([^}]*)\}")


def settings_path(conf_dir: Path, file: str) -> Path:
    return conf_dir / "autoload_configs" / f"{file}.xml"


def read_settings(conf_dir: Path, file: str, variable: Callable[[str], str | None]) -> Settings:
    """What is in `<conf_dir>/autoload_configs/<file>.xml`; nothing when there is no such file.

    $${name} in a value is replaced by the global variable; other preprocessing is not done. Only the
    <configuration> of that name counts, as for FreeSWITCH.
    Raises SwitchError for a file that cannot be read, is no XML, or has a DOCTYPE (and so perhaps entities).
    """
    path = settings_path(conf_dir, file)
    return settings_in(parse_file(path, "settings"), file, variable) if path.exists() else Settings()


def settings_in(root: etree._Element, file: str, variable: Callable[[str], str | None]) -> Settings:
    """What is no <node> in <nodes>, or no <param> in a <node>, has its tag for a name: it is not passed over."""

    def value(of: etree._Element, name: str) -> str:
        return _GLOBAL.sub(lambda found: variable(found.group(1)) or "", of.get(name, ""))

    def params(found: Iterable[etree._Element]) -> Params:
        named = ((param.get("name") if param.tag == "param" else f"<{param.tag}>", param) for param in found)
        return [(name, value(param, "value")) for name, param in named if name]

    def nodes(configuration: etree._Element) -> list[etree._Element]:
        others = [one for one in configuration.iterfind("nodes/*") if one.tag != "node"]
        return [*configuration.iter("node"), *others]

    def node(one: etree._Element) -> tuple[str, Params]:
        return value(one, "name") if one.tag == "node" else f"<{one.tag}>", params(one.iterfind("*"))

    found = [one for one in root.iter("configuration") if one.get("name") == file]
    return Settings(
        params(param for one in found for param in one.iterfind("settings/param")),
        [node(inner) for one in found for inner in nodes(one)],
    )


def parse_file(path: Path, what: str) -> etree._Element:
    """The file's root. Raises SwitchError, about `what`, for a file that cannot be read, or as parse_xml does."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SwitchError(what, f"{path}: {error.strerror}") from error
    return parse_xml(content, what, f"{path}: ")


def parse_xml(content: bytes, what: str, where: str = "") -> etree._Element:
    """The root. No entities, nothing from the network, no comments.

    Raises SwitchError, about `what`, for what is no XML, or has a DOCTYPE.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise SwitchError(what, f"{where}{error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise SwitchError(what, f"{where}a DOCTYPE is not allowed")
    return root
