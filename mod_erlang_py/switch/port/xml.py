"""XML look-ups."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Protocol

from .events import Event


class Section(IntFlag):
    """switch_xml_section_t: what can be looked up as XML."""

    CONFIG = 1
    DIRECTORY = 2
    DIALPLAN = 4
    LANGUAGES = 8
    CHATPLAN = 16
    CHANNELS = 32

    @classmethod
    def parse(cls, text: str) -> Section:
        """Those whose names are in the text, as switch_xml_parse_section_string finds them: "configuration",
        "directory|dialplan". `phrases` is the older name of `languages`, and still understood."""
        text = text.lower().replace("phrases", "languages")
        found = cls(0)
        for section in cls:
            if (section.name or "").lower() in text:
                found |= section
        return found


@dataclass(frozen=True, slots=True)
class Fetch:
    """A look-up. section: as the switch names it, "configuration" or "directory". tag, key, value: what is looked for
    in it; None where the switch gives none. params: the headers of the event that describes it, or None."""

    section: str
    tag: bytes | None
    key: bytes | None
    value: bytes | None
    params: Event | None


class XmlBinding(Protocol):
    """A place in the switch's list of those who answer look-ups."""

    def want(self, sections: Section) -> None:
        """Be asked for these from now on, and no others. Never waits."""

    def close(self) -> None:
        """Be asked no more; waits for look-ups that are under way."""
