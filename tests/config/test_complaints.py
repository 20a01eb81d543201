"""What is wrong with the settings, and for how long it is said."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mod_erlang_py.config.complaints import Complaints
from mod_erlang_py.config.settings import Config
from mod_erlang_py.errors import ConfigError

GIVEN = [("encoding", "string"), ("cookie", "ClueCon")]
NO_LIST = "erlang_event.conf: there is no access control list office: nobody can connect"


class File:
    """The file, and the lists that there are."""

    error: str | None = None
    path: Path | None = None

    def __init__(self) -> None:
        self.lists = {"loopback.auto"}
        self.asked: list[str] = []

    def has_list(self, name: str) -> bool:
        self.asked.append(name)
        return name in self.lists


@pytest.fixture
def file() -> File:
    return File()


@pytest.fixture
def complaints(file: File) -> Complaints:
    return Complaints(lambda: file.error, file.has_list, lambda: file.path)


def test_nothing(complaints: Complaints) -> None:
    complaints.read(Config(), GIVEN, [])
    assert complaints.lines() == ()


def test_wrong_names_and_values(complaints: Complaints) -> None:
    complaints.read(Config(), GIVEN, [ConfigError("encoding", "utf-9", "string or binary")])
    assert complaints.lines() == ("erlang_event.conf: encoding='utf-9': expected string or binary; it has no effect",)
    assert complaints.warnings() == ()  # the log has it already, as an error
    complaints.read(Config(), GIVEN, [])
    assert complaints.lines() == ()


def test_no_settings(complaints: Complaints) -> None:
    complaints.read(Config(), [], [])
    assert complaints.lines() == ("erlang_event.conf is not there, or has no settings: the defaults hold",)


def test_a_list_that_is_not_there(complaints: Complaints, file: File) -> None:
    """Until it is; those that are there are not looked for again."""
    complaints.read(Config(apply_inbound_acl=("loopback.auto", "office")), GIVEN, [])
    assert complaints.lines() == complaints.warnings() == (NO_LIST,)
    file.lists.add("office")
    assert complaints.lines() == ()
    asked = len(file.asked)
    assert complaints.lines() == ()
    assert file.asked == ["loopback.auto", *["office"] * (asked - 1)]


def test_a_file_that_is_broken_now(complaints: Complaints, file: File) -> None:
    complaints.read(Config(), GIVEN, [])
    file.error = "/conf/x.xml is broken: unclosed <a>, near line 3"
    complaints.refused("reloadxml: whatever it said")
    assert complaints.lines() == (f"{file.error}; the settings are those read before",)
    file.error = None
    assert complaints.lines() == ("the last `erlang reload` changed nothing: reloadxml: whatever it said",)
    complaints.read(Config(), GIVEN, [])
    assert complaints.lines() == ()


def test_a_reload_that_was_refused_leaves_what_was_wrong_before(complaints: Complaints) -> None:
    complaints.read(Config(apply_inbound_acl=("office",)), GIVEN, [])
    complaints.refused("cookie='***': expected another")
    assert complaints.lines() == (
        NO_LIST,
        "the last `erlang reload` changed nothing: cookie='***': expected another",
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may go into, unlike pytest's."""
    found = Path(tempfile.mkdtemp())
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


SECRETS = [("cookie", "secret"), ("tls-passphrase", "secret")]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_everybody_can_read(
    complaints: Complaints, file: File, folder: Path, secret: tuple[str, str]
) -> None:
    file.path = folder / "erlang_event.conf.xml"
    complaints.read(Config(), [*GIVEN, secret], [])
    assert complaints.lines() == ()
    file.path.touch(0o644)
    assert complaints.lines() == complaints.warnings()
    assert complaints.lines() == (
        f"{file.path} has a cookie or a pass phrase in it, and everybody can read it: chmod o-r {file.path}",
    )
    file.path.chmod(0o640)
    assert complaints.lines() == ()
    file.path.chmod(0o644)
    folder.chmod(0o750)
    assert complaints.lines() == ()


def test_no_secret_in_a_file_for_everybody(complaints: Complaints, file: File, folder: Path) -> None:
    """The default cookie is none, nor is where one is."""
    file.path = folder / "erlang_event.conf.xml"
    file.path.touch(0o644)
    complaints.read(Config(), [*GIVEN, ("cookie-file", "/x"), ("tls-passphrase", "")], [])
    assert complaints.lines() == ()
