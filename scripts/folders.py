"""Where a FreeSWITCH has its folders: asked of the one that runs, else known from the usual layouts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.fs_cli import FsCli


class InstallError(Exception):
    """Why nothing more was done, in one line."""


@dataclass(frozen=True)
class Folders:
    """FreeSWITCH's conf_dir, script_dir and mod_dir; modules is None when that is not known."""

    conf: Path
    scripts: Path
    modules: Path | None


DEBIAN = Folders(Path("/etc/freeswitch"), Path("/usr/share/freeswitch/scripts"), Path("/usr/lib/freeswitch/mod"))
# Of FreeSWITCHes built from source, in both layouts of its `configure`: with and without --enable-fhs.
PREFIXES = (Path("/opt/freeswitch"), Path("/usr/local/freeswitch"), Path("/usr/local"))


def find_folders(fs_cli: FsCli, conf: Path | None = None, scripts: Path | None = None) -> Folders:
    """FS_CONF_DIR and FS_SCRIPT_DIR win where they are given. Raises InstallError."""
    running = _running(fs_cli)
    known: Folders | None
    if conf is None:
        known = running or _only_installed()
        conf = known.conf
    else:
        usual = [DEBIAN, *_layouts([conf.parent, conf.parent.parent])]
        candidates = [running, *usual] if running else usual
        known = next((folders for folders in candidates if folders.conf == conf), None)
    if scripts is None:
        if known is None:
            raise InstallError(f"give FS_SCRIPT_DIR=... too: {conf} is in none of the usual layouts")
        scripts = known.scripts
    modules = known.modules if known else None
    return Folders(conf, scripts, modules if modules and modules.is_dir() else None)


def _running(fs_cli: FsCli) -> Folders | None:
    """Those of the FreeSWITCH that answers fs_cli."""
    told = [fs_cli.ask(f"global_getvar {name}") for name in ("conf_dir", "script_dir", "mod_dir")]
    conf, scripts, modules = (Path(path) if path and path.startswith("/") else None for path in told)
    return Folders(conf, scripts, modules) if conf and scripts else None


def _only_installed() -> Folders:
    """The only FreeSWITCH that there is in the usual places. Raises InstallError."""
    found = [folders for folders in (DEBIAN, *_layouts(PREFIXES)) if (folders.conf / "freeswitch.xml").is_file()]
    if len(found) != 1:
        which = f"these are there: {', '.join(str(folders.conf) for folders in found)}" if found else "none is found"
        raise InstallError(f"give FS_CONF_DIR=... FS_SCRIPT_DIR=...: no FreeSWITCH answers fs_cli, and {which}")
    return found[0]


def _layouts(prefixes: Iterable[Path]) -> list[Folders]:
    plain = [Folders(prefix / "conf", prefix / "scripts", prefix / "mod") for prefix in prefixes]
    fhs = [
        Folders(prefix / "etc/freeswitch", prefix / "share/freeswitch/scripts", prefix / "lib/freeswitch/mod")
        for prefix in prefixes
    ]
    return plain + fhs
