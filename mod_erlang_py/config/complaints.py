"""What is wrong with the settings, for as long as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from mod_erlang_py.config.exposed import is_for_everybody
from mod_erlang_py.config.settings import DEFAULT_COOKIE, FILE, SECRETS, Config
from mod_erlang_py.errors import ConfigError


class Complaints:
    """file_error: what is wrong with the file as it lies there, or None. has_list: whether there is an access control
    list of that name. path: where the file lies, or None."""

    def __init__(
        self, file_error: Callable[[], str | None], has_list: Callable[[str], bool], path: Callable[[], Path | None]
    ) -> None:
        self._file_error = file_error
        self._has_list = has_list
        self._path = path
        self._secret = False
        self._lists: tuple[str, ...] = ()
        self._wrong: tuple[str, ...] = ()
        self._refused: str | None = None
        self._found = True

    def read(self, config: Config, given: Iterable[tuple[str, str]], wrong: Iterable[ConfigError]) -> None:
        """Settings were read. config: what is in force now. given: what the file has, in <node>s, too. wrong: what is
        not in force."""
        found = list(given)
        self._refused = None
        self._wrong = tuple(f"{FILE}: {error}; it has no effect" for error in wrong)
        self._found = bool(found)
        self._secret = any(name in SECRETS and value not in ("", DEFAULT_COOKIE) for name, value in found)
        self._lists = config.apply_inbound_acl
        self._look_for_lists()

    def refused(self, why: str) -> None:
        """Settings were to be read, and none of them was taken."""
        self._refused = why

    def lines(self) -> tuple[str, ...]:
        """Each with what follows from it."""
        self._look_for_lists()
        return (*self._wrong, *self.warnings())

    def warnings(self) -> tuple[str, ...]:
        """The same, without the values that are wrong."""
        lines = [f"{FILE}: there is no access control list {name}: nobody can connect" for name in self._lists]
        if not self._found:
            lines.append(f"{FILE} is not there, or has no settings: the defaults hold")
        path = self._path() if self._secret else None
        if path is not None and is_for_everybody(path):
            lines.append(f"{path} has a cookie or a pass phrase in it, and everybody can read it: chmod o-r {path}")
        error = self._file_error()
        if error is not None:
            lines.append(f"{error}; the settings are those read before")
        elif self._refused is not None:
            lines.append(f"the last `erlang reload` changed nothing: {self._refused}")
        return tuple(lines)

    def _look_for_lists(self) -> None:
        """Only for those that were not there: it costs the switch a look-up."""
        self._lists = tuple(name for name in self._lists if not self._has_list(name))
