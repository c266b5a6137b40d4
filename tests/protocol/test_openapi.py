"""The description of the service is valid OpenAPI 3.1, and says what is there."""

import re

from openapi_spec_validator import validate
from starlette.routing import Route
from starlette.testclient import TestClient

from vo_server.app import create_app
from vo_server.services import Services


def test_it_is_openapi(client: TestClient) -> None:
    reply = client.get("/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    document = reply.json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "http://testserver"}]
    assert client.get("/openapi.json", headers={"If-None-Match": reply.headers["etag"]}).status_code == 304


def test_every_route_is_described_and_nothing_else(site: Services) -> None:
    app = create_app(site)
    document = TestClient(app).get("/openapi.json").json()
    routed = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described == routed
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert all(operation["tags"][0] in {tag["name"] for tag in document["tags"]} for operation in operations)


def test_parameters_are_those_of_the_protocols(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    sync = {parameter["name"]: parameter for parameter in paths["/tap/sync"]["get"]["parameters"]}
    assert {name for name, parameter in sync.items() if parameter["required"]} == {"LANG", "QUERY"}
    assert sync["MAXREC"]["schema"] == {"type": "integer"}
    form = paths["/tap/async"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"PHASE", "QUERY", "UPLOAD"} <= set(form["properties"])
    assert list(paths["/tap/async"]["post"]["responses"]) == ["303", "default"]
    assert "application/vnd.apache.parquet" in paths["/tap/sync"]["get"]["responses"]["200"]["content"]
    for path, names in {
        "/scs/{table}": {"table", "RA", "DEC", "SR"},
        "/scs2": {"TABLE"},
        "/sia2/query": {"POS", "BAND", "TIME"},
        "/sia1": {"POS", "SIZE"},
        "/ssa": {"POS", "BAND"},
        "/tap/tables": {"detail"},
        "/tap/async/{job_id}": {"job_id", "WAIT"},
    }.items():
        assert names <= {parameter["name"] for parameter in paths[path]["get"]["parameters"]}, path
