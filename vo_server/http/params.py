"""Parameters as the VO means them: names without case, repeatable, by query string or form (DALI 1.1 §2.2, §3.1–3.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from vo_server.dali.uploads import Upload
from vo_server.errors import UsageError
from vo_server.http.observe import RUN_ID

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

BLOCK_BYTES = 1 << 18

TEXT = "QUERY"
"""The parameter that may be long enough to be kept in a file: ``curl -F QUERY=@query.adql``."""

TEXT_BYTES = 4 << 20
"""No such file is read beyond so many bytes."""

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
        files = [file for name, file in self.files if name == upload.part]
        texts = [value for name, value in self.pairs if name == upload.part]
        if len(files) + len(texts) > 1:
            raise UsageError(f"UPLOAD: the form has {len(files) + len(texts)} parts {upload.part!r}, and the table {upload.name} is one.")
        for file in files:
            file.file.seek(0)
            return iter(partial(file.file.read, BLOCK_BYTES), b"")
        return iter((texts[0].encode(),)) if texts else None

    def address(self, url: str) -> str | None:
        """`url` with the parameters in its query string, however they came; what came as a file is not there. None if it is too long."""
        whole = f"{url}?{urlencode(self.pairs)}" if self.pairs else url
        return whole if len(whole) <= LONGEST_ADDRESS else None

    def names(self) -> set[str]:
        """All parameter names, in capitals."""
        return {key.upper() for key, _ in self.pairs}


async def read_params(request: Request) -> Params:
    """The parameters of the query string and, for POST, of the form body (urlencoded or multipart)."""
    pairs = list(request.query_params.multi_items())
    files: list[tuple[str, UploadFile]] = []
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if request.method == "POST" and kind and kind not in FORMS and request.headers.get("content-length", "0") != "0":
        raise UsageError(
            f"A body of the type {kind} is not read here.", hint=f"Parameters come in the address, or as {' or '.join(FORMS)}."
        )
    if request.method == "POST" and kind in FORMS:
        try:
            form = await request.form(max_files=100, max_fields=10_000, max_part_size=64 * 1024 * 1024)
        except HTTPException as error:
            raise UsageError(f"The form could not be read: {error.detail.rstrip('.')}.") from None
        except ClientDisconnect:
            raise UsageError("The connection was closed before the form was complete.") from None
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) and name.upper() == TEXT:
                pairs.append((name, await _text(name, value)))
            elif isinstance(value, UploadFile):
                files.append((name, value))
            else:
                pairs.append((name, value))
    params = Params(pairs, files, request.headers.get("accept", ""))
    request.scope[RUN_ID] = next((value for value in params.all("RUNID") if _is_run_id(value)), None)
    return params


def read_run_id(params: Params) -> str | None:
    """RUNID, the client's own name for what it does (DALI 1.1 §3.4.6); UsageError if it is too long or unprintable."""
    text = params.one("RUNID")
    if text is not None and not _is_run_id(text):
        raise UsageError(f"RUNID takes at most {LONGEST_RUN_ID} printable characters.", parameter="RUNID")
    return text


def _is_run_id(text: str) -> bool:
    return len(text) <= LONGEST_RUN_ID and text.isprintable()


async def _text(name: str, file: UploadFile) -> str:
    try:
        return (await file.read(TEXT_BYTES)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The file of {name} is not UTF-8: byte {error.start + 1} is 0x{error.object[error.start]:02x}.", parameter=TEXT
        ) from None


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
