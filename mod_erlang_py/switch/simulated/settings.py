"""Reading the <settings> of a configuration file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from mod_erlang_py.errors import SwitchError

Params = list[tuple[str, str]]

_GLOBAL = re.compile(r"\$\$\{([^}]*)\}")


def read_settings(conf_dir: Path, file: str, variable: Callable[[str], str | None]) -> Params:
    """The params of `<conf_dir>/autoload_configs/<file>.xml`, in order; [] when there is no such file.

    $${name} in a value is replaced by the global variable; other preprocessing is not done. Only the
    <configuration> of that name counts, as for FreeSWITCH.
    Raises SwitchError for a file that cannot be read, is no XML, or has a DOCTYPE (and so perhaps entities).
    """
    path = conf_dir / "autoload_configs" / f"{file}.xml"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SwitchError("settings", f"{path}: {error.strerror}") from error
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise SwitchError("settings", f"{path}: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise SwitchError("settings", f"{path}: a DOCTYPE is not allowed")
    return [
        (name, _GLOBAL.sub(lambda found: variable(found.group(1)) or "", param.get("value", "")))
        for configuration in root.iter("configuration")
        if configuration.get("name") == file
        for param in configuration.iterfind("settings/param")
        if (name := param.get("name"))
    ]
