"""Parameters as the VO means them: names without case, repeatable, by query string or form (DALI 1.1 §2.2, §3.1–3.2)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from os import SEEK_END
from urllib.parse import unquote_to_bytes, urlencode

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from vo_server.dali.uploads import Upload
from vo_server.errors import TooLargeError, UsageError
from vo_server.http.observe import RUN_ID

URLENCODED = "application/x-www-form-urlencoded"
FORMS = (URLENCODED, "multipart/form-data")

MOST_PAIRS = 10_000
"""More parameters nobody means."""

BLOCK_BYTES = 1 << 18

TEXT = "QUERY"
"""The parameter that may be long enough to be kept in a file: ``curl -F QUERY=@query.adql``."""

TEXT_BYTES = 4 << 20
"""The most bytes of such a file."""

ENCODED_BYTES = 4 * TEXT_BYTES
"""The most bytes of a form without parts: as much text, each byte of it percent-encoded, and something beside it."""

LONGEST_RUN_ID = 64

LONGEST_ADDRESS = 8000
"""What clients and proxies take (RFC 9110 §4.1)."""


@dataclass(frozen=True, slots=True)
class Params:
    """What was asked, as (name, value) pairs in order; ``files`` are the parts of a multipart body that carry a file;
    ``accept`` is HTTP's Accept header, for requests that do not name a format."""

    pairs: Sequence[tuple[str, str]]
    files: Sequence[tuple[str, UploadFile]] = ()
    accept: str = ""

    def all(self, name: str) -> list[str]:
        """Every value of a parameter, in order; its name compares without case."""
        return [value for key, value in self.pairs if key.upper() == name.upper()]

    def one(self, name: str) -> str | None:
        """The value of a single-valued parameter, None when absent. Two different values raise UsageError (DALI 1.1 §3.2)."""
        values = list(dict.fromkeys(self.all(name)))
        if len(values) > 1:
            raise UsageError(f"{name} was given {len(values)} different values; it takes one.", parameter=name)
        return values[0] if values else None

    def upload(self, upload: Upload) -> Iterator[bytes] | None:
        """The content of an upload that is a part of the form, be it sent as a file or as a field; None if there is no such part.
        UsageError if there are two.
        """
        part = self._part(upload)
        if isinstance(part, UploadFile):
            part.file.seek(0)
            return iter(partial(part.file.read, BLOCK_BYTES), b"")
        return None if part is None else iter((part.encode(),))

    def upload_bytes(self, upload: Upload) -> int:
        """How many bytes `upload` gives."""
        part = self._part(upload)
        if isinstance(part, UploadFile):
            return part.file.seek(0, SEEK_END)
        return len((part or "").encode())

    def _part(self, upload: Upload) -> UploadFile | str | None:
        named: chain[tuple[str, UploadFile | str]] = chain(self.files, self.pairs)
        parts = [part for name, part in named if name == upload.part]
        if len(parts) > 1:
            raise UsageError(f"UPLOAD: the form has {len(parts)} parts {upload.part!r}, and the table {upload.name} is one.")
        return parts[0] if parts else None

    def address(self, url: str) -> str | None:
        """`url` with the parameters in its query string, however they came; what came as a file is not there. None if it is too long."""
        whole = f"{url}?{urlencode(self.pairs)}" if self.pairs else url
        return whole if len(whole) <= LONGEST_ADDRESS else None

    def names(self) -> set[str]:
        """All parameter names, in capitals."""
        return {key.upper() for key, _ in self.pairs}


async def read_params(request: Request) -> Params:
    """The parameters of the query string and, for POST, of the form body (urlencoded or multipart).

    UsageError if one is not UTF-8, or holds U+0000.
    """
    pairs = _decoded(request.scope["query_string"])
    files: list[tuple[str, UploadFile]] = []
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if request.method == "POST" and kind and kind not in FORMS and request.headers.get("content-length", "0") != "0":
        raise UsageError(
            f"A body of the type {kind} is not read here.", hint=f"Parameters come in the address, or as {' or '.join(FORMS)}."
        )
    if request.method == "POST" and kind in FORMS:
        try:
            if kind == URLENCODED:
                pairs += _decoded(_bounded(await request.body()))
            else:
                await _read_parts(request, pairs, files)
        except HTTPException as error:
            raise UsageError(f"The form could not be read: {error.detail.rstrip('.')}.") from None
        except ClientDisconnect:
            raise UsageError("The connection was closed before the form was complete.") from None
    refuse_nul(pairs)
    params = Params(pairs, files, request.headers.get("accept", ""))
    request.scope[RUN_ID] = next((value for value in params.all("RUNID") if _is_run_id(value)), None)
    return params


def refuse_nul(pairs: Iterable[tuple[str, str]]) -> None:
    """U+0000 stands in no text of the database: UsageError that names the parameter."""
    for name, value in pairs:
        if "\0" in name + value:
            said = repr(name)[1:-1]
            raise UsageError(f"{said}: the character U+0000 cannot stand in a parameter.", parameter=said)


def _decoded(text: bytes) -> list[tuple[str, str]]:
    """The pairs of a query string or of a form like one. A percent sign that encodes nothing stands for itself, as in ``LIKE 'M %'``."""
    if text.count(b"&") >= MOST_PAIRS:  # before there are millions of them
        raise UsageError(f"There are more than {MOST_PAIRS} parameters, the limit.")
    parts = [part.replace(b"+", b" ").partition(b"=") for part in text.split(b"&") if part]
    names = [unquote_to_bytes(name).decode(errors="replace") for name, _, _ in parts]
    return [(name, _utf8(name, unquote_to_bytes(value))) for name, (_, _, value) in zip(names, parts, strict=True)]


def _bounded(form: bytes) -> bytes:
    if len(form) > ENCODED_BYTES:
        raise TooLargeError(
            f"The form has more than {ENCODED_BYTES} bytes, the limit of {URLENCODED}.",
            hint="Tables are sent as parts of multipart/form-data.",
        )
    return form


async def _read_parts(request: Request, pairs: list[tuple[str, str]], files: list[tuple[str, UploadFile]]) -> None:
    """Add what the parts of a multipart form hold. What is no file comes as Latin-1, so that its bytes can be told: Starlette would try
    UTF-8 first, and take that for whatever is none.
    """
    headers = request.scope["headers"]
    headers[:] = [(name, value + b"; charset=latin-1" if name == b"content-type" else value) for name, value in headers]
    form = await request.form(max_files=100, max_fields=MOST_PAIRS, max_part_size=64 * 1024 * 1024)
    for given, value in form.multi_items():
        name = given.encode("latin-1").decode(errors="replace")
        if isinstance(value, UploadFile) and name.upper() == TEXT:
            pairs.append((name, await _text(name, value)))
        elif isinstance(value, UploadFile):
            files.append((name, value))
        else:
            pairs.append((name, _utf8(name, value.encode("latin-1"))))


def read_run_id(params: Params) -> str | None:
    """RUNID, the client's own name for what it does (DALI 1.1 §3.4.6); UsageError if it is too long or unprintable."""
    text = params.one("RUNID")
    if text is not None and not _is_run_id(text):
        raise UsageError(f"RUNID takes at most {LONGEST_RUN_ID} printable characters.", parameter="RUNID")
    return text


def _is_run_id(text: str) -> bool:
    return len(text) <= LONGEST_RUN_ID and text.isprintable()


async def _text(name: str, file: UploadFile) -> str:
    data = await file.read(TEXT_BYTES + 1)
    if len(data) > TEXT_BYTES:
        raise TooLargeError(f"The file of {name} has more than {TEXT_BYTES} bytes, the limit.")
    return _utf8(name, data).removeprefix("\ufeff")


def _utf8(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8: byte {error.start + 1} is 0x{data[error.start]:02x}.", parameter=name.upper()) from None


def maxrec(params: Params, *, default: int | None, hard: int) -> int | None:
    """MAXREC as DALI 1.1 §3.4.4 means it: absent → `default`, above `hard` lowered silently, anything but 0, 1, 2… refused."""
    text = params.one("MAXREC")
    if text is None:
        return default
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit():
        raise UsageError(f"MAXREC={text!r} is not a non-negative integer.", parameter="MAXREC")
    significant = digits.lstrip("0") or "0"
    # Python makes no number of thousands of digits
    return hard if len(significant) > len(str(hard)) else min(int(significant), hard)
