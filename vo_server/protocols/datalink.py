"""DataLink 1.1: everything that belongs to a dataset, and the services that work on it."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace

import pyarrow as pa
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server.documents.vosi import vosi_capabilities
from vo_server.formats import FORMATS, Format, choose
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params
from vo_server.http.threads import in_thread
from vo_server.model.capability import Capability, InputParam, Interface, ServiceCapabilities
from vo_server.model.catalogue import Catalogue
from vo_server.model.columns import Column, text
from vo_server.model.dataset import DatasetLink, StoredDataset
from vo_server.model.media import FITS
from vo_server.model.result import Ending, Outcome
from vo_server.model.service import ServiceDescriptor
from vo_server.protocols import vosi
from vo_server.query.datasets import file_url, find_datasets, is_kept_back
from vo_server.query.descriptors import (
    DATASET,
    LINKS_ID,
    LINKS_PATH,
    LINKS_TYPE,
    cutout_descriptor,
    filters_of,
    is_cuttable,
)
from vo_server.query.origin import Asked
from vo_server.services import Services
from vo_server.settings import Settings

STANDARD_ID = LINKS_ID
PATH = "datalink"

MOST_IDS = 5000
"""More identifiers in one request are answered up to here, and the answer says that it is not all (§2.1.1)."""

THIS = "#this"
CUTOUT = "#cutout"
DOCUMENTATION = "#documentation"

COLUMNS: tuple[Column, ...] = (
    text("ID", ucd="meta.id;meta.main", description="Identifier that was asked for"),
    text("access_url", ucd="meta.ref.url", description="Address of the linked thing"),
    text("service_def", ucd="meta.ref", description="ID of the RESOURCE that describes the service"),
    text("error_message", ucd="meta.code.error", description="Why there is no link"),
    text("description", ucd="meta.note", description="What the link leads to"),
    text("semantics", ucd="meta.code", description="What it is to the dataset: a word of the DataLink vocabulary"),
    text("content_type", ucd="meta.code.mime", description="Media type of what comes"),
    Column("content_length", "long", unit="byte", ucd="phys.size;meta.file", description="Size of what comes"),
    text("content_qualifier", ucd="meta.code", description="Kind of product: a word of the vocabulary of product types"),
    text("local_semantics", ucd="meta.id.assoc", description="What it is in the collection's own words"),
    text("link_auth", ucd="meta.code", description="Whether the link wants a login: false, optional or true"),
    Column("link_authorized", "boolean", ucd="meta.code", description="Whether this caller may use the link"),
)
"""DataLink 1.1 §3.2, in its order."""


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the answer: the values of COLUMNS."""

    identifier: str
    access_url: str | None = None
    service_def: str | None = None
    error_message: str | None = None
    description: str | None = None
    semantics: str = THIS
    content_type: str | None = None
    content_length: int | None = None
    content_qualifier: str | None = None
    local_semantics: str | None = None
    link_auth: str | None = None
    link_authorized: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: identifiers in order, each once."""

    identifiers: tuple[str, ...]
    format: Format
    content_type: str
    maxrec: int | None

    @classmethod
    def from_params(cls, params: Params, settings: Settings) -> "Request":
        """Read the parameters; no identifier at all is a question too (§2.1.1). Raises UsageError that names the one that does not fit."""
        format_, content_type = choose(params.one("RESPONSEFORMAT"))
        if format_ is FORMATS[0] and content_type.startswith("application/x-votable+xml"):
            content_type = LINKS_TYPE
        limit = maxrec(params, default=None, hard=settings.hard_maxrec)
        return cls(tuple(dict.fromkeys(params.all("ID"))), format_, content_type, limit)


def routes(services: Services, capabilities: vosi.CapabilityList) -> list[Route]:
    """``/datalink/links`` and what VOSI puts beside it."""

    async def links(request: HttpRequest) -> Response:
        asked = Request.from_params(await read_params(request), services.settings)
        document = await in_thread(lambda: perform(services, asked), limiter=services.traffic.threads)
        # not as media_type: the header must be just this (PITFALLS P-100), and Starlette adds a charset to texts
        return Response(document, headers={"Content-Type": asked.content_type})

    return [
        Route(LINKS_PATH, guard(links, Dialect.FAULT), methods=["GET", "POST"]),
        *vosi.routes(services, f"/{PATH}", capabilities),
    ]


def perform(services: Services, asked: Request) -> bytes:
    """The links of all that is asked for, those of one identifier together; cut between two of them if they are too many."""
    base_url = services.settings.base_url
    identifiers = asked.identifiers[:MOST_IDS]
    with services.database.engine.connect() as connection:
        found = find_datasets(connection, identifiers, base_url)
    rows: list[Link] = []
    described: list[ServiceDescriptor] = []
    ending = Ending.COMPLETE if len(identifiers) == len(asked.identifiers) else Ending.OVERFLOW
    for identifier in identifiers:
        links, service = _links(services, identifier, found.get(identifier), len(described) + 1)
        if asked.maxrec is not None and len(rows) + len(links) > asked.maxrec:
            ending = Ending.OVERFLOW
            break
        rows += links
        described += [service] if service is not None else []
    head = services.head(COLUMNS, Asked(STANDARD_ID, PATH), descriptors=tuple(described))
    writer = asked.format.writer(head)
    try:
        return b"".join((writer.head(), writer.rows(batch(rows)), *writer.tail(Outcome(ending, len(rows)))))
    finally:
        writer.close()


def _links(services: Services, identifier: str, dataset: StoredDataset | None, number: int) -> tuple[list[Link], ServiceDescriptor | None]:
    """The rows of one identifier, and the description of its cut-outs if there are any."""
    if not identifier.strip():
        return [Link(identifier, error_message="UsageFault: the identifier is empty")], None
    if dataset is None:
        return [Link(identifier, error_message="NotFoundFault: there is no dataset with this identifier here")], None
    links = list(_files(services, dataset))
    if not is_cuttable(dataset):
        return links, None
    service = cutout_descriptor(
        services.settings.base_url, services.site(), replace(DATASET, value=identifier), filters_of(dataset), number
    )
    links.append(
        replace(
            links[0],
            access_url=None,
            service_def=service.id,
            description=f"{service.description}",
            semantics=CUTOUT,
            content_type=FITS,
            content_length=None,
            content_qualifier=None,
        )
    )
    return links, service


def _files(services: Services, dataset: StoredDataset) -> Iterator[Link]:
    base_url = services.settings.base_url
    kept_back = is_kept_back(dataset.release, services.clock())
    until = f", not public before {dataset.release:%Y-%m-%d}" if dataset.release is not None and kept_back else ""
    part = f" (HDU {dataset.place.hdu} of the file)" if dataset.place is not None and dataset.place.hdu else ""
    rights = {"link_auth": "true" if kept_back else "false", "link_authorized": not kept_back}
    this = Link(
        dataset.identifier,
        dataset.access_url,
        description=f"{dataset.title or 'The dataset'}{part}{until}",
        content_type=dataset.content_type,
        content_length=dataset.content_length,
        content_qualifier=QUALIFIERS.get(dataset.kind or ""),
        **rights,  # type: ignore[arg-type]
    )
    yield this if this.access_url else replace(this, error_message="NotFoundFault: the dataset has no address")
    for link in dataset.links:
        yield _beside(dataset.identifier, link, base_url, rights)
    if dataset.resource is not None:
        yield Link(
            dataset.identifier,
            f"{base_url}/resources/{dataset.resource}",
            description="The collection that the dataset belongs to",
            semantics=DOCUMENTATION,
            content_type="text/html",
            link_auth="false",
            link_authorized=True,
        )


def _beside(identifier: str, link: DatasetLink, base_url: str, rights: dict[str, str | bool]) -> Link:
    ours = link.place is not None
    return Link(
        identifier,
        file_url(link.place, base_url) if link.place is not None else link.access_url,
        description=link.description,
        semantics=link.semantics,
        content_type=link.content_type,
        content_length=link.content_length,
        content_qualifier=link.content_qualifier,
        local_semantics=link.local_semantics,
        **(rights if ours else {}),  # type: ignore[arg-type]
    )


QUALIFIERS = {"image": "#image", "cube": "#cube", "event": "#event-list", "spectrum": "#spectrum", "timeseries": "#timeseries"}
"""ObsCore's dataproduct_type → word of the vocabulary of product types."""


ARROW_TYPES = {"long": pa.int64(), "boolean": pa.bool_()}


def batch(rows: Sequence[Link]) -> pa.RecordBatch:
    """The rows as the writers take them; texts in ASCII, since VOTable's char has no more."""
    values = list(zip(*map(astuple, rows), strict=True)) or [()] * len(COLUMNS)
    arrays = [
        pa.array([_ascii(value) if column.is_text else value for value in cells], ARROW_TYPES.get(column.datatype, pa.string()))
        for column, cells in zip(COLUMNS, values, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in COLUMNS])


def _ascii(value: str | None) -> str | None:
    return None if value is None else value.encode("ascii", "replace").decode()


def capability(settings: Settings, _: Catalogue) -> ServiceCapabilities:
    """The links and the VOSI endpoints (§2.2)."""
    url = f"{settings.base_url}/{PATH}"
    links = Capability(
        standard_id=STANDARD_ID,
        interfaces=(
            Interface(
                f"{settings.base_url}{LINKS_PATH}",
                version="1.1",
                query_types=("GET", "POST"),
                result_type=LINKS_TYPE,
                params=(
                    InputParam(
                        "ID", "string", "publisher's identifier of a dataset; may be repeated", ucd="meta.id;meta.main", use="required"
                    ),
                    InputParam("RESPONSEFORMAT", "string", "format of the answer; VOTable if absent"),
                ),
            ),
        ),
        description="Everything that belongs to a dataset: files, previews, calibration, cut-outs.",
    )
    return ServiceCapabilities(PATH, (links, *vosi_capabilities(url)))
