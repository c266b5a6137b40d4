"""Output formats: one table of what we write and under which names, and the choice among them (DALI 1.1 §3.4.3)."""

import re
from collections.abc import Sequence

from vo_server.errors import UsageError
from vo_server.formats.accept import MediaRange, parse_accept
from vo_server.formats.arrowipc import ArrowWriter
from vo_server.formats.binary import binary2_writer, binary_writer
from vo_server.formats.delimited import csv_writer, tsv_writer
from vo_server.formats.fits import FitsWriter
from vo_server.formats.htmlrows import HtmlWriter
from vo_server.formats.jsonrows import JsonWriter
from vo_server.formats.plaintext import TextWriter
from vo_server.formats.tabledata import TableDataWriter
from vo_server.formats.voparquet import ParquetWriter
from vo_server.formats.writer import Format, UnfinishedError, Writer

__all__ = ["FORMATS", "Format", "UnfinishedError", "Writer", "choose", "negotiate"]

UTF_8 = ";charset=utf-8"
"""Said to clients that would take text for Latin-1 otherwise."""

FORMATS: tuple[Format, ...] = (
    Format(
        "VOTable (TABLEDATA)",
        "application/x-votable+xml",
        (
            "votable",
            "votable/td",
            "text/xml",
            "application/x-votable+xml;serialization=TABLEDATA",
            "text/xml;content=x-votable",
            "application/xml",
        ),
        "ivo://ivoa.net/std/TAPRegExt#output-votable-td",
        "vot",
        TableDataWriter,
    ),
    Format(
        "VOTable (BINARY2)",
        "application/x-votable+xml;serialization=BINARY2",
        ("votable/b2", "text/xml;serialization=BINARY2"),
        "ivo://ivoa.net/std/TAPRegExt#output-votable-binary2",
        "vot",
        binary2_writer,
    ),
    Format(
        "VOTable (BINARY)",
        "application/x-votable+xml;serialization=BINARY",
        ("votable/b", "text/xml;serialization=BINARY"),
        "ivo://ivoa.net/std/TAPRegExt#output-votable-binary",
        "vot",
        binary_writer,
    ),
    Format("CSV", "text/csv;header=present", ("csv", "text/csv"), None, "csv", csv_writer, UTF_8),
    Format("TSV", "text/tab-separated-values", ("tsv",), None, "tsv", tsv_writer, UTF_8),
    Format("JSON", "application/json", ("json",), None, "json", JsonWriter),
    Format("FITS", "application/fits", ("fits",), None, "fits", FitsWriter),
    Format("Parquet", "application/vnd.apache.parquet", ("parquet",), None, "parquet", ParquetWriter),
    Format("Arrow", "application/vnd.apache.arrow.stream", ("arrow",), None, "arrows", ArrowWriter),
    Format("HTML", "text/html;charset=utf-8", ("html", "text/html"), None, "html", HtmlWriter),
    Format("plain text", "text/plain;charset=utf-8", ("text", "text/plain"), None, "txt", TextWriter),
)
"""The first is what a client gets that asks for nothing."""

MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;\s*[\w-]+\s*=\s*(\"[\w.+ -]*\"|[\w.+-]+))*", re.ASCII)
HARMLESS_PARAMETERS = ("content", "version")
"""Parameters of a media type that do not change what we write."""

CHARSETS = ("charset=utf-8", "charset=utf8")
"""All text is UTF-8: a media type that asks for something else is not offered, since it would be echoed."""


def _canonical(name: str) -> str:
    """A name as it is compared: lower case, without blanks and quotes."""
    return re.sub(r'[\s"]', "", name).lower()


BY_NAME = {_canonical(name): format_ for format_ in FORMATS for name in (format_.media_type, *format_.aliases)}


def choose(responseformat: str | None) -> tuple[Format, str]:
    """The format for a RESPONSEFORMAT, and the Content-Type to send: a media type is echoed as it came, an alias gives the format's own.

    None or an empty value gives the default; a value that is not in FORMATS raises UsageError (never a silent fallback).
    """
    if responseformat is None or not responseformat.strip():
        return FORMATS[0], FORMATS[0].media_type
    asked = responseformat.strip().replace("x-votable xml", "x-votable+xml")  # a plus sign that was not percent-encoded arrives as a blank
    found = BY_NAME.get(_canonical(asked)) or _by_type(asked)
    if found is None:
        names = ", ".join(format_.aliases[0] for format_ in FORMATS)
        raise UsageError(
            f"RESPONSEFORMAT {responseformat!r} is not offered here.", hint=f"Use one of: {names}.", parameter="RESPONSEFORMAT"
        )
    is_media_type = asked.partition("/")[0].lower() in ("application", "text") and MEDIA_TYPE.fullmatch(asked)
    return found, asked if is_media_type else found.media_type + found.parameters


PAGES = "text/html"
"""An Accept header with this in it is habit, not a wish: browsers send it, and so did Java's clients. Who wants a page says so by
RESPONSEFORMAT=html."""


def negotiate(accept: str) -> tuple[Format, str]:
    """The format that an Accept header likes best, and the Content-Type to send; where several are liked alike, the first of FORMATS.

    DALI 1.1 §3.4.3 leaves the header to services whose request has no RESPONSEFORMAT. A header that likes nothing of what we have is
    disregarded (RFC 9110 §12.4.1): the answer is VOTable, as TAP 1.1 §2.7.3 promises.
    """
    ranges = parse_accept(accept)
    if any(one.kind == PAGES for one in ranges):
        return choose(None)
    likings = [(form, *_liking(form, ranges)) for form in FORMATS]
    form, quality, name = max(likings, key=lambda liking: liking[1])  # the first of equals
    if quality == 0:
        return choose(None)
    return choose(name) if name else (form, form.media_type + form.parameters)


def _liking(form: Format, ranges: Sequence[MediaRange]) -> tuple[float, str | None]:
    """How much `form` is liked, and the media type by which it is asked for; None if by a wildcard."""
    if form.media_type.startswith(PAGES):
        return 0.0, None  # by a wildcard nobody means a page
    named = [one for one in ranges if _by_type(one.text) is form]
    if named:
        best = max(named, key=lambda one: one.quality)
        return best.quality, best.text
    kind = form.media_type.partition("/")[0]
    wild = [one for one in ranges if one.kind in (f"{kind}/*", "*/*")]
    return (max(wild, key=lambda one: one.precision).quality, None) if wild else (0.0, None)


def _by_type(asked: str) -> Format | None:
    """The format of a media type whose additional parameters do not matter."""
    if not MEDIA_TYPE.fullmatch(asked):
        return None
    kind, *parameters = _canonical(asked).split(";")
    telling = [one for one in parameters if one not in CHARSETS and one.partition("=")[0] not in HARMLESS_PARAMETERS]
    return BY_NAME.get(";".join((kind, *telling)))
