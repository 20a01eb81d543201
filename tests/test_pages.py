"""What tests/pages.py makes of a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.install import ROOT
from tests.pages import Kind, PageError, Step, check, matches, steps

PAGE = """\
# A page

First:

```console
$ make install
installed ...
$ fs_cli -x 'a' \\
    -x 'b'
freeswitch> erlang status
freeswitch@host> erlang listeners
+OK 1
```

The handler:

**calls.erl**

```erlang
-module(calls).

$ not a prompt
```

1. In a list:

   ```erl
   hello
   (a@host)1> X =
       1.
   1
   2> ok.
   ```

```iex
iex> 1
1
iex(a@host)2> if true do
...(a@host)2>   2
...> end
2
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.md"


def test_steps(page: Path) -> None:
    page.write_text(PAGE)
    assert [(step.kind, step.typed, step.expected, step.line) for step in steps(page)] == [
        (Kind.SHELL, "make install", "installed ...", 6),
        (Kind.SHELL, "fs_cli -x 'a' \\\n    -x 'b'", "", 8),
        (Kind.FS_CLI, "erlang status", "", 10),
        (Kind.FS_CLI, "erlang listeners", "+OK 1", 11),
        (Kind.FILE, "-module(calls).\n\n$ not a prompt\n", "", 20),
        (Kind.ERL, "", "hello", 28),
        (Kind.ERL, "X =\n1.", "1", 29),
        (Kind.ERL, "ok.", "", 32),
        (Kind.IEX, "1", "1", 36),
        (Kind.IEX, "if true do\n  2\nend", "2", 38),
    ]
    assert steps(page)[4].file == "calls.erl"
    assert steps(page)[0].place == f"{page}:6"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("```python\n1\n```", 1),
        ("\n```\n$ ls\n```", 2),
        ("```console\n$ ls", 1),
        ("Some text.\n```xml\n<a/>\n```", 2),
    ],
)
def test_a_block_that_nobody_could_try(text: str, line: int, page: Path) -> None:
    page.write_text(text)
    with pytest.raises(PageError, match=f"page.md:{line}: "):
        steps(page)


WITHOUT_COMMANDS = {"how-it-works.md"}


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_every_page_is_written_so(name: str) -> None:
    assert bool(steps(ROOT / "docs" / name)) == (name not in WITHOUT_COMMANDS)


@pytest.mark.parametrize(
    ("expected", "output", "same"),
    [
        ("pong", "pong\n", True),
        ("pong", "pang", False),
        ("", "", True),
        ("", "pong", False),
        ("pong", "", False),
        ("a  \nb", "\na\nb  \n\n", True),
        ("a b", "a  b", False),
        ("{ok,...}", '{ok,"UP 0 years\n"}', True),
        ("...", "", True),
        ("...", "a\nb", True),
        ("...\na\n...\nb\n...", "a\nb", True),
        ("...\na\n...\nb\n...", "1\na\n2\n3\nb\n4", True),
        ("...\na", "ba", False),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("+OK [a] ...", "+OK [a] 1", True),
        ("+OK [a] ...", "+OK a 1", False),
    ],
)
def test_what_counts_as_the_same(expected: str, output: str, same: bool) -> None:
    assert matches(Step(Kind.ERL, "x.", expected, 1), output) == same


def test_a_difference_names_its_line() -> None:
    step = Step(Kind.ERL, "net_adm:ping(a).", "pong", 12, page="docs/tutorial.md")
    check(step, "pong\n")
    with pytest.raises(AssertionError, match=r"docs/tutorial\.md:12: net_adm:ping") as caught:
        check(step, "pang\n")
    assert str(caught.value).endswith("--- the page says\npong\n--- what came\npang")


def test_the_tests_of_threats_are_there() -> None:
    """Each row of SECURITY.md names some."""
    page = (ROOT / "SECURITY.md").read_text()
    rows = [
        row for row in page.splitlines() if row.startswith("| ") and not row.startswith(("| **", "| --", "| threat"))
    ]
    assert rows
    for row in rows:
        named = re.findall(r"`(?:(\S+\.py)(?:::(\w+))?|make (?:fuzz|faults|soak))`", row.split(" | ")[2])
        assert named, row
        for file, test in named:
            text = (ROOT / "tests" / file).read_text() if file else ""
            assert not test or re.search(rf"^ *(def|class) {test}\b|^{test} = ", text, re.MULTILINE), (file, test)
