"""The site that is examined: a session that says what it is for, and the services that are found at an address."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urljoin

import requests
from lxml import etree

from vo_server import __version__
from vo_server.errors import NotFoundError, UnavailableError

AGENT = f"vo-server/{__version__} (IVOA-validate selftest) python-requests"
"""The purpose in a comment, as the IVOA's note on software identification has it: operators tell us from users."""

TIMEOUT_S = 60

BENEATH = ("", "/tap", "/sia2", "/sia1", "/ssa", "/scs2", "/datalink", "/soda")
"""Where, below the address that was given, capabilities may lie."""

RECORDS = "/oai?verb=ListRecords&metadataPrefix=ivo_vor"

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

PAGES = 50
"""Pages of a registry that are read at most."""


@dataclass(frozen=True, slots=True)
class Service:
    """One capability of the site: `standard` is its standardID without ``ivo://ivoa.net/std/``, in lower case; `url` its access URL."""

    standard: str
    url: str
    test_query: str | None = None


class Site:
    """An address, and what is found there."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.headers["User-Agent"] = AGENT

    def get(self, url: str, **params: str) -> requests.Response:
        """The answer to a GET, whatever its status; UnavailableError if there is none."""
        try:
            return self.session.get(url, params=params or None, timeout=TIMEOUT_S, headers={"Origin": "https://example.org"})
        except requests.RequestException as error:
            raise UnavailableError(f"{url} does not answer ({type(error).__name__}).") from None

    def post(self, url: str, data: dict[str, str]) -> requests.Response:
        """The answer to a POST, redirects not followed."""
        try:
            return self.session.post(url, data=data, timeout=TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as error:
            raise UnavailableError(f"{url} does not answer ({type(error).__name__}).") from None

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """Everything that VOSI capabilities and registry records at the address name, each once; NotFoundError if there is nothing."""
        found = {service: None for root in self._documents() for service in services_of(root)}
        if not found:
            raise NotFoundError(
                f"No VO service was found at {self.url}.",
                hint="Give the address of a service, below which /capabilities lies, or that of a vo-server.",
            )
        return tuple(found)

    @cached_property
    def has_registry(self) -> bool:
        """Whether an OAI-PMH endpoint answers at ``/oai``."""
        root = parse(self.get(f"{self.url}/oai", verb="Identify"))
        return root is not None and etree.QName(root).localname == "OAI-PMH"

    def _documents(self) -> Iterator[etree._Element]:
        for path in BENEATH:
            root = parse(self.get(f"{self.url}{path}/capabilities"))
            if root is not None:
                yield root
        if self.has_registry:
            yield from self.records()

    def records(self) -> Iterator[etree._Element]:
        """The pages of all registry records."""
        address = self.url + RECORDS
        for _ in range(PAGES):
            root = parse(self.get(address))
            if root is None:
                return
            yield root
            token = next(iter(root.xpath("//*[local-name()='resumptionToken']/text()")), None)
            if token is None:
                return
            address = urljoin(self.url + "/", f"oai?verb=ListRecords&resumptionToken={quote(token, safe='')}")


def parse(answer: requests.Response) -> etree._Element | None:
    """The root of an XML answer; None for errors and for what is not XML."""
    if answer.status_code != requests.codes.ok:
        return None
    try:
        return etree.fromstring(answer.content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return None


def services_of(root: etree._Element) -> Iterator[Service]:
    """The capabilities of a document that have a standard and an address."""
    for capability in root.xpath("//capability[@standardID]"):
        standard = capability.get("standardID").lower().removeprefix("ivo://ivoa.net/std/")
        for interface in capability.xpath("interface[not(securityMethod)]"):
            url = (interface.findtext("accessURL") or "").strip()
            if url and (interface.get(XSI_TYPE) or "").rpartition(":")[2] in ("ParamHTTP", "OAIHTTP"):
                query = capability.find("testQuery")
                text = interface.findtext("testQueryString")
                yield Service(standard, url, text or ("&".join(_cone_query(query)) if query is not None else None))
                break


def _cone_query(query: etree._Element) -> Iterator[str]:
    """The parameters of a test query as SimpleDALRegExt writes those of cone searches."""
    for name in ("ra", "dec", "sr"):
        text = query.findtext(name)
        if text is not None:
            yield f"{name.upper()}={text.strip()}"
