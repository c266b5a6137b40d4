"""Header cards of FITS (FITS 4.0 §4): 80 characters each, in blocks of 2880 bytes."""

import re
from collections.abc import Iterable, Iterator

from vo_server.formats.texts import SUBSTITUTE

BLOCK = 2880
CARD = 80
VALUE_CHARACTERS = 67
"""What of a string fits into one card: ten characters stand before it, two quotes around it, and an ampersand says that it continues."""
NOT_PRINTABLE = re.compile("[^ -~]")


def number_card(keyword: str, value: int | bool) -> str:
    """An integer or a logical, in fixed format (FITS 4.0 §4.2.2–3)."""
    text = ("F", "T")[value] if isinstance(value, bool) else str(value)
    return f"{keyword:8}= {text:>20}".ljust(CARD)


def text_cards(keyword: str, text: str) -> Iterator[str]:
    """A string, continued over as many cards as it takes (FITS 4.0 §4.2.1.2); what is not printable ASCII becomes a question mark."""
    rest = printable(text).replace("'", "''")
    begin = f"{keyword:8}= "
    while len(rest) > VALUE_CHARACTERS:
        cut = VALUE_CHARACTERS - rest[:VALUE_CHARACTERS].count("'") % 2  # a doubled quote stays together
        yield f"{begin}'{rest[:cut]}&'".ljust(CARD)
        rest, begin = rest[cut:], "CONTINUE  "
    yield f"{begin}'{rest:8}'".ljust(CARD)


def remark_cards(keyword: str, text: str) -> Iterator[str]:
    """COMMENT or HISTORY, in as many cards as it takes (FITS 4.0 §4.4.2.4)."""
    plain = printable(" ".join(text.split()))
    width = CARD - 8
    for start in range(0, len(plain), width):
        yield f"{keyword:8}{plain[start : start + width]}".ljust(CARD)


def header(cards: Iterable[str]) -> bytes:
    """The cards and END, filled up with blanks to whole blocks."""
    text = "".join(cards) + "END"
    return text.ljust(len(text) + padding(len(text))).encode("ascii")


def padding(size: int) -> int:
    """How many bytes are missing to whole blocks."""
    return -size % BLOCK


def printable(text: str) -> str:
    """Printable ASCII; anything else becomes a question mark."""
    return NOT_PRINTABLE.sub(SUBSTITUTE, text)
