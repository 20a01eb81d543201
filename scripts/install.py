"""`make install`: put the entry script, the package with its dependencies, and the configuration into a FreeSWITCH.

    FS_SCRIPT_DIR/erlang_py.py            what mod_python3 imports
    FS_SCRIPT_DIR/erlang_py_packages/     mod_erlang_py and what it needs, for the Python that mod_python3 embeds
    FS_SCRIPT_DIR/erlang_py_manifest.json what was installed (sha256), to tell an operator's change from an old version
    FS_CONF_DIR/...                       the files of conf/

The script and the packages are ours and are replaced. A file of the configuration is replaced only while it is byte for
byte what an earlier install wrote; otherwise ours goes beside it as NAME.new. Prints one line a file.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = "erlang_py_packages"
MANIFEST = "erlang_py_manifest.json"
MODULES = Path("autoload_configs/modules.conf.xml")
CONFIGURATION = (
    Path("autoload_configs/erlang_event.conf.xml"),
    Path("autoload_configs/python.conf.xml"),
    Path("dialplan/default/erlang.xml"),
)
# (conf_dir, script_dir) of Debian's packages, of the two layouts of `configure --prefix`, under each usual prefix.
LAYOUTS = (
    ("/etc/freeswitch", "/usr/share/freeswitch/scripts"),
    ("/opt/freeswitch/etc/freeswitch", "/opt/freeswitch/share/freeswitch/scripts"),
    ("/usr/local/freeswitch/conf", "/usr/local/freeswitch/scripts"),
    ("/usr/local/etc/freeswitch", "/usr/local/share/freeswitch/scripts"),
)


class InstallError(Exception):
    """Why nothing more was installed, in one line."""


def install(conf_dir: Path, script_dir: Path, python: str) -> Iterator[str]:
    """Install everything; yields one line for each thing done. Raises InstallError, OSError."""
    if not (conf_dir / "freeswitch.xml").is_file():
        raise InstallError(f"{conf_dir} is no FreeSWITCH configuration: it has no freeswitch.xml")
    yield from install_scripts(script_dir, python)
    yield from install_configuration(conf_dir, script_dir / MANIFEST)


def install_scripts(script_dir: Path, python: str) -> Iterator[str]:
    """The entry and the packages, for the interpreter `python`."""
    if not script_dir.is_dir():
        if not script_dir.parent.is_dir():
            raise InstallError(f"{script_dir} cannot be made: {script_dir.parent} is no folder")
        script_dir.mkdir()
    entry = (ROOT / "scripts" / "erlang_py.py").read_bytes()
    requirements = [r for r in importlib.metadata.requires("mod-erlang-py") or [] if "extra ==" not in r]
    with tempfile.TemporaryDirectory(prefix=f".{PACKAGES}.", dir=script_dir) as temporary:
        staging = Path(temporary) / PACKAGES
        _pip_install(python, staging, requirements)
        shutil.copytree(ROOT / "mod_erlang_py", staging / "mod_erlang_py", ignore=shutil.ignore_patterns("__pycache__"))
        _check(python, staging)
        packages = script_dir / PACKAGES
        before = packages.exists()
        if before:
            packages.rename(Path(temporary) / "before")
        staging.rename(packages)
    yield f"{'updated' if before else 'installed':9} {packages}/ (for {python})"
    yield _write(script_dir / "erlang_py.py", entry)


def install_configuration(conf_dir: Path, manifest_file: Path) -> Iterator[str]:
    """The files of conf/, an operator's changes kept."""
    manifest = _read_manifest(manifest_file)
    try:
        for name in CONFIGURATION:
            yield from _install_file(ROOT / "conf" / name, conf_dir / name, manifest)
        modules = conf_dir / MODULES
        if not modules.exists():
            yield from _install_file(ROOT / "conf" / MODULES, modules, manifest)
    finally:
        manifest_file.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    if "erlang_py" not in _values(conf_dir / CONFIGURATION[1], "param[@name='startup-script']", "value"):
        yield f'to do     {conf_dir / CONFIGURATION[1]}: add <param name="startup-script" value="erlang_py"/>'
    loaded = _values(modules, "load", "module")
    if "mod_python3" not in loaded:
        yield f'to do     {modules}: add <load module="mod_python3"/>'
    if "mod_erlang_event" in loaded:
        yield f'to do     {modules}: remove <load module="mod_erlang_event"/>, which wants the same port'


def _install_file(source: Path, target: Path, manifest: dict[str, str]) -> Iterator[str]:
    """One file of the configuration; `manifest` has path -> sha256 of what we wrote there, and is kept up to date."""
    ours = source.read_bytes()
    beside = target.with_name(f"{target.name}.new")
    theirs = target.read_bytes() if target.exists() else None
    if theirs is None or theirs == ours or manifest.get(str(target)) == _digest(theirs):
        yield _write(target, ours)
        manifest[str(target)] = _digest(ours)
        if beside.exists() and manifest.pop(str(beside), None) == _digest(beside.read_bytes()):
            beside.unlink()
        return
    _write(beside, ours)
    manifest[str(beside)] = _digest(ours)
    yield f"kept      {target}, which is not as installed; the new one is {beside.name}"


def _write(target: Path, content: bytes) -> str:
    """Write the file whole or not at all; returns the line that says what was done."""
    before = target.read_bytes() if target.exists() else None
    if before == content:
        return f"unchanged {target}"
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    temporary.write_bytes(content)
    if before is not None:
        shutil.copymode(target, temporary)
    temporary.replace(target)
    return f"{'installed' if before is None else 'updated':9} {target}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_manifest(file: Path) -> dict[str, str]:
    """What earlier installs wrote; a manifest that cannot be read counts as none, which overwrites nothing."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return {str(path): str(digest) for path, digest in content.items()} if isinstance(content, dict) else {}


def _values(file: Path, element: str, attribute: str) -> set[str]:
    """That attribute of all such elements, commented ones not counted; FreeSWITCH's files need not be quite XML."""
    try:
        tree = etree.fromstring(file.read_bytes(), etree.XMLParser(recover=True, resolve_entities=False))
    except (OSError, etree.XMLSyntaxError):
        return set()
    found = tree.findall(f".//{element}") if tree is not None else []
    return {str(item.get(attribute)) for item in found}


def _pip_install(python: str, target: Path, requirements: list[str]) -> None:
    """`pip install --target` for that interpreter, which need not have pip itself."""
    arguments = ["install", "--quiet", "--disable-pip-version-check", "--no-input", "--target", str(target)]
    _run([sys.executable, "-m", "pip", "--python", python, *arguments, *requirements], "pip")


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
        raise InstallError(f"{what}: {errors[-1]}")


def python_version(python: str) -> str:
    """ "3.11", of an interpreter that can run. Raises InstallError."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        raise InstallError(f"PYTHON={python} is no Python that runs") from None
    return done.stdout.strip()


def embedded_python(module: Path) -> str | None:
    """The version of Python that a mod_python3.so is linked with, "3.11"; None when that cannot be told."""
    try:
        found = re.search(rb"libpython(3\.\d+)", module.read_bytes())
    except OSError:
        return None
    return found.group(1).decode() if found else None


def check_python(python: str, embedded: str | None) -> None:
    """Raises InstallError when the package cannot run there, or mod_python3 embeds another version."""
    version = python_version(python)
    if not (3, 10) <= tuple(map(int, version.split("."))) < (3, 14):
        raise InstallError(f"PYTHON={python} is Python {version}; 3.10 to 3.13 is needed")
    if embedded and embedded != version:
        raise InstallError(f"PYTHON={python} is Python {version}, but mod_python3 embeds {embedded}")


def global_variable(name: str) -> str | None:
    """A global variable of the FreeSWITCH that runs here; None when none answers."""
    fs_cli = shutil.which("fs_cli", path="/usr/bin:/usr/local/bin:/opt/freeswitch/bin:/usr/local/freeswitch/bin")
    fs_cli = shutil.which("fs_cli") or fs_cli
    if fs_cli is None:
        return None
    command = [fs_cli, "-x", f"global_getvar {name}"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    value = done.stdout.strip()
    return value if done.returncode == 0 and value.startswith("/") else None


def find_folder(variable: str, setting: str, candidates: list[str]) -> Path:
    """Where a running FreeSWITCH has it, else the only usual place that exists. Raises InstallError."""
    running = global_variable(variable)
    if running:
        return Path(running)
    existing = [Path(candidate) for candidate in candidates if Path(candidate).is_dir()]
    if len(existing) != 1:
        found = f"{len(existing)} are possible" if existing else "none found"
        raise InstallError(f"give {setting}=...: no FreeSWITCH answers fs_cli, and {found}")
    return existing[0]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make install", description="Install into a FreeSWITCH.")
    parser.add_argument("--conf-dir", type=Path, help="FreeSWITCH's conf_dir (FS_CONF_DIR)")
    parser.add_argument("--script-dir", type=Path, help="FreeSWITCH's script_dir (FS_SCRIPT_DIR)")
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter mod_python3 embeds (PYTHON)")
    options = parser.parse_args(arguments)
    try:
        conf_dir = options.conf_dir or find_folder("conf_dir", "FS_CONF_DIR", [conf for conf, _ in LAYOUTS])
        script_dir = options.script_dir or find_folder("script_dir", "FS_SCRIPT_DIR", [s for _, s in LAYOUTS])
        mod_dir = None if options.conf_dir else global_variable("mod_dir")
        check_python(options.python, embedded_python(Path(mod_dir, "mod_python3.so")) if mod_dir else None)
        for line in install(conf_dir.absolute(), script_dir.absolute(), options.python):
            print(line, flush=True)
    except (InstallError, OSError) as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
