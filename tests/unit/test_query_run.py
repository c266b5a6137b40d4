"""An answer on its way: batches in order, the connection back before the document's end, nothing left behind."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from formats_tables import ARROW, BINARY2, CSV, FITS, HTML, JSON, PARQUET, TABLEDATA, TEXT, TSV

from vo_server.errors import TimeLimitError, UnavailableError, UsageError
from vo_server.formats import FORMATS, Format, UnfinishedError
from vo_server.model.columns import Column
from vo_server.model.result import Statement, TableHead
from vo_server.query import run
from vo_server.query.run import SMALL_ROWS, Answer, filled_apart, split_first
from vo_server.scratch import SpoolRoom

COLUMNS = (Column("n", "long"),)


def batch(start: int, rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(range(start, start + rows), pa.int64())], names=["0"])


def numbers(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return [number for piece in batches for number in piece.column(0).to_pylist()]


class Stream:
    """A ResultStream whose batches are given, the last of which may be an error."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches, self.log = batches, list[str]()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for one in self.batches:
            if isinstance(one, Exception):
                raise one
            yield one
        self.log.append("end")

    def run(self) -> None:
        self.log.append("run")

    def cancel(self) -> None:
        self.log.append("cancel")

    def close(self) -> None:
        self.log.append("close")


class Pool:
    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def open(self, statement: Statement) -> Stream:
        return self.stream


def answer(stream: Stream, form: Format, maxrec: int | None = None, room: SpoolRoom | None = None) -> Answer:
    work = Answer(Pool(stream), Statement("SELECT", COLUMNS), TableHead(COLUMNS), form, form.media_type, maxrec, room)  # type: ignore[arg-type]
    work.start()
    return work


@pytest.mark.parametrize("rows", [1, SMALL_ROWS, SMALL_ROWS + 1])
def test_a_large_first_batch_comes_in_two_pieces_in_order(rows: int) -> None:
    assert numbers(split_first(batch(0, rows))) == list(range(rows))


@pytest.mark.parametrize("form", [TABLEDATA, BINARY2, HTML, TEXT], ids=["TABLEDATA", "BINARY2", "HTML", "text"])
def test_a_failure_after_the_first_byte_is_told_in_the_document(form: Format) -> None:
    work = answer(Stream([batch(0, SMALL_ROWS + 1), batch(SMALL_ROWS + 1, 2), UsageError("division by zero")]), form)
    document = b"".join(work.chunks())
    work.close()
    assert b"division by zero" in document
    assert work.rows == SMALL_ROWS + 3


@pytest.mark.parametrize("form", [CSV, TSV, JSON, ARROW], ids=["CSV", "TSV", "JSON", "Arrow"])
def test_a_failure_after_the_first_byte_that_cannot_be_told_breaks_off(form: Format) -> None:
    work = answer(Stream([batch(0, SMALL_ROWS + 1), UsageError("division by zero")]), form)
    chunks = work.chunks()
    next(chunks)
    with pytest.raises(UnfinishedError, match=f"broke off after {SMALL_ROWS + 1} rows: division by zero"):
        list(chunks)
    work.close()


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_failure_before_the_first_byte_has_a_status_of_its_own_in_every_format(form: Format) -> None:
    work = answer(Stream([batch(0, 1), UsageError("division by zero")]), form)
    with pytest.raises(UsageError, match="division by zero"):
        next(work.chunks())
    work.close()


@pytest.mark.parametrize("form", [FITS, PARQUET], ids=["FITS", "Parquet"])
def test_formats_that_need_the_last_row_first_fail_before_the_first_byte(form: Format) -> None:
    work = answer(Stream([batch(0, SMALL_ROWS + 1), UsageError("division by zero")]), form)
    with pytest.raises(UsageError, match="division by zero"):
        next(work.chunks())
    work.close()


def test_what_is_cancelled_never_looks_whole() -> None:
    work = answer(Stream([batch(0, 1)]), FITS)
    work.cancel()
    with pytest.raises(TimeLimitError, match="cancelled"):
        list(work.chunks())
    work.close()


def test_a_reader_that_used_up_the_time_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SLOW_S", 0.0)
    work = answer(Stream([batch(0, SMALL_ROWS + 1), TimeLimitError("The query took longer than it may.")]), TABLEDATA)
    document = b"".join(work.chunks())
    work.close()
    assert b"read so slowly" in document
    assert b"asynchronously" in document


def test_the_connection_is_back_before_a_spooled_document_leaves() -> None:
    stream = Stream([batch(0, SMALL_ROWS + 1), batch(SMALL_ROWS + 1, 100)])
    work = answer(stream, FITS)
    rest = [chunk for chunk in work.chunks() if "close" in stream.log]
    work.close()
    assert all(rest)
    assert sum(map(len, rest)) % 2880 == 0
    assert sum(map(len, rest)) >= 8 * (SMALL_ROWS + 101)


def test_nothing_empty_is_sent_and_small_answers_come_in_one_piece() -> None:
    for form in (TABLEDATA, CSV, ARROW, FITS):
        work = answer(Stream([batch(0, 3)]), form)
        (document,) = work.chunks()
        work.close()
        assert document


def test_an_answer_given_up_half_way_leaves_nothing() -> None:
    stream = Stream([batch(start, SMALL_ROWS + 1) for start in range(0, 5 * (SMALL_ROWS + 1), SMALL_ROWS + 1)])
    work = answer(stream, FITS)
    next(work.chunks())
    work.close()
    assert stream.log[-1] == "close"
    assert stream.log.count("run") == 1


@pytest.mark.parametrize(("maxrec", "status"), [(0, b"OVERFLOW"), (4, b"OVERFLOW"), (5, b"OK")])
def test_overflow_is_exact(maxrec: int, status: bytes) -> None:
    work = answer(Stream([batch(0, 5)]), FITS, maxrec)
    document = b"".join(work.chunks())
    work.close()
    assert b"QSTATUS = '%s" % status in document
    assert b"NAXIS2  = %20d" % maxrec in document


def test_rows_that_are_large_once_written_are_written_few_at_a_time() -> None:
    """NULL in an array of fixed size takes no room in a batch, and all of it in a VOTable."""
    columns = (Column("n", "long"), Column("v", "double", "1000x10"))
    nulls = pa.RecordBatch.from_arrays([pa.array(range(500)), pa.nulls(500, pa.list_(pa.float64()))], names=["0", "1"])
    pieces = list(filled_apart(iter([nulls]), columns))
    assert max(piece.num_rows for piece in pieces) * 80_000 <= run.FILLED_BYTES
    assert numbers(iter(pieces)) == list(range(500))
    plain = batch(0, 500)
    assert list(filled_apart(iter([plain]), COLUMNS)) == [plain]


@pytest.mark.parametrize(("most", "taken", "error"), [(10_000, 0, UsageError), (20_000, 16_000, UnavailableError)])
def test_rows_that_must_wait_have_a_limited_room(most: int, taken: int, error: type[Exception]) -> None:
    room = SpoolRoom(most=most)
    assert room.grant(taken, 0)
    work = answer(Stream([batch(0, 500), batch(500, 500)]), FITS, room=room)
    with pytest.raises(error, match="disk"):
        next(work.chunks())
    work.close()
    assert room.used == taken


def test_a_full_disk_is_told_and_not_our_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vo_server.formats.spool.tempfile.TemporaryFile", lambda **_: open("/dev/full", "r+b"))  # noqa: SIM115
    room = SpoolRoom()
    work = answer(Stream([batch(0, 500)]), FITS, room=room)
    with pytest.raises(UnavailableError, match="no disk left"):
        next(work.chunks())
    work.close()
    assert room.used == 0
