"""What a full registry, and the registry of registries, look at before they take a publishing registry: the publisher's own data, every
answer to OAI-PMH's questions, every record (OAI-PMH 2.0, RegistryInterfaces 1.1 §2, and the rules in ``schemas/rules``).

A registry is here a function from arguments to a document, so the same questions go to a database and to an address on the web.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree, isoschematron

from vo_registry.subjects import Terms, subject_fault
from vo_server.documents.xml import NAMESPACES, Element, parse
from vo_server.model.resource import Site

Ask = Callable[[Sequence[tuple[str, str]]], bytes]
"""Arguments of a request → the document that answers."""

AUTHORITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_.!~*'()+=]{2,}")
"""IVOA Identifiers 2.0 §2.3.1."""
EMAIL = re.compile(r"[^@\s,;<>]+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+")
EXAMPLES = re.compile(r"(^|[.@])example($|\.(com|net|org|edu)$|\.)|\.(test|invalid|localhost|example)$", re.IGNORECASE)
"""Names that belong to nobody (RFC 2606), and ours."""


SCHEMATA = Path("/usr/lib/python3/dist-packages/gavo/resources/schemata")
"""Where Debian's python3-gavo keeps the schemas that STILTS does not bring along."""
SCHEMA_FILES = {
    NAMESPACES["ri"]: "RegistryInterface",
    NAMESPACES["vg"]: "VORegistry",
    NAMESPACES["cs"]: "ConeSearch",
    NAMESPACES["sia"]: "SIA",
    NAMESPACES["ssap"]: "SSA",
    NAMESPACES["oai"]: "OAI-PMH",
    NAMESPACES["oai_dc"]: "oai_dc",
    NAMESPACES["dc"]: "simpledc20021212",
    "http://www.w3.org/XML/1998/namespace": "xml",
}
"""Namespace → its file there, without its ending."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend: ``where`` (a record, a question, a setting), ``what`` is wrong, and the ``remedy``."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.remedy}".rstrip()


@dataclass(frozen=True, slots=True)
class Probe:
    """A question and what must come: the element that answers it, or the code of an error."""

    arguments: tuple[tuple[str, str], ...]
    wanted: str


def _probe(wanted: str, *arguments: tuple[str, str]) -> Probe:
    return Probe(arguments, wanted)


LIST = ("verb", "ListRecords")
IDENTIFIERS = ("verb", "ListIdentifiers")
GET = ("verb", "GetRecord")
IVO = ("metadataPrefix", "ivo_vor")
DC = ("metadataPrefix", "oai_dc")
JUNK = ("junk", "1")

PROBES: tuple[Probe, ...] = (
    _probe("Identify", ("verb", "Identify")),
    _probe("badArgument", ("verb", "Identify"), JUNK),
    _probe("badVerb"),
    _probe("badVerb", ("verb", "Nonsense")),
    _probe("badVerb", ("verb", "Identify"), ("verb", "Identify")),
    _probe("ListMetadataFormats", ("verb", "ListMetadataFormats")),
    _probe("idDoesNotExist", ("verb", "ListMetadataFormats"), ("identifier", "ivo://nobody.invalid/nothing")),
    _probe("ListSets", ("verb", "ListSets")),
    _probe("badResumptionToken", ("verb", "ListSets"), ("resumptionToken", "junk")),
    _probe("badArgument", GET),
    _probe("badArgument", GET, IVO),
    _probe("badArgument", GET, ("identifier", "ivo://nobody.invalid/nothing")),
    _probe("idDoesNotExist", GET, IVO, ("identifier", "ivo://nobody.invalid/nothing")),
    _probe("idDoesNotExist", GET, IVO, ("identifier", 'in valid"id')),
    _probe("ListIdentifiers", IDENTIFIERS, IVO),
    _probe("ListIdentifiers", IDENTIFIERS, DC),
    _probe("ListIdentifiers", IDENTIFIERS, IVO, ("set", "ivo_managed")),
    _probe("ListIdentifiers", IDENTIFIERS, IVO, ("from", "2000-01-01")),
    _probe("ListIdentifiers", IDENTIFIERS, IVO, ("from", "2000-01-01T00:00:00Z"), ("until", "9999-12-31T23:59:59Z")),
    _probe("badArgument", IDENTIFIERS),
    _probe("badArgument", IDENTIFIERS, IVO, ("from", "junk")),
    _probe("badArgument", IDENTIFIERS, IVO, ("until", "2000-02-30")),
    _probe("badArgument", IDENTIFIERS, IVO, ("from", "2001-01-01"), ("until", "2000-01-01")),
    _probe("badArgument", IDENTIFIERS, IVO, ("from", "2001-01-01"), ("until", "2001-01-02T00:00:00Z")),
    _probe("badResumptionToken", IDENTIFIERS, ("resumptionToken", "junk")),
    _probe("badArgument", IDENTIFIERS, IVO, ("resumptionToken", "junk")),
    _probe("noRecordsMatch", IDENTIFIERS, IVO, ("until", "1990-01-01")),
    _probe("cannotDisseminateFormat", LIST, ("metadataPrefix", "nonsense")),
    _probe("badArgument", LIST),
    _probe("badArgument", LIST, IVO, JUNK),
    _probe("badArgument", LIST, IVO, IVO),
    _probe("badResumptionToken", LIST, ("resumptionToken", "junk")),
    _probe("noRecordsMatch", LIST, DC, ("until", "1990-01-01")),
    _probe("badArgument", LIST, IVO, ("until", "2026")),
)
"""What validators ask: every verb rightly, and every mistake that has a name (OAI-PMH 2.0 §3.6)."""


def site_findings(site: Site, base_url: str) -> list[Finding]:
    """What of the publisher's own data no registry takes, or no user could do anything with."""
    return [*identity_findings(site), *_address_findings(base_url)]


def identity_findings(site: Site) -> Iterator[Finding]:
    """What is wrong with the authority, the organisation and the contact."""
    change = "Change it with `vo registry init`."
    if not AUTHORITY.fullmatch(site.authority):
        yield Finding(
            "authority", f"{site.authority!r} is not an authority: three characters or more, letters, digits, dots and hyphens.", change
        )
    elif site.is_example or EXAMPLES.search(site.authority):
        yield Finding("authority", f"{site.authority} is an example.", "Choose your own, such as your domain, with `vo registry init`.")
    elif "." not in site.authority:
        yield Finding("authority", f"{site.authority} is not like a domain, so that others may take it too.", change)
    if not site.organisation.strip() or site.organisation == Site().organisation:
        yield Finding("organisation", "nobody is named as the publisher.", change)
    if not EMAIL.fullmatch(site.contact_email):
        yield Finding("contact e-mail", f"{site.contact_email!r} is not an address.", change)
    elif EXAMPLES.search(site.contact_email.rpartition("@")[2]):
        yield Finding("contact e-mail", f"{site.contact_email} is an example.", f"Give one that several people read. {change}")
    if site.reference_url is not None and not site.reference_url.startswith(("http://", "https://")):
        yield Finding("page", f"{site.reference_url!r} is not an address on the web.", change)


def _address_findings(base_url: str) -> Iterator[Finding]:
    host = urlsplit(base_url).hostname or ""
    remedy = "Set public_url to the address that users see."
    if "?" in base_url:
        yield Finding("public_url", f"{base_url} has a query.", remedy)
    try:
        local = not ipaddress.ip_address(host).is_global
    except ValueError:
        local = "." not in host or bool(EXAMPLES.search(host))
    if local:
        yield Finding("public_url", f"{base_url} is not reachable from elsewhere.", remedy)


def registry_findings(ask: Ask, seen: Callable[[bytes], None] = lambda _: None, terms: Terms | None = None) -> Iterator[Finding]:
    """Ask everything, walk both lists to their ends, and hold every answer against the rules; `seen` gets each document.

    `terms` is the thesaurus of subjects; None: it is not at hand, and subjects are looked at only as words.
    """
    for probe in PROBES:
        yield from _probe_findings(probe, ask, seen)
    listed: dict[str, set[str]] = {}
    for prefix in ("ivo_vor", "oai_dc"):
        listed[prefix] = set()
        for page in pages(ask, "ListRecords", prefix):
            seen(page)
            root = parse(page)
            yield from document_findings(root, f"ListRecords, {prefix}", ("oai",))
            listed[prefix] |= set(_texts(root, ".//oai:record/oai:header/oai:identifier"))
            for record in root.iterfind(".//oai:metadata/ri:Resource", dict(NAMESPACES)):
                yield from document_findings(record, record.findtext("identifier") or "a record", ("record", "rofr"))
                yield from _subject_findings(record, terms)
    if listed["ivo_vor"] != listed["oai_dc"]:
        yield Finding("ListRecords", "the two formats list different records.", "This is a fault of the server: please report it.")


def _subject_findings(record: Element, terms: Terms | None) -> Iterator[Finding]:
    for subject in record.iterfind("content/subject"):
        fault = subject_fault(subject.text or "", terms)
        if fault is not None:
            yield Finding(record.findtext("identifier") or "a record", f"the subject {fault}", "Change it in the descriptor.")


def pages(ask: Ask, verb: str, prefix: str) -> Iterator[bytes]:
    """Every page of a list."""
    page = ask((("verb", verb), ("metadataPrefix", prefix)))
    yield page
    while token := next(iter(_texts(parse(page), f"oai:{verb}/oai:resumptionToken")), None):
        page = ask((("verb", verb), ("resumptionToken", token)))
        yield page


def document_findings(root: Element, where: str, rules: Sequence[str]) -> Iterator[Finding]:
    """What breaks the rules in a document, each sentence once."""
    said = set()
    for name in rules:
        schematron = _rules(name)
        schematron.validate(etree.ElementTree(root))
        for text in schematron.validation_report.iterfind(".//{*}failed-assert/{*}text"):
            said.add(" ".join((text.text or "").split()))
    for sentence in sorted(said):
        yield Finding(where, sentence, "")


def _probe_findings(probe: Probe, ask: Ask, seen: Callable[[bytes], None]) -> Iterator[Finding]:
    question = "?" + "&".join(f"{name}={value}" for name, value in probe.arguments)
    document = ask(probe.arguments)
    seen(document)
    try:
        root = parse(document)
    except etree.XMLSyntaxError as error:
        yield Finding(question, f"the answer is not XML ({error.msg}).", "Look what stands at this address.")
        return
    codes = [one.get("code") for one in root.iterfind("oai:error", dict(NAMESPACES))]
    answered = root.find(f"oai:{probe.wanted}", dict(NAMESPACES)) is not None
    if not answered and codes != [probe.wanted]:
        came = ", ".join(filter(None, codes)) or "another answer"
        yield Finding(question, f"{probe.wanted} was expected, and {came} came.", "This is a fault of the server: please report it.")
    yield from document_findings(root, question, ("oai",))


def _texts(root: Element, path: str) -> list[str]:
    return [one.text.strip() for one in root.iterfind(path, dict(NAMESPACES)) if one.text and one.text.strip()]


@cache
def _rules(name: str) -> isoschematron.Schematron:
    return isoschematron.Schematron(etree.fromstring(rule_file(name)), store_report=True)


def rule_file(name: str) -> bytes:
    """The text of ``schemas/rules/<name>.sch``: beside this module where installed, in the repository where developed."""
    packaged = files("vo_registry").joinpath("rules", f"{name}.sch")
    if packaged.is_file():
        return packaged.read_bytes()
    return Path(__file__).parents[2].joinpath("schemas", "rules", f"{name}.sch").read_bytes()
