"""ADQL text → tokens with their positions (ADQL 2.1 §2.1)."""

import re
from itertools import pairwise
from typing import NamedTuple

from vo_server.adql.messages import syntax_error
from vo_server.adql.words import LOOKALIKES, RESERVED

NAME = "name"
QUOTED = "quoted name"
TEXT = "text"
INTEGER = "integer"
DECIMAL = "number"
HEX = "hexadecimal number"
END = "end of the query"

_TOKEN = re.compile(
    r"""
    (?P<gap>(?:[ \t\r\n\f\v]+|--[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/)+)
  | (?P<word>[A-Za-z][A-Za-z0-9_]*)
  | (?P<hex>0[xX][0-9A-Fa-f]+)
  | (?P<decimal>(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<integer>\d+)
  | (?P<text>'[^']*+(?:''[^']*+)*+')
  | (?P<quoted>"[^"]*+(?:""[^"]*+)*+")
  | (?P<sign><>|!=|<=|>=|\|\||[-+*%(),.=<>;]|/(?!\*))
    """,
    re.VERBOSE | re.ASCII,
)
_ITEM = re.compile(r"\s*+(?:(\d{1,18}+)|'([^']*+)'|((?:\d{1,30}+\.\d{0,30}+|\.\d{1,30}+)(?:[eE][+-]?\d{1,3}+)?+))\s*+,", re.ASCII)
_KINDS = {"hex": HEX, "decimal": DECIMAL, "integer": INTEGER}
_AFTER_NUMBER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
MAX_DIGITS = 400
"""A number written with more characters is refused: none of ours has so many, and turning them into an integer takes quadratic time."""

MAX_TOKENS = 10_000
"""A bound for the time that translating takes; lists behind IN have their own."""
MAX_LISTED = 30_000
"""The same for the constants behind IN, with the commas between them: 15,000 numbers or texts in all."""
_LISTED = frozenset((TEXT, INTEGER, DECIMAL, HEX, ",", "-"))


class Token(NamedTuple):
    """``kind`` is one of the constants above, or the word (in capitals) or sign itself; ``value`` what it stands for, without quotes."""

    kind: str
    value: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, closed by one of kind END. Raises QuerySyntaxError for what is no token."""
    tokens: list[Token] = []
    position, length, match = 0, len(text), _TOKEN.match
    listed, in_list, before = 0, False, ""
    while position < length:
        found = match(text, position)
        if found is None:
            raise _stray(text, position)
        position = found.end()
        group = found.lastgroup
        if group != "gap":
            token = _token(text, group or "", found.start(), position)
            tokens.append(token)
            in_list = (in_list and token.kind in _LISTED) or (token.kind == "(" and before == "IN")
            listed += in_list
            before = token.kind
            if in_list and before in ("(", ","):
                items = _items(text, position)
                if items:
                    tokens += items
                    listed += len(items)
                    position, before = items[-1].end, ","
            if listed > MAX_LISTED or len(tokens) - listed > MAX_TOKENS:
                raise _too_long(text, found.start(), listed)
    tokens.append(Token(END, "", length, length))
    return _joined(tokens)


def _items(text: str, at: int) -> list[Token]:
    """The plain constants of a list from `at` on, each with the comma behind it: the short way through lists of thousands."""
    items: list[Token] = []
    while (found := _ITEM.match(text, at)) is not None:
        number, word, decimal = found.groups()
        if number is not None:
            items.append(Token(INTEGER, number, *found.span(1)))
        elif decimal is not None:
            items.append(Token(DECIMAL, decimal, *found.span(3)))
        else:
            items.append(Token(TEXT, word, found.start(2) - 1, found.end(2) + 1))
        at = found.end()
        items.append(Token(",", ",", at - 1, at))
    return items


def _too_long(text: str, at: int, listed: int) -> Exception:
    """The error for more tokens than are taken."""
    if listed > MAX_LISTED:
        return syntax_error(text, at, f"The lists behind IN hold more than {MAX_LISTED // 2} constants.", hint="Ask in several queries.")
    message = f"The query has more than {MAX_TOKENS} words, numbers and signs, not counting lists behind IN."
    return syntax_error(text, at, message, hint="Ask in several queries, or write column IN (1, 2, 3) for column = 1 OR column = 2 OR …")


def _token(text: str, group: str, start: int, end: int) -> Token:
    value = text[start:end]
    if group == "word":
        upper = value.upper()
        return Token(upper if upper in RESERVED else NAME, value, start, end)
    if group == "sign":
        return Token("<>" if value == "!=" else value, value, start, end)
    if group == "text":
        return Token(TEXT, value[1:-1].replace("''", "'"), start, end)
    if group == "quoted":
        return _quoted(text, value, start, end)
    return _number(text, group, start, end)


def _quoted(text: str, value: str, start: int, end: int) -> Token:
    name = value[1:-1].replace('""', '"')
    if not name:
        raise syntax_error(text, start, "A name in double quotes is empty.", word=value)
    return Token(QUOTED, name, start, end)


def _number(text: str, group: str, start: int, end: int) -> Token:
    letters = _AFTER_NUMBER.match(text, end)
    if letters is not None:
        word = text[start : letters.end()]
        hint = f'Put a space between number and word, or, if it is a name, double quotes around it: "{word}".'
        raise syntax_error(text, start, f"{word} is neither a number nor a name: names begin with a letter.", word=word, hint=hint)
    if end - start > MAX_DIGITS:
        raise syntax_error(text, start, f"A number has more than {MAX_DIGITS} characters.", word=text[start:end])
    return Token(_KINDS[group], text[start:end], start, end)


def _joined(tokens: list[Token]) -> list[Token]:
    """Texts that follow each other are one text (SQL-92 §5.3)."""
    if not any(first.kind is TEXT and second.kind is TEXT for first, second in pairwise(tokens)):
        return tokens
    joined: list[Token] = []
    parts: list[Token] = []
    for token in tokens:
        if token.kind is TEXT:
            parts.append(token)
            continue
        if parts:
            joined.append(Token(TEXT, "".join(part.value for part in parts), parts[0].start, parts[-1].end))
            parts = []
        joined.append(token)
    return joined


def _stray(text: str, at: int) -> Exception:
    """The error for a character that begins no token."""
    char = text[at]
    if char in "'\"":
        what = "text in single quotes" if char == "'" else "name in double quotes"
        return syntax_error(text, at, f"The {what} that begins here never ends.", word=char, hint="A quote inside is written twice.")
    if text.startswith("/*", at):
        return syntax_error(text, at, "The comment that begins here never ends.", word="/*")
    if char in LOOKALIKES:
        message = f"{LOOKALIKES[char]} (U+{ord(char):04X}) is not part of ADQL."
        return syntax_error(
            text, at, message[0].upper() + message[1:], word=char, hint="Replace it by the plain character of the keyboard."
        )
    if char == "_" or char.isalpha():
        word = _word_at(text, at)
        hint = f'Put double quotes around it: "{word}".'
        return syntax_error(text, at, f"{word} is not a plain name: those begin with a letter from A to Z.", word=word, hint=hint)
    return syntax_error(text, at, f"The character {char!r} (U+{ord(char):04X}) has no meaning in ADQL.", word=char)


def _word_at(text: str, at: int) -> str:
    found = re.compile(r"\w{1,60}").match(text, at)
    return found.group() if found else text[at]
