"""The address that full registries harvest: ``/oai`` (RegistryInterfaces 1.1 §2), with its VOSI documents beside it (ibid. §3.2)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo_registry.oai_pmh import Metadata, Repository, answer, refusal
from vo_registry.records import OAI_PATH, StoredRecord, registry_capabilities
from vo_server.db.records import earliest_datestamp, find_record, hold_storing, page_of_records
from vo_server.documents import vosi
from vo_server.errors import UnavailableError, UsageError, VoError
from vo_server.http.errors import Dialect, guard, render
from vo_server.http.params import read_params
from vo_server.http.threads import in_thread
from vo_server.model.capability import InputParam
from vo_server.model.resource import Site
from vo_server.settings import Settings

XML = "text/xml"

PARAMETERS: tuple[InputParam, ...] = (
    InputParam("verb", "string", "Identify, ListMetadataFormats, ListSets, ListIdentifiers, ListRecords or GetRecord", use="required"),
    InputParam("metadataPrefix", "string", "Format of records: ivo_vor or oai_dc"),
    InputParam("identifier", "string", "Of one record (GetRecord, ListMetadataFormats)"),
    InputParam("from", "string", "Only records that changed then or later (UTC)"),
    InputParam("until", "string", "Only records that changed then or before (UTC)"),
    InputParam("set", "string", "Only records of this set"),
    InputParam("resumptionToken", "string", "Where the list goes on"),
)
"""OAI-PMH 2.0 §4."""


class HasEngine(Protocol):
    """A database, as far as the registry needs one."""

    @property
    def engine(self) -> Engine:
        """Connections to it."""


class Services(Protocol):
    """What the registry needs of what is open."""

    @property
    def settings(self) -> Settings:
        """For the public address."""

    @property
    def database(self) -> HasEngine:
        """Where the records lie."""

    @property
    def started(self) -> datetime:
        """When the server came up."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """The time now, in UTC."""

    def site(self) -> Site:
        """The publisher."""


class DatabaseStore:
    """The records as `connection` sees them (oai_pmh.Store)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, identifier: str, metadata: Metadata | None) -> StoredRecord | None:
        """The record of an identifier."""
        return find_record(self._connection, identifier, metadata)

    def page(
        self,
        *,
        limit: int,
        metadata: Metadata | None,
        since: datetime | None,
        until: datetime | None,
        after: tuple[datetime, str] | None,
    ) -> Sequence[StoredRecord]:
        """A page of records, none of them missing that has a datestamp before now."""
        hold_storing(self._connection)
        return page_of_records(self._connection, limit=limit, metadata=metadata, since=since, until=until, after=after)

    def earliest(self) -> datetime | None:
        """The oldest datestamp."""
        return earliest_datestamp(self._connection)


def routes(services: Services) -> list[Route]:
    """``/oai`` by GET and POST, ``/oai/capabilities``, ``/oai/availability``."""
    base_url = services.settings.base_url

    async def harvest(request: Request) -> Response:
        pairs = (await read_params(request)).pairs
        return Response(await in_thread(_answer, services, pairs), media_type=XML)

    def tell(error: VoError, dialect: Dialect) -> Response:
        if not isinstance(error, UsageError):
            return render(error, dialect)
        return Response(refusal(str(error), repository(services.settings, services.site(), services.clock())), media_type=XML)

    async def capabilities(_: Request) -> Response:
        return Response(vosi.capabilities(registry_capabilities(base_url)), media_type=XML)

    async def availability(_: Request) -> Response:
        return Response(vosi.availability(services.started), media_type=XML)

    return [
        Route(f"/{OAI_PATH}", guard(harvest, Dialect.TEXT, tell), methods=["GET", "POST"]),
        Route(f"/{OAI_PATH}/capabilities", guard(capabilities, Dialect.TEXT), methods=["GET"]),
        Route(f"/{OAI_PATH}/availability", guard(availability, Dialect.TEXT), methods=["GET"]),
    ]


def repository(settings: Settings, site: Site, now: datetime) -> Repository:
    """What Identify says of the registry of `site`."""
    return Repository(site.title, f"{settings.base_url}/{OAI_PATH}", site.contact_email, site.ivoid("registry"), now)


def _answer(services: Services, pairs: Sequence[tuple[str, str]]) -> bytes:
    """The answer from one view of the records: responseDate is taken before they are read, so the next harvest overlaps this one."""
    described = repository(services.settings, services.site(), services.clock())
    try:
        with services.database.engine.connect() as connection:
            return answer(pairs, described, DatabaseStore(connection))
    except OperationalError:
        raise UnavailableError("The records cannot be read now.", hint="Please try again.") from None
