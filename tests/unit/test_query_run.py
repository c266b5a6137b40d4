"""An answer on its way: batches in order, the connection back before the document's end, nothing left behind."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from formats_tables import ARROW, CSV, FITS, TABLEDATA

from vo_server.errors import UsageError
from vo_server.formats import Format, UnfinishedError
from vo_server.model.columns import Column
from vo_server.model.result import Statement, TableHead
from vo_server.query.run import SMALL_ROWS, Answer, split_first

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


def answer(stream: Stream, form: Format, maxrec: int | None = None) -> Answer:
    work = Answer(Pool(stream), Statement("SELECT", COLUMNS), TableHead(COLUMNS), form, form.media_type, maxrec)  # type: ignore[arg-type]
    work.start()
    return work


@pytest.mark.parametrize("rows", [1, SMALL_ROWS, SMALL_ROWS + 1])
def test_a_large_first_batch_comes_in_two_pieces_in_order(rows: int) -> None:
    assert numbers(split_first(batch(0, rows))) == list(range(rows))


@pytest.mark.parametrize("rows", [1, SMALL_ROWS + 1])
@pytest.mark.parametrize("form", [TABLEDATA, FITS], ids=["TABLEDATA", "FITS"])
def test_a_failure_is_told_in_the_document(rows: int, form: Format) -> None:
    work = answer(Stream([batch(0, rows), batch(rows, 2), UsageError("division by zero")]), form)
    document = b"".join(work.chunks())
    work.close()
    assert b"division by zero" in document
    assert work.rows == rows + 2


def test_a_failure_that_cannot_be_told_breaks_off() -> None:
    work = answer(Stream([batch(0, 1), UsageError("division by zero")]), CSV)
    with pytest.raises(UnfinishedError, match="CSV output broke off after 1 rows"):
        list(work.chunks())
    work.close()


def test_the_connection_is_back_before_a_spooled_document_leaves() -> None:
    stream = Stream([batch(0, SMALL_ROWS + 1), batch(SMALL_ROWS + 1, 100)])
    work = answer(stream, FITS)
    chunks = work.chunks()
    assert len(next(chunks)) == 2880  # the primary HDU
    rest = [chunk for chunk in chunks if "close" in stream.log]
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
    assert stream.log == ["run", "close"]


@pytest.mark.parametrize(("maxrec", "status"), [(0, b"OVERFLOW"), (4, b"OVERFLOW"), (5, b"OK")])
def test_overflow_is_exact(maxrec: int, status: bytes) -> None:
    work = answer(Stream([batch(0, 5)]), FITS, maxrec)
    document = b"".join(work.chunks())
    work.close()
    assert b"QSTATUS = '%s" % status in document
    assert b"NAXIS2  = %20d" % maxrec in document
