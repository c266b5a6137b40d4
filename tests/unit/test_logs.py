"""Events as lines for people and as JSON, with the request they belong to."""

import json
import logging

import pytest

from vo_server import logs


def event(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("vo_server").makeRecord("vo_server", logging.WARNING, __file__, 1, message, (), None, extra=extra)


def test_a_line_names_the_request_and_what_was_given() -> None:
    with logs.about(logs.REQUEST, "r1"):
        line = logs.TextFormatter().format(event("slow", rows=3, agent=None))
    assert line.endswith("WARNING slow request=r1 rows=3")


def test_a_message_of_several_lines_stays_one_line() -> None:
    assert "\n" not in logs.TextFormatter().format(event("one\ntwo"))


def test_json_holds_the_job_and_the_trace() -> None:
    try:
        raise ValueError("oh")
    except ValueError as error:
        record = event("failed")
        record.exc_info = (type(error), error, error.__traceback__)
    with logs.about(logs.JOB, "j1"):
        told = json.loads(logs.JsonFormatter().format(record))
    assert (told["job"], told["level"], told["message"]) == ("j1", "WARNING", "failed")
    assert "ValueError: oh" in told["trace"]
    assert "job" not in json.loads(logs.JsonFormatter().format(record))


@pytest.mark.parametrize("form", list(logs.FORMS))
def test_times_are_utc(form: str) -> None:
    record = event("x")
    record.created = 0.5
    assert "1970-01-01T00:00:00.500Z" in logs.FORMS[form]().format(record)
