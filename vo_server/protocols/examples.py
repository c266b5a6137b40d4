"""DALI 1.1 §2.3: ``/examples`` beside TAP, made from what is published now."""

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server.documents.examples import EXAMPLES_ID, examples
from vo_server.http.documents import Documents
from vo_server.http.errors import Dialect, guard
from vo_server.model.capability import Capability, Interface
from vo_server.query import examples as queries
from vo_server.services import Services

MEDIA_TYPE = "text/html; charset=utf-8"


def routes(services: Services, path: str) -> list[Route]:
    """``/examples`` below `path`."""
    documents = Documents(services.clock)

    def render() -> bytes:
        snapshot = services.snapshot()
        return examples(queries.examples(snapshot.catalogue, snapshot.resources), f"{services.settings.base_url}{path}")

    async def show_examples(request: HttpRequest) -> Response:
        return await documents.reply(request, "examples", services.catalogue().version, render, MEDIA_TYPE)

    return [Route(f"{path}/examples", guard(show_examples, Dialect.TEXT), methods=["GET"])]


def capability(service_url: str) -> Capability:
    """What VOSI says of it."""
    page = Interface(f"{service_url}/examples", type="vr:WebBrowser", use="full", role=None)
    return Capability(standard_id=EXAMPLES_ID, interfaces=(page,), description="Queries to begin with.")
