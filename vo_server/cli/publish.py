"""``vo publish``: files → tables, services and records."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from vo_registry.subjects import find_terms
from vo_server.app import record_keeper
from vo_server.cli.common import ConfigFile, DataDir, at_its_address, console, ready_database, say, settings_from
from vo_server.db.catalogue import forget_fingerprint, read_fingerprint
from vo_server.db.database import Database
from vo_server.errors import DataError, EmbargoError, NotFoundError, UsageError
from vo_server.formats.readers.infer import fold
from vo_server.publish import Consent, Published, PublishOptions, RecordRenderer, Rehearsal, publish_file, publish_in_place, rehearse, sweep
from vo_server.publish.check import subject_notes
from vo_server.publish.descriptor import Descriptor, entries, read_descriptor

Files = Annotated[
    list[Path], typer.Argument(help="FITS, VOTable, ECSV, CSV, TSV, Parquet, HDF5 or ROOT files, or TOML descriptors.", metavar="FILE…")
]
SchemaName = Annotated[str | None, typer.Option("--schema", help="Schema of the table; default: data.")]
TableName = Annotated[str | None, typer.Option("--table", help="Name of the table; default: the file's, folded.")]
Part = Annotated[
    str | None, typer.Option("--part", help="Which of the file's tables (EXTNAME, VOTable name, path in HDF5 or ROOT); default: the first.")
]
Ra = Annotated[str | None, typer.Option("--ra", help="Column of right ascensions (ICRS degrees).")]
Dec = Annotated[str | None, typer.Option("--dec", help="Column of declinations (ICRS degrees).")]
NoPosition = Annotated[bool, typer.Option("--no-position", help="The table has no positions, whatever it looks like.")]
Title = Annotated[str | None, typer.Option("--title", help="Title in the registry.")]
Description = Annotated[str | None, typer.Option("--description", help="Description in the registry.")]
Nulls = Annotated[
    list[str] | None, typer.Option("--null", help="A spelling of missing values in CSV and TSV, such as None; may be repeated.")
]
InPlace = Annotated[
    bool,
    typer.Option("--in-place", help="Publish tables or views that are in the database already: FILE is schema.table, or a descriptor."),
]
Index = Annotated[bool, typer.Option("--index", help="With --in-place: create the index for searches by position.")]
Grant = Annotated[bool, typer.Option("--grant", help="With --in-place: give users' queries the right to read the table.")]
Reload = Annotated[bool, typer.Option("--reload", help="Load the rows again, even if the file has not changed since they were loaded.")]
Append = Annotated[bool, typer.Option("--append", help="Add the rows to those of the table that is there, which has the same columns.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be published, and read all rows; change nothing.")]
AllTables = Annotated[bool, typer.Option("--all", help="Publish the file's other tables too, as <table>_<name>.")]


def publish(
    files: Files,
    schema: SchemaName = None,
    table: TableName = None,
    part: Part = None,
    ra: Ra = None,
    dec: Dec = None,
    no_position: NoPosition = False,
    title: Title = None,
    description: Description = None,
    nulls: Nulls = None,
    all_tables: AllTables = False,
    in_place: InPlace = False,
    index: Index = False,
    grant: Grant = False,
    reload: Reload = False,
    append: Append = False,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Publish files: tables in TAP, a cone search for each table with positions, a registry record. The same name again replaces."""
    if len(files) > 1 and (table or part):
        raise UsageError("--table and --part name one table, and there are several files.", hint="Publish them one by one.")
    if all_tables and part:
        raise UsageError("--all and --part exclude each other.")
    if (index or grant) and not in_place:
        raise UsageError("--index and --grant belong to --in-place.")
    if append and (reload or in_place):
        raise UsageError("--append goes neither with --reload nor with --in-place.")
    settings = settings_from(config, data_dir=data_dir)
    options = PublishOptions(
        schema=schema,
        table=table,
        part=part,
        ra=ra,
        dec=dec,
        title=title,
        description=description,
        nulls=tuple(nulls or ()),
        position=not no_position,
        reload=reload,
        append=append,
        partition_rows=settings.partition_rows,
    )
    if dry_run:
        _refuse_unpublished(_one_by_one(files, partial(_rehearse_all, options=options, every=all_tables)))
        return
    with ready_database(settings) as database:
        settings = at_its_address(settings, database)
        records = record_keeper(settings)
        terms = find_terms(None, settings.thesaurus, fetch=False)

        def publish_all(file: Path) -> list[str]:
            failed: list[str] = []
            descriptor = _descriptor(file)
            for mine in _tables(descriptor, options):
                try:
                    if in_place:
                        _tell(publish_in_place(database, str(file), mine, Consent(index, grant), records=records), settings.base_url)
                    else:
                        with _records_at_the_end(database, records) if all_tables else nullcontext(records) as renderer:
                            failed += _with_others(file, mine, partial(_run, database, renderer, settings.base_url), every=all_tables)
                except EmbargoError as error:
                    say(f"  {error.message} It was not published.")
            for note in subject_notes(descriptor, terms) if descriptor else ():
                say(f"  subjects: {note}")
            return failed

        failed = _one_by_one(files, publish_all)
        sweep(database)
    _refuse_unpublished(failed)


def _one_by_one(files: Sequence[Path], run: Callable[[Path], list[str]]) -> list[str]:
    """`run` of each file, which gives the names of what it could not publish: all these names. What is wrong with one of several files is
    said, and leaves the others alone.
    """
    failed: list[str] = []
    for file in files:
        try:
            failed += run(file)
        except (UsageError, NotFoundError) as error:
            if len(files) == 1:
                raise
            say(f"  {file} was not published: {error}")
            failed.append(str(file))
    return failed


def _descriptor(file: Path) -> Descriptor | None:
    return read_descriptor(file) if file.suffix.lower() == ".toml" else None


def _tables(descriptor: Descriptor | None, options: PublishOptions) -> Iterator[PublishOptions]:
    """The tables to publish: each of a descriptor's, or the first of a data file."""
    for entry in range(len(entries(descriptor)) if descriptor else 1):
        yield replace(options, entry=entry)


def _refuse_unpublished(names: Sequence[str]) -> None:
    """UsageError, and so the exit status, if some files, or some tables of a file, could not be published."""
    if names:
        raise UsageError(f"{', '.join(names)} {'was' if len(names) == 1 else 'were'} not published, for the reasons above.")


def _rehearse_all(file: Path, options: PublishOptions, *, every: bool) -> list[str]:
    """Names of what could not be published."""
    return [name for mine in _tables(_descriptor(file), options) for name in _with_others(file, mine, _rehearse, every=every)]


def _rehearse(file: Path, options: PublishOptions) -> Rehearsal:
    """All that can be said without a database: the plan, and the first fault among the rows, if there is one."""
    with _progress(file.name) as report:
        rehearsal = rehearse(file, options, report)
    for note in rehearsal.notes:
        say(f"  {note}")
    print(f"{rehearsal.table}: {rehearsal.rows:,} rows would be published, with these columns:")
    for column in rehearsal.columns:
        said = ", ".join(filter(None, (column.unit, column.ucd, column.description)))
        print(f"  {column.name}  {column.sql_type}" + (f"  {said}" if said else ""))
    return rehearsal


def _with_others(
    file: Path, options: PublishOptions, run: Callable[[Path, PublishOptions], Published | Rehearsal], *, every: bool
) -> list[str]:
    """`run` of the file's table, and of the others that it holds if `every` is wanted; those of them for which it fails are said, and
    given back.
    """
    first = run(file, options)
    others = first.source.other_tables if first.source else ()
    if others and not every:
        say(f"  {file.name} holds other tables: {', '.join(others)} (--all publishes them too, --part one of them)")
        return []
    schema, table = first.table.split(".")
    parts: dict[str, str] = {}
    failed = []
    common = replace(options, schema=schema, resource=first.resource.split("/")[1], beside=first.source, ra=None, dec=None)
    for part in others:
        name = f"{table}_{fold(part)}"
        more = replace(common, table=name, part=part)
        try:
            if (twin := parts.setdefault(name, part)) != part:
                raise DataError(f"{twin} is called {schema}.{name} already.", hint=f"Give it another name: --part {part} --table NAME.")
            run(file, more)
        except UsageError as error:
            say(f"  {part} was not published: {error}")
            failed.append(part)
    return failed


@contextmanager
def _records_at_the_end(database: Database, records: RecordRenderer) -> Iterator[RecordRenderer]:
    """What puts records off until the block ends, however it does: all tables of a file are said in one record, which would be rendered
    anew with each of them. If the program is killed before, whoever publishes or serves next renders them.
    """
    try:
        yield lambda connection, _resource=None: forget_fingerprint(connection)
    finally:
        with database.engine.begin() as connection:
            if read_fingerprint(connection) is None:
                records(connection)


def _run(database: Database, records: RecordRenderer, base_url: str, file: Path, options: PublishOptions) -> Published:
    try:
        with _progress(file.name) as report:
            published = publish_file(database, file, options, records=records, progress=report)
    except KeyboardInterrupt:
        say(f"Interrupted. {file.name} was not published: nothing was changed. The same command goes on from there.")
        raise
    _tell(published, base_url)
    return published


def _tell(published: Published, base_url: str) -> None:
    for note in published.notes:
        say(f"  {note}")
    done = "replaced what was there" if published.replaced else "published"
    print(f"{published.table}: {published.rows:,} rows {done if published.loaded else 'as they were, described anew'}")
    for address in _addresses(published, base_url):
        print(f"  {address}")


def _addresses(published: Published, base_url: str) -> list[str]:
    """Where to find it: for TAP clients, by position, as a page."""
    cone = [f"{base_url}/scs/{published.table}?RA=…&DEC=…&SR=…"] if published.positions else []
    query = f"{base_url}/tap   SELECT TOP 10 * FROM {published.table}"  # noqa: S608 — for people to read
    return [query, *cone, f"{base_url}/tables/{published.table}"]


@contextmanager
def _progress(name: str) -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar with the rate in rows a second, on stderr; gone when it is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,} rows, {task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"Reading {name}", total=None, rate="")

        def report(stage: str, rows: int, total: int | None) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, description=f"{stage} {name}", completed=rows, total=total, rate=f"{speed:,.0f} a second" if speed else "")

        yield report
