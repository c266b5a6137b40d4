"""TAP's addresses as HTTP has them: methods, preflights, spellings of addresses and of parameters (RFC 9110, DALI 1.1 §2–3, TAP 1.1 §2)."""

import pytest
from starlette.testclient import TestClient

READ = {"GET", "HEAD", "OPTIONS"}
WRITE = {"GET", "HEAD", "OPTIONS", "POST"}

METHODS: dict[str, set[str]] = {
    "/tap": READ,
    "/tap/sync": WRITE,
    "/tap/async": WRITE,
    "/tap/async/none": WRITE | {"DELETE"},
    "/tap/async/none/phase": WRITE,
    "/tap/async/none/parameters": WRITE,
    "/tap/async/none/results/result": READ,
    "/tap/capabilities": READ,
    "/tap/availability": READ,
    "/tap/tables": READ,
    "/tap/tables/sky.stars": READ,
    "/tap/examples": READ,
    "/openapi.json": READ,
}
"""Address → the methods it takes (CHECKLIST META-001: what VOSI describes is only read)."""


def listed(header: str) -> set[str]:
    return {method.strip() for method in header.split(",")}


def test_methods_of_each_address_are_told_and_others_refused(client: TestClient) -> None:
    for address, methods in METHODS.items():
        told = client.options(address)
        assert (told.status_code, listed(told.headers["allow"])) == (204, methods), address
        for method in sorted({"GET", "POST", "PUT", "DELETE", "PATCH"} - methods):
            refused = client.request(method, address)
            assert (refused.status_code, listed(refused.headers["allow"])) == (405, methods), (method, address)
            assert refused.text == f"{address} does not take {method}. Use one of: {', '.join(sorted(methods))}.\n"


def test_an_address_with_nothing_has_no_methods(client: TestClient) -> None:
    """TAP 1.1 §2: what is not implemented is 404, whatever one does with it; names of resources have case."""
    for address in ("/tap/nothing", "/tap/Sync", "/tap/load/x", "/tap/table-update"):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            reply = client.request(method, address)
            assert (reply.status_code, reply.headers["content-type"]) == (404, "text/plain; charset=utf-8"), (method, address)
            assert reply.text.startswith(f"There is nothing at {address}.")


@pytest.mark.parametrize("address", ["/tap/sync", "/tap/async", "/tap/tables/", "/tap/nothing"])
def test_preflights_are_answered(client: TestClient, address: str) -> None:
    """CHECKLIST GEN-028; also where there is nothing, so that a page may read that."""
    asked = {"Origin": "https://elsewhere.test", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-own, x-two"}
    reply = client.options(address, headers=asked)
    assert reply.status_code == 204
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-allow-headers"] == "x-own, x-two"
    assert "GET" in listed(reply.headers["access-control-allow-methods"])
