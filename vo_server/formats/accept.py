"""What a client accepts, by the Accept header of HTTP (RFC 9110 §12.5.1)."""

import re
from dataclasses import dataclass

WORD = r"[\w!#$%&'*+.^`|~-]+"
PARAMETER = rf"\s*;\s*({WORD})\s*=\s*(\"(?:[^\"\\]|\\.)*\"|{WORD})"
RANGE = re.compile(rf"\s*({WORD}/{WORD})((?:{PARAMETER})*)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaRange:
    """``type/subtype``, ``type/*`` or ``*/*`` in lower case; its parameters with their values; how much it is liked, from 0 to 1."""

    kind: str
    parameters: tuple[tuple[str, str], ...]
    quality: float

    @property
    def text(self) -> str:
        """As a media type."""
        return ";".join((self.kind, *(f"{name}={value}" for name, value in self.parameters)))

    @property
    def precision(self) -> tuple[bool, bool, int]:
        """Orders ranges that match the same type: the most precise counts."""
        return self.kind != "*/*", not self.kind.endswith("/*"), len(self.parameters)


def parse_accept(header: str) -> tuple[MediaRange, ...]:
    """The ranges of an Accept header; what is not well-formed is left out, as if it were not there."""
    matches = [RANGE.fullmatch(part) for part in _split(header)]
    return tuple(_media_range(match[1], match[2]) for match in matches if match)


def _split(header: str) -> list[str]:
    """The parts between the commas that do not stand in quotes."""
    return re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', header)


def _media_range(kind: str, tail: str) -> MediaRange:
    found = [(match[1].lower(), match[2].strip('"')) for match in re.finditer(PARAMETER, tail, re.ASCII)]
    weights = [value for name, value in found if name == "q"]
    return MediaRange(kind.lower(), tuple(pair for pair in found if pair[0] != "q"), _quality(weights[0]) if weights else 1.0)


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text, re.ASCII) else 0.0
