"""``vo publish-images`` and its relatives: directories of observations for searches by position, time and energy."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.prompt import Prompt

from vo_server.app import record_keeper
from vo_server.cli.common import ConfigFile, DataDir, at_its_address, console, ready_database, say, settings_from
from vo_server.db.database import Database
from vo_server.errors import UsageError
from vo_server.formats.readers.infer import fold
from vo_server.observations import alerts, catalogues, eventtables, images, skymaps, spectra, spectrumfiles
from vo_server.observations.collections import Collection, PublishedCollection, Work, missing, with_own_schema
from vo_server.observations.descriptor import SpectrumSection, read_collection
from vo_server.observations.reading import Watcher
from vo_server.observations.words import Said, checked
from vo_server.publish.datasets import Dataset
from vo_server.settings import Settings

Source = Annotated[
    Path, typer.Argument(help="Directory; files in folders below it count too. Or a TOML descriptor of a collection.", metavar="DIR")
]
Name = Annotated[str | None, typer.Option("--collection", help="Name of the collection, which becomes just these files.")]
Title = Annotated[str | None, typer.Option("--title", help="Title in the registry.")]
Description = Annotated[str | None, typer.Option("--description", help="Description in the registry.")]
Values = Annotated[
    list[str] | None, typer.Option("--set", help="An ObsCore column where files do not say it, as NAME=VALUE; may be repeated.")
]
Band = Annotated[str | None, typer.Option("--band", help='Energies, frequencies or wavelengths: "100 GeV..10 TeV".')]
Time = Annotated[str | None, typer.Option("--time", help="First and last day: 2008-08-04..2015-08-02.")]
ReleaseDate = Annotated[
    str | None, typer.Option("--release-date", help="Until this day everybody sees what there is, and nobody gets the files.")
]
Messenger = Annotated[
    str | None, typer.Option("--messenger", help="What a catalogue of events holds: photon, neutrino, cosmic-ray, muon, proton.")
]
Axis = Annotated[str | None, typer.Option("--axis", help="Column with wavelengths, frequencies or energies, if not told by its name.")]
AxisUnit = Annotated[str | None, typer.Option("--axis-unit", help="Unit of that column, or of a WCS without one: Angstrom.")]
Flux = Annotated[str | None, typer.Option("--flux", help="Column with fluxes, if not told by its name.")]
NoPreviews = Annotated[bool, typer.Option("--no-previews", help="Draw no pictures.")]
Processes = Annotated[int | None, typer.Option("--processes", help="Processes that read files and draw; default: one a core.", min=1)]

SHOWN = 20
"""So many reasons why files were skipped are shown, and then how many more there are."""


def publish_images(
    directory: Source,
    collection: Name = None,
    title: Title = None,
    description: Description = None,
    values: Values = None,
    band: Band = None,
    time: Time = None,
    release_date: ReleaseDate = None,
    no_previews: NoPreviews = False,
    processes: Processes = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Publish FITS images and cubes: found by SIA and ObsTAP, fetched from where they are. The same name again replaces."""
    said = flags(values, band, time, release_date)
    asked = replace_texts(described(directory, collection, said), title, description)
    done, base_url = run(images.publish_images, asked, "images", config, data_dir, no_previews=no_previews, processes=processes)
    tell(done, ("image", "images"), f"{base_url}/sia2/query?COLLECTION={quote(done.collection)}")


def publish_skymaps(
    directory: Source,
    collection: Name = None,
    title: Title = None,
    description: Description = None,
    values: Values = None,
    time: Time = None,
    release_date: ReleaseDate = None,
    no_previews: NoPreviews = False,
    processes: Processes = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Publish HEALPix sky maps, of one resolution or of many, with the areas that hold 50 and 90 % of the probability in
    ivoa.skymap_areas. The same name again replaces.
    """
    asked = replace_texts(described(directory, collection, flags(values, None, time, release_date)), title, description)
    done, base_url = run(skymaps.publish_skymaps, asked, "sky maps", config, data_dir, no_previews=no_previews, processes=processes)
    tell(done, ("sky map", "sky maps"), f"{base_url}/tap   SELECT * FROM ivoa.skymap_areas")  # noqa: S608 — for people to read


def publish_events(
    directory: Source,
    collection: Name = None,
    title: Title = None,
    description: Description = None,
    values: Values = None,
    release_date: ReleaseDate = None,
    no_previews: NoPreviews = False,
    processes: Processes = None,
    messenger: Messenger = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Publish event lists (DL3, GADF): an ObsCore row and links to its response functions for each observation, tables of all events
    and of the observations. A single file of another format is a catalogue of events, and one dataset. The same name again replaces.
    """
    if directory.is_file() and directory.suffix.lower() != ".toml":
        if collection is None:
            raise UsageError("--collection names what the file becomes, and is missing.")
        place = settings_from(config, data_dir=data_dir).data_dir.resolve() / "datasets" / fold(collection)
        alone = Collection(name=collection, directory=place, said=Said(flags(values, None, None, release_date)))
        alone = with_own_schema(replace_texts(alone, title, description))

        def publish(database: Database, asked: Collection, work: Work) -> PublishedCollection:
            return catalogues.publish_event_catalogue(database, asked, directory, messenger or "photon", work)

        done, base_url = run(publish, alone, "events", config, data_dir, no_previews=True)
        tell(done, ("event list", "event lists"), f"{base_url}/tap   SELECT TOP 10 * FROM {alone.schema_name}.events")  # noqa: S608 — for people to read
        return
    if messenger is not None:
        raise UsageError("--messenger is for catalogues of events: files in GADF hold photons.")
    asked = replace_texts(described(directory, collection, flags(values, None, None, release_date)), title, description)
    asked = with_own_schema(asked)
    done, base_url = run(eventtables.publish_events, asked, "events", config, data_dir, no_previews=no_previews, processes=processes)
    tell(done, ("observation", "observations"), f"{base_url}/tap   SELECT TOP 10 * FROM {asked.schema_name}.events")  # noqa: S608 — for people to read


def publish_alerts(
    directory: Source,
    collection: Name = None,
    title: Title = None,
    description: Description = None,
    values: Values = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Publish alerts, as packets of VOEvent: a dataset each in ObsCore, and tables of the alerts, their parameters and what supersedes
    what. The same name again replaces.
    """
    asked = replace_texts(described(directory, collection, flags(values, None, None, None)), title, description)
    asked = with_own_schema(asked)
    done, base_url = run(alerts.publish_alerts, asked, "alerts", config, data_dir, no_previews=True)
    tell(done, ("alert", "alerts"), f"{base_url}/tap   SELECT * FROM {asked.schema_name}.alerts WHERE superseded_by IS NULL")  # noqa: S608 — for people


def publish_spectra(
    source: Annotated[
        Path,
        typer.Argument(
            help="Directory of FITS spectra, a TOML descriptor of one, or a catalogue of Fermi-LAT sources (4FGL) as FITS.",
            metavar="SOURCE",
            exists=True,
        ),
    ],
    collection: Name = None,
    title: Title = None,
    description: Description = None,
    values: Values = None,
    time: Time = None,
    release_date: ReleaseDate = None,
    axis: Axis = None,
    axis_unit: AxisUnit = None,
    flux: Flux = None,
    no_previews: NoPreviews = False,
    processes: Processes = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Publish FITS spectra, tables or one-dimensional images, or the spectral energy distribution of each source of a catalogue with
    fluxes in bands, whose files are written below the data directory. SSAP and ObsTAP find them. The same name again replaces.
    """
    if source.is_dir() or source.suffix.lower() == ".toml":
        said = read_collection(source).spectrum if source.is_file() else SpectrumSection.model_validate({})
        given = {"axis": axis, "axis_unit": axis_unit, "flux": flux}
        section = said.model_copy(update={name: text for name, text in given.items() if text is not None})
        here = replace_texts(described(source, collection, flags(values, None, time, release_date)), title, description)

        def publish_files(database: Database, asked: Collection, work: Work) -> PublishedCollection:
            return spectrumfiles.publish_spectrum_files(database, asked, work, section)

        done, base_url = run(publish_files, here, "spectra", config, data_dir, no_previews=no_previews, processes=processes)
        tell(done, ("spectrum", "spectra"), f"{base_url}/ssa?REQUEST=queryData&COLLECTION={quote(done.collection)}")
        return
    if collection is None:
        raise UsageError("--collection names what the spectra become, and is missing.")
    found = spectra.read_lat_catalogue(source)
    directory = settings_from(config, data_dir=data_dir).data_dir.resolve() / "datasets" / fold(collection)
    asked = Collection(name=collection, directory=directory, said=Said(flags(values, None, None, release_date)))
    asked = replace_texts(asked, title, description)

    def publish(database: Database, collection: Collection, work: Work) -> PublishedCollection:
        return spectra.publish_spectra(database, collection, work, found)

    done, base_url = run(publish, asked, "spectra", config, data_dir, no_previews=no_previews, processes=processes)
    tell(done, ("spectrum", "spectra"), f"{base_url}/ssa?REQUEST=queryData&POS=…&SIZE=…")


def flags(values: Sequence[str] | None, band: str | None, time: str | None, release_date: str | None) -> dict[str, Any]:
    """ObsCore columns that the command line gives. UsageError names what does not fit."""
    pairs: dict[str, Any] = {}
    for text in values or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: write NAME=VALUE.")
        pairs[name.strip()] = value.strip()
    given = {"band": band, "time": time, "obs_release_date": release_date}
    return checked(pairs | {name: value for name, value in given.items() if value is not None}, "command line")


def described(source: Path, name: str | None, said: Mapping[str, Any]) -> Collection:
    """The collection of a directory, or the one that a descriptor describes; flags come before it."""
    if source.suffix.lower() != ".toml":
        if name is None:
            raise UsageError("--collection names what the files become, and is missing.")
        return Collection(name=name, directory=source, said=Said(said))
    descriptor = read_collection(source)
    told = descriptor.said(source.name)
    return Collection(
        name=name or descriptor.collection.name,
        directory=source.parent / descriptor.collection.source,
        said=replace(told, defaults={**told.defaults, **said}),
        resource=descriptor.resource,
    )


def replace_texts(collection: Collection, title: str | None, description: str | None) -> Collection:
    """The collection under this title and description, where they are given."""
    return replace(collection, title=title or collection.title, description=description or collection.description)


def run(
    publish: Callable[[Database, Collection, Work], PublishedCollection],
    collection: Collection,
    what: str,
    config: Path | None,
    data_dir: Path | None,
    *,
    no_previews: bool = False,
    processes: int | None = None,
) -> tuple[PublishedCollection, str]:
    """Publish a collection of `what`, with a progress bar; what came of it, and the public address."""
    settings = settings_from(config, data_dir=data_dir)
    with ready_database(settings) as database:
        settings = at_its_address(settings, database)
        try:
            with watched(what) as watch:
                work = work_of(settings, watch, previews=not no_previews, processes=processes)
                done = publish(database, collection, work)
        except KeyboardInterrupt:
            say(f"Interrupted. The collection {collection.name} was not published: nothing was changed.")
            raise
    return done, settings.base_url


def work_of(settings: Settings, watch: Watcher, *, previews: bool, processes: int | None) -> Work:
    """How collections are published from the command line."""
    return Work(
        records=record_keeper(settings),
        previews=settings.previews if previews else None,
        processes=processes or os.cpu_count() or 1,
        watch=watch,
        ask=ask if sys.stdin.isatty() and console.is_terminal else lambda _datasets: {},
    )


def ask(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Ask once for what neither files nor flags say; an empty answer leaves it open."""
    answers: dict[str, Any] = {}
    for word, question, count in missing(datasets):
        while text := Prompt.ask(
            f"{question} ({count:,} of {len(datasets):,} do not say; Enter: unknown)", console=console, default=""
        ).strip():
            try:
                answers |= checked({word: text}, "answer")
                break
            except UsageError as error:
                say(str(error))
    return answers


def tell(done: PublishedCollection, what: tuple[str, str], address: str) -> None:
    """What was published, what was not and why; `what` is the word for one, and for several."""
    for path, reason in done.skipped[:SHOWN]:
        say(f"Skipped {path}: {reason}.")
    if len(done.skipped) > SHOWN:
        say(f"Skipped {len(done.skipped) - SHOWN:,} more.")
    for note in done.notes:
        say(f"  {note}")
    files = "file" if done.files == 1 else "files"
    print(f"{done.collection}: {done.published:,} {what[done.published != 1]} of {done.files:,} {files} published")
    print(f"  {address}")


@contextmanager
def watched(what: str) -> Iterator[Watcher]:
    """A bar that counts files, on stderr; gone when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"Reading {what}", total=None)

        def watch(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            if done == total:
                bar.stop()  # questions come next

        yield watch
