"""`make install`: put the entry script, the package with its dependencies, and the configuration into a FreeSWITCH.

    FS_SCRIPT_DIR/erlang_py.py            what mod_python3 imports
    FS_SCRIPT_DIR/erlang_py_doctor        checks a running installation
    FS_SCRIPT_DIR/erlang_py_packages/     mod_erlang_py, but for the simulated switch, and what it needs, for the Python
                                          that mod_python3 embeds
    FS_SCRIPT_DIR/erlang_py_manifest.json what was installed (sha256)
    FS_CONF_DIR/...                       the files of conf/

The scripts and the packages are ours and are replaced. A file of the configuration is replaced only while it is byte
for byte what an earlier install wrote; otherwise ours goes beside it as NAME.new. What was chosen once, extras and the
dialplan, stays chosen. Prints one line a file, and one for each thing that is left to do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mod_erlang_py import code
from scripts import extension, libraries
from scripts import fs_cli as fs_cli_options
from scripts.folders import Folders, InstallError, find_folders
from scripts.fs_cli import FsCli
from scripts.manifest import Manifest
from scripts.preflight import check_writable, elements, preflight

ROOT = Path(__file__).resolve().parent.parent
ENTRY = "erlang_py.py"
DOCTOR = "erlang_py_doctor"
PACKAGES = "erlang_py_packages"
MANIFEST = "erlang_py_manifest.json"
MODULES = Path("autoload_configs/modules.conf.xml")
CONFIGURATION = (Path("autoload_configs/erlang_event.conf.xml"), Path("autoload_configs/python.conf.xml"))
DIALPLAN = Path("dialplan/default/erlang.xml")
"""Extensions 7501 to 7503, to try it: only for who asks."""
NO_EXTRAS = "none"
_FILE = 0o644
_EXECUTABLE = 0o755  # and folders


def install(
    folders: Folders,
    python: str,
    fs_cli: FsCli,
    *,
    extras: Sequence[str] | None = None,
    dialplan: bool = False,
    wheels: Path | None = None,
    event_source: str = extension.AUTO,
) -> Iterator[str]:
    """Install everything; yields one line for each thing done or to do. Raises InstallError, OSError.

    extras: of the package's optional dependencies, "prometheus"; those that are there when None. dialplan: bring
    DIALPLAN, which is updated all the same where an earlier install brought it. wheels: a folder to take the libraries
    from, instead of an index. event_source: COMPILED when it is to fail where that cannot be built.
    """
    erlang_event = next(
        base / CONFIGURATION[0] for base in (folders.conf, ROOT / "conf") if (base / CONFIGURATION[0]).exists()
    )
    to_do = preflight(folders, python, erlang_event, fs_cli)
    check_writable([folders.scripts, folders.conf / MODULES.parent, *([folders.conf / DIALPLAN] if dialplan else [])])
    yield from install_scripts(folders.scripts, python, extras, wheels=wheels, event_source=event_source)
    yield from install_configuration(folders.conf, folders.scripts / MANIFEST, dialplan)
    for line in [*to_do, *_configuration_to_do(folders.conf), *_restart_to_do(folders.scripts, fs_cli)]:
        yield f"to do     {line}"


def install_scripts(
    script_dir: Path,
    python: str,
    extras: Sequence[str] | None = None,
    *,
    wheels: Path | None = None,
    fetched: Path | None = None,
    event_source: str = extension.AUTO,
) -> Iterator[str]:
    """The scripts and the packages, for the interpreter `python`. fetched: a folder with the libraries, if there is."""
    if not script_dir.is_dir():
        if not script_dir.parent.is_dir():
            raise InstallError(f"{script_dir} cannot be made: {script_dir.parent} is no folder; give FS_SCRIPT_DIR=...")
        _make(script_dir)
    manifest = Manifest(script_dir / MANIFEST)
    packages = script_dir / PACKAGES
    before = packages.exists()
    if extras is None:
        extras = [extra for extra, brought in libraries.EXTRAS.items() if (packages / brought).is_dir()]
        kept = extras
    else:
        kept = []
    with tempfile.TemporaryDirectory(prefix=f".{PACKAGES}.", dir=script_dir) as temporary:
        staging = Path(temporary) / PACKAGES
        if fetched:
            shutil.copytree(fetched, staging)
        else:
            libraries.fetch(python, staging, extras, wheels)
        shutil.copytree(ROOT / "mod_erlang_py", staging / "mod_erlang_py", ignore=_not_installed)
        _check(python, staging)
        compiled = extension.told(python, staging / "mod_erlang_py", event_source)
        _for_everybody(staging)
        manifest.forget(packages)
        for path in staging.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                manifest.record(packages / path.relative_to(staging), path.read_bytes())
        _swap(staging, packages, Path(temporary) / "before")
        manifest.save()
    yield f"{'updated' if before else 'installed':9} {packages}/ (for {python})"
    yield compiled
    yield from (f"kept      {extra}, chosen before; EXTRAS={NO_EXTRAS} takes it away" for extra in kept)
    for name, mode in ((ENTRY, _FILE), (DOCTOR, _EXECUTABLE)):
        content = (ROOT / "scripts" / name).read_bytes()
        yield _write(script_dir / name, content, mode)
        manifest.record(script_dir / name, content)
    manifest.save()


def install_configuration(conf_dir: Path, manifest_file: Path, dialplan: bool = False) -> Iterator[str]:
    """The files of conf/, an operator's changes kept."""
    manifest = Manifest(manifest_file)
    names = [*CONFIGURATION]
    if dialplan or (conf_dir / DIALPLAN in manifest.paths() and (conf_dir / DIALPLAN).exists()):
        names.append(DIALPLAN)
    if not (conf_dir / MODULES).exists() or manifest.is_unchanged(conf_dir / MODULES):
        names.append(MODULES)
    for name in names:
        line = _install_file(ROOT / "conf" / name, conf_dir / name, manifest)
        manifest.save()
        yield line


def _configuration_to_do(conf_dir: Path) -> Iterator[str]:
    if not starts_entry(conf_dir):
        yield f'{conf_dir / CONFIGURATION[1]}: add <param name="startup-script" value="erlang_py"/>'
    loaded = loaded_modules(conf_dir)
    if "mod_python3" not in loaded:
        yield f'{conf_dir / MODULES}: add <load module="mod_python3"/>'
    if "mod_erlang_event" in loaded:
        yield f'{conf_dir / MODULES}: remove <load module="mod_erlang_event"/>, which wants the same port'


def _restart_to_do(script_dir: Path, fs_cli: FsCli) -> Iterator[str]:
    """When the FreeSWITCH of that folder runs other code than the files have now."""
    if fs_cli.ask("global_getvar script_dir") != str(script_dir) or not fs_cli.is_loaded("mod_erlang_py"):
        return
    installed = code.read(script_dir / PACKAGES / "mod_erlang_py")
    versions: dict[str, str] = {}
    with contextlib.suppress(ValueError, KeyError, TypeError):  # of an early version, which says nothing of it
        versions = json.loads(fs_cli.ask("erlang status json") or "")["versions"]
    running = code.Code(versions.get("mod_erlang_py", "another"), versions.get("digest", "not known"))
    if installed != running:
        yield f"fs_cli: unload mod_erlang_py, then pyrun erlang_py: files are {installed}, running is {running}"


def starts_entry(conf_dir: Path) -> bool:
    """Whether python.conf.xml has our startup-script."""
    params = elements(conf_dir / CONFIGURATION[1], "param")
    return {"name": "startup-script", "value": "erlang_py"} in params


def loaded_modules(conf_dir: Path) -> set[str]:
    """What modules.conf.xml loads."""
    return {load.get("module", "") for load in elements(conf_dir / MODULES, "load")}


def _install_file(source: Path, target: Path, manifest: Manifest) -> str:
    """One file of the configuration; the line that says what was done."""
    ours = source.read_bytes()
    beside = target.with_name(f"{target.name}.new")
    if not target.exists() or target.read_bytes() == ours or manifest.is_unchanged(target):
        line = _write(target, ours, _FILE)
        manifest.record(target, ours)
        if manifest.is_unchanged(beside):
            beside.unlink()
        manifest.forget(beside)
        return line
    _write(beside, ours, _FILE)
    manifest.record(beside, ours)
    return f"kept      {target}, which is not as installed; the new one is {beside.name}"


def _write(target: Path, content: bytes, mode: int) -> str:
    """Write the file whole or not at all, whatever the umask; the line that says what was done."""
    before = target.read_bytes() if target.exists() else None
    if before == content:
        if target.stat().st_mode & mode == mode:
            return f"unchanged {target}"
        target.chmod(mode)
        return f"mended    {target}, which not everybody could read"
    _make(target.parent)
    temporary = target.with_name(f".{target.name}.part")
    temporary.write_bytes(content)
    temporary.chmod(mode)
    temporary.replace(target)
    return f"{'installed' if before is None else 'updated':9} {target}"


def _make(folder: Path) -> None:
    """The folder, and those above it that are missing."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir()
        folder.chmod(_EXECUTABLE)


def _for_everybody(folder: Path) -> None:
    """FreeSWITCH's user is to read what is in there, whatever the umask was, here and when the sources were copied."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(_EXECUTABLE if path.is_dir() or path.stat().st_mode & 0o100 else _FILE)


def _swap(new: Path, place: Path, old: Path) -> None:
    """Move what is in the place to `old`, and the new one there; or nothing."""
    if not place.exists():
        new.rename(place)
        return
    place.rename(old)
    try:
        new.rename(place)
    except BaseException:
        old.rename(place)
        raise


def _not_installed(folder: str, names: list[str]) -> set[str]:
    """What of the package stays behind: inside a real switch nobody needs the stand-in, nor what runs it."""
    stand_in = {"mod_erlang_py": {"__main__.py"}, "switch": {"simulated"}}
    built_here = {name for name in names if name.endswith(".so")}
    return {"__pycache__"} | built_here | stand_in.get(Path(folder).name, set())


def _check(python: str, packages: Path) -> None:
    """The packages can be imported by that interpreter: right version, right machine."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import erlang, lxml.etree, mod_erlang_py"
    libraries.run([python, "-B", "-c", code, str(packages)], f"{python} cannot use the packages")


def add_folders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--conf-dir", type=_folder, help="FreeSWITCH's conf_dir (FS_CONF_DIR)")
    parser.add_argument("--script-dir", type=_folder, help="FreeSWITCH's script_dir (FS_SCRIPT_DIR)")


def _folder(path: str) -> Path:
    return Path(path).absolute()


def tell(lines: Iterator[str]) -> None:
    """Print each line as it comes. When nobody reads any more (`make install | head`) the work goes on."""
    for line in lines:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make install", description="Install into a FreeSWITCH.")
    add_folders(parser)
    fs_cli_options.add_options(parser)
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter mod_python3 embeds (PYTHON)")
    parser.add_argument(
        "--extra",
        action="append",
        choices=[*libraries.EXTRAS, NO_EXTRAS],
        help="prometheus: metrics; none: without those of before (EXTRAS)",
    )
    parser.add_argument("--dialplan", action="store_true", help="extensions 7501 to 7503, to try it (DIALPLAN=yes)")
    parser.add_argument("--wheels", type=_folder, help="take the libraries from there, not from an index (WHEELS)")
    parser.add_argument(
        "--event-source",
        choices=extension.CHOICES,
        default=extension.AUTO,
        help="compiled: fail where the compiled event source cannot be built; python: do not build it (EVENT_SOURCE)",
    )
    options = parser.parse_args(arguments)
    fs_cli = fs_cli_options.of(options)
    extras = None if options.extra is None else [extra for extra in options.extra if extra != NO_EXTRAS]
    try:
        folders = find_folders(fs_cli, options.conf_dir, options.script_dir)
        lines = install(
            folders,
            options.python,
            fs_cli,
            extras=extras,
            dialplan=options.dialplan,
            wheels=options.wheels,
            event_source=options.event_source,
        )
        tell(lines)
    except (InstallError, OSError) as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
