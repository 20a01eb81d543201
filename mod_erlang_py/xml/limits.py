"""What FreeSWITCH's XML parser can bear of an answer.

It looks at all elements before it for each one that it adds to another (switch_xml_insert), and moves the rest of a
text for each reference in it (switch_xml_decode): 40,000 elements in one took it 6 seconds, 1 MiB of `&lt;` 4 seconds,
in a thread of real-time priority, which nothing can end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class BadXml(ValueError):
    """No XML, or none that answers a look-up."""


TAG = re.compile(
    rb"""<(?:
        !--.*?(?:-->|\Z) | !\[CDATA\[.*?(?:\]\]>|\Z) | \?.*?(?:\?>|\Z)
        | (?P<closing>/)
        | (?P<name>[A-Za-z_:\x80-\xff][^\s/>]*)
          (?:[^\s=/>]+ | [\s=]+(?:"[^"]*"?|'[^']*'?)?){0,1000}
          (?P<empty>/?)
    )""",
    re.DOTALL | re.VERBOSE,
)
"""A tag, or what may hold what only looks like one. In a value in quotes there may be a < or a >."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most: bytes of an answer, elements of a document, elements in one of them, references (`&lt;`, `&#10;`) in
    one text or tag. With these, a comment, an instruction or a CDATA section is an element, a CRLF is a reference."""

    length: int
    elements: int
    siblings: int
    entities: int

    def check_length(self, text: bytes) -> None:
        """Before anything is done with an answer. Raises BadXml."""
        if len(text) > self.length:
            raise BadXml(f"{len(text)} bytes, the limit is {self.length}")

    def check(self, text: bytes) -> None:
        """Before the switch has a document. Raises BadXml."""
        few = text.count(b"<") <= min(self.siblings, self.elements)
        if not few or _references(text, 0, len(text)) > self.entities:
            self._count(text)

    def _count(self, text: bytes) -> None:
        elements, behind = 0, 0
        siblings = [0]  # of each element that is open
        for tag in TAG.finditer(text):
            at, end = tag.span()
            if max(_references(text, behind, at), _references(text, at, end)) > self.entities:
                raise BadXml(f"more than {self.entities} references (&...;) in one text")
            behind = end
            if tag["closing"]:
                if len(siblings) > 1:
                    siblings.pop()
                continue
            elements += 1
            siblings[-1] += 1
            if siblings[-1] > self.siblings:
                raise BadXml(f"more than {self.siblings} elements in one")
            if elements > self.elements:
                raise BadXml(f"more than {self.elements} elements")
            if tag["name"] is not None and not tag["empty"]:
                siblings.append(0)


def _references(text: bytes, start: int, end: int) -> int:
    return text.count(b"&", start, end) + text.count(b"\r\n", start, end)
