"""The pages of docs/ as what a reader does, step by step, and what he sees.

A fenced block `console` holds lines of a shell and of fs_cli, `erl` of an Erlang shell, `iex` of an Elixir shell. A
line that starts with a prompt is typed; the lines below it, up to the next prompt, are all that comes back. In them
`...` stands for anything; alone in a line for any lines, or none. What stands above the first prompt of a block comes
by itself: a step with nothing typed. A shell command goes on in the next line after a backslash, an Erlang expression
until its full stop, and an Elixir expression with the prompt `...> `. Blocks `erlang`, `elixir` and `xml` are files;
the line above says the name of each: `**calls.erl**`. No other blocks are allowed, so that nothing goes untried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r" *(```+)\s*(\S*)\s*$")
_NAME = re.compile(r"\s*\*\*(\S+)\*\*:?\s*$")


class Kind(Enum):
    SHELL = "shell"
    FS_CLI = "fs_cli"
    ERL = "erl"
    IEX = "iex"
    FILE = "file"


_PROMPTS = {
    Kind.SHELL: re.compile(r"\$ (.*)"),
    Kind.FS_CLI: re.compile(r"freeswitch(?:@\S+)?> (.*)"),
    Kind.ERL: re.compile(r"(?:\(\S+\))?\d+> (.*)"),
    Kind.IEX: re.compile(r"iex(?:\(\S+\)\d*)?> (.*)"),
}
_BLOCKS = {
    "console": (Kind.SHELL, Kind.FS_CLI),
    "erl": (Kind.ERL,),
    "iex": (Kind.IEX,),
    "erlang": (Kind.FILE,),
    "elixir": (Kind.FILE,),
    "xml": (Kind.FILE,),
}
_MORE_IEX = re.compile(r"\.\.\.(?:\(\S+\)\d*)?> ?(.*)")


class PageError(Exception):
    """The page is not written as above: "docs/tutorial.md:12: ..."."""


@dataclass(frozen=True)
class Step:
    """One thing that the reader does.

    kind: where. typed: without the prompt, "" for nothing; a file's text. expected: the pattern of what comes back, ""
    for nothing. line: of the page, from 1, where it is typed. file: the name, of a file. page: "docs/tutorial.md".
    """

    kind: Kind
    typed: str
    expected: str
    line: int
    file: str | None = None
    page: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def steps(path: Path) -> list[Step]:
    """All steps of a page, in order. Raises PageError."""
    page = str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else str(path)
    lines = path.read_text().splitlines()
    found: list[Step] = []
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            at += 1
            continue
        end = next((i for i in range(at + 1, len(lines)) if lines[i].strip() == fence[1]), None)
        if end is None:
            raise PageError(f"{page}:{at + 1}: the block has no end")
        indent = len(lines[at]) - len(lines[at].lstrip())
        block = [line[min(indent, len(line) - len(line.lstrip())) :] for line in lines[at + 1 : end]]
        kinds = _BLOCKS.get(fence[2])
        if kinds is None:
            raise PageError(f"{page}:{at + 1}: a block is one of {', '.join(_BLOCKS)}, not {fence[2] or 'bare'}")
        if kinds == (Kind.FILE,):
            found.append(_file(page, at, lines[:at], block))
        else:
            found += _session(page, at + 2, kinds, block)
        at = end + 1
    return found


def matches(step: Step, output: str) -> bool:
    """Whether that is what comes back: blanks at the ends of lines and empty lines around it do not count."""
    pattern = "".join(map(_pattern, _tidy(step.expected).splitlines()))
    lines = _tidy(output)
    return re.fullmatch(pattern, f"{lines}\n" if lines else "", re.DOTALL) is not None


def check(step: Step, output: str) -> None:
    """Raises AssertionError, with the page and its line, when something else comes back."""
    if not matches(step, output):
        raise AssertionError(
            f"{step.place}: {step.typed}\n--- the page says\n{_tidy(step.expected)}\n--- what came\n{_tidy(output)}"
        )


def _pattern(line: str) -> str:
    if line == "...":
        return r"(?:.*\n)?"
    return ".*".join(map(re.escape, line.split("..."))) + r"\n"


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _file(page: str, at: int, above: Sequence[str], block: Sequence[str]) -> Step:
    name = _NAME.match(next((line for line in reversed(above) if line.strip()), ""))
    if name is None:
        raise PageError(f"{page}:{at + 1}: the line above a file's block is its name, **like.this**")
    return Step(Kind.FILE, "\n".join(block) + "\n", "", at + 2, name[1], page)


def _session(page: str, first: int, kinds: Sequence[Kind], block: Sequence[str]) -> Iterator[Step]:
    """The steps of a block whose lines begin at line `first` of the page."""
    kind, typed, line = kinds[0], "", first
    expected: list[str] = []
    for number, text in enumerate(block, first):
        prompt = _prompt(kinds, text)
        more = _continued(kind, typed, text, prompt) if not expected else None
        if more is not None:
            typed += "\n" + more
        elif prompt:
            if typed or expected:
                yield Step(kind, typed, "\n".join(expected), line, page=page)
            (kind, typed), line, expected = prompt, number, []
        else:
            expected.append(text)
    if typed or expected:
        yield Step(kind, typed, "\n".join(expected), line, page=page)


def _prompt(kinds: Sequence[Kind], text: str) -> tuple[Kind, str] | None:
    found = ((kind, _PROMPTS[kind].match(text)) for kind in kinds)
    return next(((kind, match[1]) for kind, match in found if match), None)


def _continued(kind: Kind, typed: str, text: str, prompt: tuple[Kind, str] | None) -> str | None:
    """The text of this line, without its prompt, when it continues what was typed before."""
    if kind is Kind.SHELL and typed.endswith("\\"):
        return text
    if kind is Kind.ERL and typed and not typed.rstrip().endswith("."):
        return prompt[1] if prompt else text.strip()
    if kind is Kind.IEX and typed and (more := _MORE_IEX.match(text)):
        return more[1]
    return None
