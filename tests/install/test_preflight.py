"""What `make install` looks at before it writes, and what it says is to do."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import install, libraries, preflight
from tests.install.target import EVENT, Target, write_event


@pytest.mark.parametrize("wrong", ["absent", "empty"])
def test_wrong_configuration_folder(target: Target, wrong: str) -> None:
    folder = target.conf.parent / wrong
    if wrong == "empty":
        folder.mkdir()
    code, lines, error = target.install("--conf-dir", str(folder))
    assert (code, lines) == (1, [])
    assert error == (
        f"install: {folder} is no FreeSWITCH configuration: it has no freeswitch.xml; give FS_CONF_DIR=...\n"
    )
    assert not any(target.scripts.iterdir())


def test_wrong_script_folder(target: Target, tmp_path: Path) -> None:
    code, lines, error = target.install("--script-dir", str(tmp_path / "no" / "scripts"))
    assert (code, lines) == (1, [])
    assert error.startswith("install: ")
    assert error.endswith("give FS_SCRIPT_DIR=...\n")
    assert error.count("\n") == 1


def test_no_mod_python3(target: Target) -> None:
    target.module.unlink()
    before = target.files()
    code, lines, error = target.install()
    assert (code, lines) == (1, [])
    assert error == (
        f"install: {target.module.parent} has no mod_python3.so: install the package freeswitch-mod-python3, or build "
        "languages/mod_python3 with FreeSWITCH\n"
    )
    assert target.files() == before


def test_mod_python3_embeds_another_python(target: Target) -> None:
    target.module.write_bytes(b"\0libpython3.2.so.1.0\0")
    before = target.files()
    code, lines, error = target.install()
    assert (code, lines) == (1, [])
    assert error.endswith(", but mod_python3 embeds 3.2: give PYTHON=.../python3.2\n")
    assert target.files() == before


def test_what_cannot_be_looked_at_is_to_do(target: Target) -> None:
    target.module.write_bytes(b"")
    assert f"to do     {target.module}: see that it embeds the version of {sys.executable}" in target.install()[1][-1]
    target.module.unlink()
    target.module.parent.rmdir()
    code, lines, _ = target.install()
    assert code == 0
    assert lines[-1] == (
        f"to do     see that mod_python3.so is in FreeSWITCH's mod_dir, and embeds the version of {sys.executable}"
    )


def test_wrong_python(target: Target) -> None:
    code, lines, error = target.install("--python", "/bin/false")
    assert (code, lines, error) == (1, [], "install: PYTHON=/bin/false is no Python that runs\n")


def test_mod_erlang_event_is_loaded(target: Target) -> None:
    target.switch.answers["module_exists mod_erlang_event"] = "true"
    code, lines, _ = target.install()
    assert code == 0
    assert lines[-1] == (
        "to do     fs_cli: unload mod_erlang_event, which has the API command erlang and perhaps the port"
    )


# --- the port -----------------------------------------------------------------------------------------------------


def test_the_port(tmp_path: Path, free_port: Callable[[], int]) -> None:
    file = tmp_path / "erlang_event.conf.xml"
    assert preflight.port_taken(write_event(file, "127.0.0.1", free_port()), None) is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for ip in ("127.0.0.1", "0.0.0.0", "*"):
            assert preflight.port_taken(write_event(file, ip, port), None) == (
                f"{file}: choose another listen-port; {port} is taken, ss -ltnp 'sport = :{port}' says by whom"
            )
    assert preflight.port_taken(write_event(file, "192.0.2.1", free_port()), None) == (
        f"{file}: choose another listen-ip; 192.0.2.1 is no address of this machine"
    )
    for ip, unknown in (("$${local_ip_v4}", 8031), ("127.0.0.1", "$${port}"), ("127.0.0.1", 65536)):
        assert preflight.port_taken(write_event(file, ip, unknown), None) is None


def test_a_taken_port_is_to_do(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Except when it is this very node that has it."""
    monkeypatch.setattr(preflight, "port_taken", lambda file, silence: f"{file}: taken")
    target.install()
    assert target.install()[1][-1] == f"to do     {EVENT}: taken"
    target.switch.answers["module_exists mod_erlang_py"] = "true"
    assert not [line for line in target.install()[1] if line.startswith("to do")]


def test_a_port_of_who_cannot_be_asked(tmp_path: Path) -> None:
    """fs_cli has another password, say: it may be FreeSWITCH itself."""
    file = tmp_path / "erlang_event.conf.xml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = preflight.port_taken(write_event(file, "127.0.0.1", port), "Error Connecting [Authentication Error]")
    assert told == (
        f"{file}: listen-port {port} is taken, ss -ltnp 'sport = :{port}' says by whom; if by FreeSWITCH, all may be "
        "well, but it cannot be asked (fs_cli: Error Connecting [Authentication Error]): give fs_cli's options, "
        'ARGS="-H HOST -P PORT -p PASSWORD"'
    )


FS_CLI = """#!/bin/sh
echo "$*" >> "$0.log"
case "$*" in
    "-H 127.0.0.2 -P 8022 -p secret -x module_exists mod_erlang_py") echo true;;
    "-H 127.0.0.2 -P 8022 -p secret -x module_exists mod_erlang_event") echo false;;
    "-H 127.0.0.2 -P 8022 -p secret -x global_getvar"*) echo "-ERR no reply";;
    *) echo "[ERROR] fs_cli.c:1699 main() Error Connecting [Authentication Error]" >&2; exit 255;;
esac
"""


@pytest.mark.parametrize("given", [True, False])
def test_fs_clis_options(target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: bool) -> None:
    """With them it is this very node that has the port, and all is well; without, that is what is said."""
    monkeypatch.undo()
    monkeypatch.setattr(libraries, "fetch", lambda python, target, *_: target.mkdir())
    monkeypatch.setattr(install, "_check", lambda python, packages: None)
    program = tmp_path / "fs_cli"
    program.write_text(FS_CLI)
    program.chmod(0o755)
    options = ["-H", "127.0.0.2", "-P", "8022", "-p", "secret"] if given else []
    with socket.create_server(("127.0.0.1", 0)) as server:
        write_event(target.conf / EVENT, "127.0.0.1", server.getsockname()[1])
        _, lines, _ = target.install("--fs-cli", str(program), *options)
    taken = [line for line in lines if "is taken" in line]
    if given:
        assert taken == []
        assert (
            "to do     fs_cli: unload mod_erlang_py, which still runs"
            in target.uninstall("--fs-cli", str(program), *options)[1]
        )
    else:
        (line,) = taken
        assert "(fs_cli: Error Connecting [Authentication Error])" in line
