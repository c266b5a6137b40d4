"""Strings made fit for a format, whole columns at a time: look once which bytes occur, and mend only what does."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HIGH = 1
"""Bytes outside ASCII."""
ILLEGAL = 2
"""Control characters that XML 1.0 §2.2 forbids."""
NONCHARACTER = 4
"""The first byte of U+FFFE and U+FFFF, which XML forbids too (and of much that it does not)."""
SPECIAL = 8
"""Bytes that the format at hand must escape."""

FIRST_HIGH, FIRST_PRINTABLE, FIRST_OF_NONCHARACTERS = 0x80, 0x20, 0xEF
CONTROLS = bytes([*range(0x09), 0x0B, 0x0C, *range(0x0E, FIRST_PRINTABLE)])
"""What ILLEGAL stands for."""

ILLEGAL_XML = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x{FFFE}\\x{FFFF}]"
ILLEGAL_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
NON_ASCII = "[^\\x00-\\x7f]"
SUBSTITUTE = "?"
"""Stands for a character that a format cannot hold."""

XML_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
"""A bare carriage return would come back as a line feed (XML 1.0 §2.11)."""


XML_SPECIAL = "".join(XML_ESCAPES).encode()


def classes_in(array: pa.Array, special: bytes) -> int:
    """Which classes of bytes occur anywhere in the strings of `array`, `special` being those that a format escapes."""
    data = string_bytes(array)
    if not len(data):
        return 0
    # the least, the greatest, and one search for each byte in question: together a tenth of what looking up every byte costs
    least, greatest, text = data.min(), data.max(), data.tobytes()
    found = {
        HIGH: greatest >= FIRST_HIGH,
        ILLEGAL: least < FIRST_PRINTABLE and any(byte in text for byte in CONTROLS),
        NONCHARACTER: greatest >= FIRST_OF_NONCHARACTERS and FIRST_OF_NONCHARACTERS in text,
        SPECIAL: any(byte in text for byte in special),
    }
    return sum(kind for kind, is_there in found.items() if is_there)


def occurs(sequences: Iterable[bytes], array: pa.Array) -> bool:
    """Whether any of these characters of several bytes is among the strings of `array`."""
    text = string_bytes(array).tobytes()
    return any(sequence[0] in text and sequence in text for sequence in sequences)  # to look for a single byte is fifty times as fast


def string_bytes(array: pa.Array) -> np.ndarray:
    """The UTF-8 of all strings of `array`, one after the other, as a view."""
    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return np.empty(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int32)
    return np.frombuffer(data, np.uint8)[bounds[array.offset] : bounds[array.offset + len(array)]]


def ascii_only(array: pa.Array) -> pa.Array:
    """A question mark for each character outside ASCII: ``char`` holds nothing else (VOTable 1.5 §2.1), and clients fail on more."""
    return pc.replace_substring_regex(array, NON_ASCII, SUBSTITUTE)


def replace_each(array: pa.Array, escapes: Mapping[str, str]) -> pa.Array:
    """Every key of `escapes` replaced by its value, in the mapping's order."""
    for character, escape in escapes.items():
        array = pc.replace_substring(array, character, escape)
    return array


def xml_text(array: pa.Array, datatype: str) -> pa.Array:
    """Strings as XML character data: escaped, what XML 1.0 forbids replaced, and ASCII only in ``char`` columns."""
    found = classes_in(array, XML_SPECIAL)
    if found & HIGH and datatype == "char":
        array = ascii_only(array)
        found &= ~NONCHARACTER
    if found & (ILLEGAL | NONCHARACTER):
        array = pc.replace_substring_regex(array, ILLEGAL_XML, SUBSTITUTE)
    return replace_each(array, XML_ESCAPES) if found & SPECIAL else array


def legal_xml(text: str) -> str:
    """One string with what XML 1.0 forbids replaced; escaping is the serialiser's."""
    return ILLEGAL_TEXT.sub(SUBSTITUTE, text)
