"""Request ids, the log of requests, and the numbers of ``/metrics``."""

import logging

import pytest
from starlette.testclient import TestClient

from vo_server.app import create_app
from vo_server.http.observe import Observed, purpose_of
from vo_server.services import Services


def numbers(client: TestClient) -> dict[str, float]:
    lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_answer_has_an_id_and_keeps_the_one_it_was_given(client: TestClient) -> None:
    first, second = (client.get("/health").headers["x-request-id"] for _ in range(2))
    assert first != second
    assert client.get("/health", headers={"X-Request-ID": "from-proxy.1"}).headers["x-request-id"] == "from-proxy.1"
    assert client.get("/nowhere", headers={"X-Request-ID": "a b\t<"}).headers["x-request-id"] != "a b\t<"


def test_requests_are_counted_by_protocol_status_and_purpose(client: TestClient) -> None:
    name = 'vo_requests_total{protocol="tap/sync",purpose="%s",status="400"}'
    before = numbers(client)
    client.get("/tap/sync")
    client.get("/tap/sync", headers={"User-Agent": "taplint (IVOA-validate http://example.org/) STILTS/3.5"})
    after = numbers(client)
    assert all(after[name % purpose] - before.get(name % purpose, 0) == 1 for purpose in ("use", "test"))


def test_addresses_that_clients_make_up_are_no_labels(client: TestClient) -> None:
    client.get("/made/up")
    assert not any("made" in name for name in numbers(client))


def test_jobs_and_tables_are_told(client: TestClient) -> None:
    told = numbers(client)
    assert told["vo_database_up"] == 1
    assert told["vo_tables"] >= 1


@pytest.mark.parametrize(
    ("agent", "purpose"),
    [
        ("python-requests/2", "use"),
        ("", "use"),
        ("x (IVOA-test http://a/) y", "test"),
        ("x (ivoa-copy) y", "copy"),
        ("x (IVOA-validate)", "test"),
    ],
)
def test_purposes(agent: str, purpose: str) -> None:
    """CHECKLIST GEN-036 (SoftID 1.0 §2)."""
    assert purpose_of(agent) == purpose


def test_a_request_is_one_event_of_the_log(site: Services, caplog: pytest.LogCaptureFixture) -> None:
    """CHECKLIST GEN-035, GEN-036."""
    client = TestClient(Observed(create_app(site), log_requests=True, trusted_proxies=()))
    query = {"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars", "MAXREC": "3", "RUNID": "night 7"}
    with caplog.at_level(logging.INFO, logger="vo_server.requests"):
        answer = client.get("/tap/sync", params=query, headers={"User-Agent": "pyVO", "Accept-Encoding": "identity"})
    [event] = [vars(record) for record in caplog.records if record.name == "vo_server.requests"]
    assert (event["status"], event["rows"], event["whole"], event["agent"]) == (200, 3, True, "pyVO")
    assert event["bytes"] == len(answer.content)
    assert event["runid"] == "night 7"


def test_requests_are_not_logged_unless_the_operator_wants_it(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="vo_server.requests"):
        client.get("/health")
    assert not [record for record in caplog.records if record.name == "vo_server.requests"]
