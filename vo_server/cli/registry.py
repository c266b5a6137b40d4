"""``vo registry``: who publishes here, whether full registries will take it, and what the records say."""

import difflib
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer
from lxml import etree
from sqlalchemy import Connection

from vo_registry.enrolment import SCHEMA_FILES, SCHEMATA, Ask, Finding, identity_findings, registry_findings, site_findings
from vo_registry.oai import DatabaseStore, repository
from vo_registry.oai_pmh import Metadata, answer
from vo_registry.records import Rendered
from vo_registry.subjects import ADDRESS, find_terms
from vo_server.app import record_keeper, render_records
from vo_server.cli.common import ConfigFile, DataDir, Thesaurus, at_its_address, ready_database, refuse_nothing, say, settings_from
from vo_server.db.catalogue import load_site, store_site
from vo_server.db.database import Database
from vo_server.db.records import all_identifiers, find_record, lock_records
from vo_server.documents.xml import parse
from vo_server.errors import NotFoundError, UsageError
from vo_server.model.resource import Site
from vo_server.services import utc_now
from vo_server.settings import Settings

app = typer.Typer(help="The publishing registry: its publisher, its records, and whether others will take them.", no_args_is_help=True)

Authority = Annotated[str | None, typer.Option(help="Your authority: the first part of all your identifiers, such as your domain.")]
Organisation = Annotated[str | None, typer.Option(help="Who publishes.")]
Contact = Annotated[str | None, typer.Option(help="Name of the contact; a role, not a person.")]
Email = Annotated[str | None, typer.Option(help="E-mail address of the contact; one that several people read.")]
Title = Annotated[str | None, typer.Option(help="Title of the data centre.")]
Description = Annotated[str | None, typer.Option(help="What the data centre offers, in a few sentences.")]
Page = Annotated[str | None, typer.Option(help="Address of a page about the data centre; default: the server's own.")]
Identifier = Annotated[str, typer.Argument(help="An ivoid, or what follows the authority in it: tap, registry, icecube/alerts.")]
SomeIdentifier = Annotated[str | None, typer.Argument(help="One record instead of all: an ivoid, or what follows the authority in it.")]
Prefix = Annotated[str, typer.Option("--format", help="ivo_vor or oai_dc.")]
Url = Annotated[str | None, typer.Option("--url", help="Ask the registry at this address, instead of this database.")]

Schemata = Annotated[Path, typer.Option(help="Directory of the registry's XML schemas.", metavar="DIR")]

ASKED = (
    ("authority", "authority", "Authority (such as your domain)"),
    ("organisation", "organisation", "Organisation"),
    ("contact_name", "contact", "Name of the contact (a role)"),
    ("contact_email", "email", "E-mail address of the contact"),
    ("title", "title", "Title of the data centre"),
    ("description", "description", "Description"),
)
"""Attribute of the site, flag, question."""

WHERE = {"authority": "authority", "organisation": "organisation", "contact_email": "contact e-mail"}
"""Attribute of the site that nobody but the publisher knows → where findings about it are said to be."""

LISTS = (b"<oai:Identify>", b"<oai:ListRecords>")
"""What stands in the answers that hold records."""

SECONDS = 30
"""A registry on the web has so long to answer."""


@app.command()
def init(
    authority: Authority = None,
    organisation: Organisation = None,
    contact: Contact = None,
    email: Email = None,
    title: Title = None,
    description: Description = None,
    page: Page = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Say who publishes. All records are rendered anew; those under another authority become tombstones. May be repeated."""
    settings = settings_from(config, data_dir=data_dir)
    given = {
        "authority": authority,
        "organisation": organisation,
        "contact_name": contact,
        "contact_email": email,
        "title": title,
        "description": description,
        "reference_url": page,
    }
    with ready_database(settings) as database:
        settings = at_its_address(settings, database)
        with database.engine.connect() as connection:
            before = load_site(connection)
        after = _asked(before, {name: text.strip() for name, text in given.items() if text is not None})
        after = replace(after, is_example=False, created=before.created or utc_now().replace(microsecond=0))
        faults = list(identity_findings(after))
        if faults:
            raise UsageError("; ".join(f"{fault.where}: {fault.what.rstrip('.')}" for fault in faults) + ".", hint="Nothing was changed.")
        with database.engine.begin() as connection:
            lock_records(connection)  # before anything else is written, as publishing does: they wait for each other, not for ever
            store_site(connection, after)
            changes = record_keeper(settings)(connection)
    print(f"{after.organisation} publishes as ivo://{after.authority}")
    print(f"records: {len(changes.created)} new, {len(changes.changed)} changed, {len(changes.deleted)} deleted")
    say("Run `vo registry check` before you enrol it.")


def _asked(site: Site, given: dict[str, str]) -> Site:
    """The site with what is given; the rest is asked at a terminal, with what is known as default."""
    known = replace(site, **given)  # type: ignore[arg-type]
    missing = [entry for entry in ASKED if entry[0] not in given and getattr(site, entry[0]) == getattr(Site(), entry[0])]
    if sys.stdin.isatty() and not given:
        for name, flag, question in ASKED:
            unknown = (name, flag, question) in missing
            default = getattr(known, name) if not unknown or name not in {*WHERE, *_own_words(known)} else _own_words(known).get(name)
            known = replace(known, **{name: typer.prompt(question, default=default, value_proc=_checked(known, name))})
        return known
    needed = [f"--{flag}" for name, flag, _ in missing if name in ("authority", "organisation", "contact_email")]
    if needed:
        raise UsageError(f"{', '.join(needed)} must be given.", hint="At a terminal, without any flag, all is asked.")
    defaults = {name: text for name, _, _ in missing if (text := _own_words(known).get(name))}
    return replace(known, **defaults)  # type: ignore[arg-type]


def _checked(site: Site, name: str) -> Callable[[str], str]:
    """What takes an answer: one that would be refused is asked again, with the reason."""

    def take(text: str) -> str:
        after = replace(site, is_example=False, **{name: text.strip()})  # type: ignore[arg-type]
        for fault in identity_findings(after):
            if fault.where == WHERE.get(name):
                raise typer.BadParameter(fault.what)
        return text.strip()

    return take


def _own_words(site: Site) -> dict[str, str]:
    """What the example says of itself, in words that fit a real publisher."""
    return {"title": f"{site.organisation} data centre", "description": f"Data published by {site.organisation}."}


@app.command()
def check(
    config: ConfigFile = None, data_dir: DataDir = None, url: Url = None, schemata: Schemata = SCHEMATA, thesaurus: Thesaurus = None
) -> None:
    """Look at everything that a full registry looks at before it takes this one; exit status 1 if there is something to mend."""
    settings = settings_from(config, data_dir=data_dir)
    documents: list[bytes] = []
    terms = find_terms(thesaurus, settings.thesaurus)
    if terms is None:
        say(f"Subjects were looked at only as words: the thesaurus could not be fetched from {ADDRESS} (--thesaurus names a file).")
    if url is not None:
        findings = list(registry_findings(_web(url), documents.append, terms))
    else:
        refuse_nothing(settings)
        with _opened(settings) as (settings, _, connection):
            site = load_site(connection)
            findings = [
                *site_findings(site, settings.base_url),
                *registry_findings(_stored(settings, site, connection), documents.append, terms),
            ]
    lists = [document for document in documents if any(mark in document for mark in LISTS)]
    findings += _schema_findings(lists, schemata)
    for finding in findings:
        print(finding)
    if findings:
        say(f"{len(findings)} to mend; {len(documents)} answers were looked at.")
        raise typer.Exit(1)
    print(f"{len(documents)} answers were looked at, and nothing is to be mended.")
    where = url or f"{settings.base_url}/oai"
    say(f"Enrol {where} at https://rofr.ivoa.net/.")


@app.command()
def show(identifier: Identifier, prefix: Prefix = "ivo_vor", config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Print a record as harvesters get it."""
    if prefix not in ("ivo_vor", "oai_dc"):
        raise UsageError(f"There is no format {prefix!r}.", hint="Formats are ivo_vor and oai_dc.")
    metadata: Metadata = "oai_dc" if prefix == "oai_dc" else "ivo_vor"
    settings = settings_from(config, data_dir=data_dir)
    refuse_nothing(settings)
    with _opened(settings) as (_, __, connection):
        name = _full(identifier, load_site(connection))
        record = find_record(connection, name, metadata)
        if record is None:
            raise NotFoundError(f"There is no record {name}.", hint=_nearest(identifier, all_identifiers(connection)))
    if record.deleted or record.metadata is None:
        print(f"{record.identifier} was deleted at {record.datestamp:%Y-%m-%dT%H:%M:%SZ}")
        return
    print("".join(_lines(record.metadata)), end="")


@app.command()
def diff(identifier: SomeIdentifier = None, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Compare the records that harvesters get with those that would be rendered now; exit status 1 if they differ."""
    settings = settings_from(config, data_dir=data_dir)
    refuse_nothing(settings)
    with _opened(settings) as (settings, _, connection):
        wanted = None if identifier is None else _full(identifier, load_site(connection)).lower()
        now = {name: one for name, one in render_records(settings, connection).items() if wanted in (None, name.lower())}
        alive = [name for name in all_identifiers(connection) if wanted in (None, name.lower())]
        lines = [line for name in sorted({*now, *alive}) for line in _difference(connection, name, now.get(name))]
    sys.stdout.writelines(lines)
    if lines:
        raise typer.Exit(1)


def _difference(connection: Connection, name: str, now: Rendered | None) -> Iterator[str]:
    stored = find_record(connection, name, "ivo_vor")
    old = stored.metadata if stored is not None else None
    before = [] if old is None else _lines(old)
    after = [] if now is None else _lines(now.ivo_vor if old is None else now.like(old))
    yield from difflib.unified_diff(before, after, f"{name} (harvested)", f"{name} (now)")


def _lines(record: str) -> list[str]:
    root = parse(record)
    etree.indent(root)
    return [f"{line}\n" for line in etree.tostring(root, encoding="unicode").splitlines()]


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Settings, Database, Connection]]:
    with ready_database(settings) as database, database.engine.connect() as connection:
        yield at_its_address(settings, database), database, connection


def _full(identifier: str, site: Site) -> str:
    return identifier if identifier.lower().startswith("ivo://") else site.ivoid(identifier.strip("/"))


def _nearest(word: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(word.lower(), [name.lower() for name in names], 3, 0.3)
    return f"Near it are {', '.join(near)}." if near else f"There are {len(names)} records."


def _stored(settings: Settings, site: Site, connection: Connection) -> Ask:
    described = repository(settings, site, utc_now())
    return lambda pairs: answer(pairs, described, DatabaseStore(connection))


def _web(url: str) -> Ask:
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url!r} is not an address on the web.")

    def ask(pairs: Sequence[tuple[str, str]]) -> bytes:
        with urllib.request.urlopen(f"{url.rstrip('?')}?{urlencode(pairs)}", timeout=SECONDS) as reply:  # noqa: S310 — checked above
            document: bytes = reply.read()
            return document

    return ask


def _schema_findings(documents: Sequence[bytes], schemata: Path) -> Iterator[Finding]:
    """What breaks the schemas, if STILTS and they are there to tell."""
    if shutil.which("stilts") is None or not schemata.is_dir():
        say("The schemas were not looked at: that needs STILTS and the schemas (Debian: stilts, python3-gavo).")
        return
    known = [f"schemaloc={space}={schemata / name}.xsd" for space, name in SCHEMA_FILES.items()]
    with tempfile.TemporaryDirectory() as folder:
        for number, document in enumerate(documents):
            file = Path(folder, f"{number}.xml")
            file.write_bytes(document)
            command = ["stilts", "xsdvalidate", "uselocals=true", *known, f"doc={file}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            for line in (done.stdout + done.stderr).splitlines():
                if line.startswith(("ERROR", "FATAL")):
                    yield Finding(f"answer {number}", line, "")
