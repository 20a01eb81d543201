"""`make install`: put the entry script, the package with its dependencies, and the configuration into a FreeSWITCH.

    FS_SCRIPT_DIR/erlang_py.py            what mod_python3 imports
    FS_SCRIPT_DIR/erlang_py_doctor        checks a running installation
    FS_SCRIPT_DIR/erlang_py_packages/     mod_erlang_py, but for the simulated switch, and what it needs, for the Python
                                          that mod_python3 embeds
    FS_SCRIPT_DIR/erlang_py_manifest.json what was installed (sha256)
    FS_CONF_DIR/...                       the files of conf/

The scripts and the packages are ours and are replaced. A file of the configuration is replaced only while it is byte
for byte what an earlier install wrote; otherwise ours goes beside it as NAME.new. Prints one line a file, and one for
each thing that is left to do.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.folders import Folders, InstallError, find_folders
from scripts.manifest import Manifest
from scripts.preflight import parse, preflight

ROOT = Path(__file__).resolve().parent.parent
ENTRY = "erlang_py.py"
DOCTOR = "erlang_py_doctor"
PACKAGES = "erlang_py_packages"
MANIFEST = "erlang_py_manifest.json"
MODULES = Path("autoload_configs/modules.conf.xml")
CONFIGURATION = (
    Path("autoload_configs/erlang_event.conf.xml"),
    Path("autoload_configs/python.conf.xml"),
    Path("dialplan/default/erlang.xml"),
)
EXTRAS = ("prometheus",)
_EXECUTABLE = 0o755


def install(folders: Folders, python: str, extras: Sequence[str] = ()) -> Iterator[str]:
    """Install everything; yields one line for each thing done or to do. Raises InstallError, OSError.

    extras: of the package's optional dependencies, "prometheus".
    """
    erlang_event = next(
        base / CONFIGURATION[0] for base in (folders.conf, ROOT / "conf") if (base / CONFIGURATION[0]).exists()
    )
    to_do = preflight(folders, python, erlang_event)
    yield from install_scripts(folders.scripts, python, extras)
    yield from install_configuration(folders.conf, folders.scripts / MANIFEST)
    for line in [*to_do, *_configuration_to_do(folders.conf)]:
        yield f"to do     {line}"


def install_scripts(script_dir: Path, python: str, extras: Sequence[str] = ()) -> Iterator[str]:
    """The scripts and the packages, for the interpreter `python`."""
    if not script_dir.is_dir():
        if not script_dir.parent.is_dir():
            raise InstallError(f"{script_dir} cannot be made: {script_dir.parent} is no folder; give FS_SCRIPT_DIR=...")
        script_dir.mkdir()
    manifest = Manifest(script_dir / MANIFEST)
    with tempfile.TemporaryDirectory(prefix=f".{PACKAGES}.", dir=script_dir) as temporary:
        staging = Path(temporary) / PACKAGES
        _pip_install(python, staging, requirements(extras))
        shutil.copytree(ROOT / "mod_erlang_py", staging / "mod_erlang_py", ignore=_not_installed)
        _check(python, staging)
        packages = script_dir / PACKAGES
        before = packages.exists()
        if before:
            packages.rename(Path(temporary) / "before")
        staging.rename(packages)
    manifest.forget(packages)
    for path in packages.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            manifest.record(path)
    yield f"{'updated' if before else 'installed':9} {packages}/ (for {python})"
    for name, mode in ((ENTRY, None), (DOCTOR, _EXECUTABLE)):
        yield _write(script_dir / name, (ROOT / "scripts" / name).read_bytes(), mode)
        manifest.record(script_dir / name)
    manifest.save()


def requirements(extras: Sequence[str]) -> list[str]:
    """What the package needs, and what these extras of it do, as pip takes it."""
    wanted = {"", *(f'extra == "{extra}"' for extra in extras)}
    parts = [line.partition(";") for line in importlib.metadata.requires("mod-erlang-py") or []]
    return [requirement.strip() for requirement, _, marker in parts if marker.strip() in wanted]


def install_configuration(conf_dir: Path, manifest_file: Path) -> Iterator[str]:
    """The files of conf/, an operator's changes kept."""
    manifest = Manifest(manifest_file)
    try:
        for name in CONFIGURATION:
            yield from _install_file(ROOT / "conf" / name, conf_dir / name, manifest)
        if not (conf_dir / MODULES).exists() or manifest.is_unchanged(conf_dir / MODULES):
            yield from _install_file(ROOT / "conf" / MODULES, conf_dir / MODULES, manifest)
    finally:
        manifest.save()


def _configuration_to_do(conf_dir: Path) -> Iterator[str]:
    if not starts_entry(conf_dir):
        yield f'{conf_dir / CONFIGURATION[1]}: add <param name="startup-script" value="erlang_py"/>'
    loaded = loaded_modules(conf_dir)
    if "mod_python3" not in loaded:
        yield f'{conf_dir / MODULES}: add <load module="mod_python3"/>'
    if "mod_erlang_event" in loaded:
        yield f'{conf_dir / MODULES}: remove <load module="mod_erlang_event"/>, which wants the same port'


def starts_entry(conf_dir: Path) -> bool:
    """Whether python.conf.xml has our startup-script."""
    params = parse(conf_dir / CONFIGURATION[1]).iterfind(".//param[@name='startup-script']")
    return "erlang_py" in {param.get("value") for param in params}


def loaded_modules(conf_dir: Path) -> set[str]:
    """What modules.conf.xml loads."""
    return {str(load.get("module")) for load in parse(conf_dir / MODULES).iterfind(".//load")}


def _install_file(source: Path, target: Path, manifest: Manifest) -> Iterator[str]:
    """One file of the configuration."""
    ours = source.read_bytes()
    beside = target.with_name(f"{target.name}.new")
    if not target.exists() or target.read_bytes() == ours or manifest.is_unchanged(target):
        yield _write(target, ours)
        manifest.record(target)
        if manifest.is_unchanged(beside):
            beside.unlink()
        manifest.forget(beside)
        return
    _write(beside, ours)
    manifest.record(beside)
    yield f"kept      {target}, which is not as installed; the new one is {beside.name}"


def _write(target: Path, content: bytes, mode: int | None = None) -> str:
    """Write the file whole or not at all; returns the line that says what was done."""
    before = target.read_bytes() if target.exists() else None
    if before == content:
        return f"unchanged {target}"
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    temporary.write_bytes(content)
    if before is not None:
        shutil.copymode(target, temporary)
    if mode is not None:
        temporary.chmod(mode)
    temporary.replace(target)
    return f"{'installed' if before is None else 'updated':9} {target}"


def _pip_install(python: str, target: Path, requirements: list[str]) -> None:
    """`pip install --target` for that interpreter, which need not have pip itself."""
    arguments = ["install", "--quiet", "--disable-pip-version-check", "--no-input", "--target", str(target)]
    _run([sys.executable, "-m", "pip", "--python", python, *arguments, *requirements], "pip")


def _not_installed(folder: str, names: list[str]) -> set[str]:
    """What of the package stays behind: inside a real switch nobody needs the stand-in, nor what runs it."""
    stand_in = {"mod_erlang_py": {"__main__.py"}, "switch": {"simulated"}}
    return {"__pycache__"} | stand_in.get(Path(folder).name, set())


def _check(python: str, packages: Path) -> None:
    """The packages can be imported by that interpreter: right version, right machine."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import erlang, lxml.etree, mod_erlang_py"
    _run([python, "-c", code, str(packages)], f"{python} cannot use the packages")


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{what}: {error}") from None
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or [f"exit {done.returncode}"]
        raise InstallError(f"{what}: {errors[-1]}; nothing was installed")


def add_folders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--conf-dir", type=_folder, help="FreeSWITCH's conf_dir (FS_CONF_DIR)")
    parser.add_argument("--script-dir", type=_folder, help="FreeSWITCH's script_dir (FS_SCRIPT_DIR)")


def _folder(path: str) -> Path:
    return Path(path).absolute()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make install", description="Install into a FreeSWITCH.")
    add_folders(parser)
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter mod_python3 embeds (PYTHON)")
    parser.add_argument("--extra", action="append", choices=EXTRAS, default=[], help="prometheus: metrics (EXTRAS)")
    options = parser.parse_args(arguments)
    try:
        folders = find_folders(options.conf_dir, options.script_dir)
        for line in install(folders, options.python, options.extra):
            print(line, flush=True)
    except (InstallError, OSError) as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
