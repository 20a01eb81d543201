"""`make uninstall`: remove what `make install` wrote, as its manifest has it. Prints one line a file.

A file that was changed since stays and is named; so do lines that the operator has added for us, which are named too.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts import fs_cli as fs_cli_options
from scripts.folders import Folders, InstallError, find_folders
from scripts.fs_cli import FsCli
from scripts.install import (
    CONFIGURATION,
    ENTRY,
    MANIFEST,
    MODULES,
    PACKAGES,
    add_folders,
    loaded_modules,
    starts_entry,
    tell,
)
from scripts.manifest import Manifest
from scripts.preflight import check_writable


def uninstall(folders: Folders, fs_cli: FsCli) -> Iterator[str]:
    """Yields one line for each thing done or to do. Raises InstallError, OSError."""
    file = folders.scripts / MANIFEST
    if not file.is_file():
        yield f"nothing   to remove: {file} is not there"
        return
    manifest = Manifest(file)
    packages = folders.scripts / PACKAGES
    check_writable(sorted({path.parent for path in manifest.paths()} | {folders.scripts}))
    yield from _remove(manifest, packages)
    _forget_compiled(folders.scripts)
    if packages.is_dir():
        _prune(packages)
        if not packages.exists():
            yield f"removed   {packages}/"
    file.unlink()
    yield from (f"to do     {line}" for line in _to_do(folders.conf, fs_cli))


def _remove(manifest: Manifest, packages: Path) -> Iterator[str]:
    """Every file that is as it was written. One that is not stays, and everything unknown in the packages."""
    for path in manifest.paths():
        if manifest.is_unchanged(path):
            path.unlink()
            if packages not in path.parents:
                yield f"removed   {path}"
        elif path.exists():
            yield f"kept      {path}, which is not as installed"
    known = set(manifest.paths())
    for path in sorted(packages.rglob("*")):
        if path.is_file() and path not in known and "__pycache__" not in path.parts:
            yield f"kept      {path}, which install did not write"


def _forget_compiled(script_dir: Path) -> None:
    """What Python made of the entry."""
    cache = script_dir / "__pycache__"
    for compiled in cache.glob(f"{Path(ENTRY).stem}.*.pyc"):
        compiled.unlink()
    if cache.is_dir() and not any(cache.iterdir()):
        cache.rmdir()


def _prune(folder: Path) -> None:
    """What Python compiled, and the folders that are empty then."""
    for path in folder.iterdir():
        if path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.is_dir() and not path.is_symlink():
            _prune(path)
    if not any(folder.iterdir()):
        folder.rmdir()


def _to_do(conf_dir: Path, fs_cli: FsCli) -> Iterator[str]:
    if starts_entry(conf_dir):
        yield f'{conf_dir / CONFIGURATION[1]}: take out <param name="startup-script" value="erlang_py"/>'
    if "mod_python3" in loaded_modules(conf_dir):
        yield f'{conf_dir / MODULES}: take out <load module="mod_python3"/>, unless other scripts need it'
    if fs_cli.is_loaded("mod_erlang_py"):
        yield "fs_cli: unload mod_erlang_py, which still runs"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make uninstall", description="Remove what make install wrote.")
    add_folders(parser)
    fs_cli_options.add_options(parser)
    options = parser.parse_args(arguments)
    fs_cli = fs_cli_options.of(options)
    try:
        tell(uninstall(find_folders(fs_cli, options.conf_dir, options.script_dir), fs_cli))
    except (InstallError, OSError) as error:
        print(f"uninstall: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
