"""Catalogues with fluxes in bands → the spectral energy distribution of each source: VOTables in the words of the Spectrum DM 1.1."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow
from astropy import units as u
from astropy.io import fits

from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.formats import choose
from vo_server.model.columns import Column
from vo_server.model.media import PNG, VOTABLE
from vo_server.model.result import Ending, Info, Outcome, TableHead
from vo_server.model.service import ServiceParam
from vo_server.observations.collections import LEAST_RADIUS_DEG, Collection, PublishedCollection, Work, completed, store, unique_ids
from vo_server.observations.energies import band
from vo_server.observations.headers import read_times
from vo_server.observations.previews import draw_curve, write
from vo_server.observations.reading import in_processes, kilobytes
from vo_server.observations.stage import staged
from vo_server.publish.datasets import Dataset, Link
from vo_server.query.origin import SOFTWARE

SED_UNIT = u.Unit("MeV cm-2 s-1")
UNSAFE = re.compile(r"[^A-Za-z0-9.+-]")
"""What of a source's name is not in its file's; signs are, since declinations have them."""

SHARE = 200
"""So many sources a process takes at a time; fewer are done here, as other processes take longer to begin."""

COLUMNS = (
    Column(
        "energy", "double", unit="MeV", ucd="em.energy", utype="spec:Spectrum.Data.SpectralAxis.Value", description="Middle of the band"
    ),
    Column(
        "energy_min",
        "double",
        unit="MeV",
        ucd="em.energy;stat.min",
        utype="spec:Spectrum.Data.SpectralAxis.Accuracy.BinLow",
        description="Lower end of the band",
    ),
    Column(
        "energy_max",
        "double",
        unit="MeV",
        ucd="em.energy;stat.max",
        utype="spec:Spectrum.Data.SpectralAxis.Accuracy.BinHigh",
        description="Upper end of the band",
    ),
    Column(
        "nufnu",
        "double",
        unit="MeV.cm**-2.s**-1",
        ucd="phot.flux.density;em.gamma",
        utype="spec:Spectrum.Data.FluxAxis.Value",
        description="Spectral energy distribution; where only an upper limit is known, the best fit",
    ),
    Column(
        "nufnu_err_low",
        "double",
        unit="MeV.cm**-2.s**-1",
        ucd="stat.error;phot.flux.density",
        utype="spec:Spectrum.Data.FluxAxis.Accuracy.StatErrLow",
        description="Error downwards, 1 sigma; null: the value is compatible with nothing",
    ),
    Column(
        "nufnu_err_high",
        "double",
        unit="MeV.cm**-2.s**-1",
        ucd="stat.error;phot.flux.density",
        utype="spec:Spectrum.Data.FluxAxis.Accuracy.StatErrHigh",
        description="Error upwards, 1 sigma",
    ),
)


@dataclass(frozen=True, slots=True)
class Distribution:
    """The spectral energy distribution of a source: ICRS degrees, MeV, MeV cm⁻² s⁻¹; ``points`` are rows of COLUMNS."""

    name: str
    ra: float
    dec: float
    points: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Distributions:
    """Those of a catalogue, and what is true of all of them: ObsCore's times, facility and instrument."""

    sources: tuple[Distribution, ...]
    times: dict[str, float]
    facility: str | None = None
    instrument: str | None = None


def publish_spectra(database: Database, collection: Collection, work: Work, found: Distributions) -> PublishedCollection:
    """Make the spectra of the sources the whole of the collection; their files are written below its directory."""
    collection.directory.mkdir(parents=True, exist_ok=True)
    named = list(zip(file_names([source.name for source in found.sources]), found.sources, strict=True))
    shares = [named[start : start + SHARE] for start in range(0, len(named), SHARE)]
    made: dict[str, Dataset] = {}
    with staged(database, work.previews, collection.name) as stage:
        make = partial(_made, directory=collection.directory, stage=stage, found=replace(found, sources=()))
        for share in in_processes(make, shares, work.processes if len(shares) > 1 else 1):
            made.update((dataset.path, dataset) for dataset in share)
            work.watch(len(made), len(named))
        datasets = completed(unique_ids([made[path] for path, _ in named]), collection, work)
        with database.engine.begin() as connection:
            store(connection, collection, datasets, {}, work)
    return PublishedCollection(collection.name, len(datasets), (), files=1)


def _made(share: Sequence[tuple[str, Distribution]], directory: Path, stage: Path | None, found: Distributions) -> list[Dataset]:
    """The datasets of some of the sources, their files and pictures written under these names."""
    datasets = []
    for path, source in share:
        content = votable(source)
        file = directory / path
        if not file.exists() or file.read_bytes() != content:
            beside = file.with_name(f".{path}")
            beside.write_bytes(content)
            beside.replace(file)
        datasets.append(replace(_dataset(source, path, len(content), found), links=_preview(source, path, stage)))
    return datasets


def _preview(source: Distribution, path: str, stage: Path | None) -> tuple[Link, ...]:
    if stage is None:
        return ()
    energies, values = (np.array([point[place] for point in source.points], np.float64) for place in (0, 3))
    picture = draw_curve(energies, values, "energy (MeV)", f"nuFnu ({SED_UNIT})")
    length = write(picture, stage / f"{path}.png")
    link = Link(semantics="#preview", path=f"{path}.png", content_type=PNG, content_length=length, description="Picture of the spectrum")
    return (link,)


def file_names(names: Sequence[str]) -> list[str]:
    """A name for the file of each source, no two the same on any file system."""
    uses: Counter[str] = Counter()
    found = []
    for name in names:
        plain = UNSAFE.sub("_", name).lstrip(".")
        uses[plain.lower()] += 1
        count = uses[plain.lower()]
        found.append(f"{plain}.vot" if count == 1 else f"{plain}~{count}.vot")
    return found


def _dataset(source: Distribution, path: str, length: int, found: Distributions) -> Dataset:
    ends = [value for point in source.points for value in point[1:3] if value is not None]
    return Dataset(
        path=path,
        obs_id=source.name,
        access_format=VOTABLE,
        access_estsize=kilobytes(length),
        dataproduct_type="sed",
        calib_level=4,
        obs_title=f"Spectral energy distribution of {source.name}",
        target_name=source.name,
        s_ra=source.ra,
        s_dec=source.dec,
        s_fov=2 * LEAST_RADIUS_DEG,
        shape=(source.ra, source.dec, LEAST_RADIUS_DEG),
        em_xel=len(source.points),
        o_ucd="phot.flux.density;em.gamma",
        facility_name=found.facility,
        instrument_name=found.instrument,
        **band(ends, u.MeV),  # type: ignore[arg-type]
        **found.times,  # type: ignore[arg-type]
    )


def votable(source: Distribution) -> bytes:
    """The spectrum as a VOTable (Spectrum data model 1.1 §5)."""
    form, _ = choose("votable/td")
    params = (
        ServiceParam("DataModel", value="Spectrum-1.1", utype="spec:Spectrum.DataModel", description="Data model and version"),
        ServiceParam("Target", value=source.name, utype="spec:Spectrum.Target.Name", ucd="meta.id;src"),
        ServiceParam(
            "TargetPos",
            datatype="double",
            arraysize="2",
            value=f"{source.ra!r} {source.dec!r}",
            unit="deg",
            ucd="pos.eq",
            utype="spec:Spectrum.Target.Pos",
            description="ICRS position of the source",
        ),
        ServiceParam("Type", value="photometry", utype="spec:Spectrum.Type"),
    )
    about = f"Spectral energy distribution of {source.name}, from its fluxes in bands"
    head = TableHead(COLUMNS, (Info("server_software", SOFTWARE),), "spectrum", about, params=params)
    arrays = [pyarrow.array(values, pyarrow.float64()) for values in zip(*source.points, strict=True)]
    batch = pyarrow.RecordBatch.from_arrays(arrays, [column.name for column in COLUMNS])
    writer = form.writer(head)
    return b"".join((writer.head(), writer.rows(batch), *writer.tail(Outcome(Ending.COMPLETE, batch.num_rows))))


def read_lat_catalogue(path: Path) -> Distributions:
    """The distributions in a catalogue of Fermi-LAT sources (4FGL and its releases): Flux_Band, Unc_Flux_Band, nuFnu_Band, EnergyBounds.

    DataError names what is missing.
    """
    try:
        with fits.open(path) as hdus:
            table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and "Flux_Band" in hdu.columns.names), None)
            bounds = next((hdu for hdu in hdus if hdu.name.upper() == "ENERGYBOUNDS"), None)
            if table is None or bounds is None:
                raise DataError(
                    "it has no fluxes in bands.",
                    source=path.name,
                    hint="A catalogue of Fermi-LAT sources has the column Flux_Band and the extension EnergyBounds.",
                )
            bands = sorted({(float(row["LowerEnergy"]), float(row["UpperEnergy"])) for row in bounds.data})
            rows = table.data
            if len(bands) != np.asarray(rows["Flux_Band"]).reshape(len(rows), -1).shape[1]:
                raise DataError(f"EnergyBounds has {len(bands)} bands, and Flux_Band another number of fluxes.", source=path.name)
            factor = u.Unit(table.columns["nuFnu_Band"].unit).to(SED_UNIT)
            names, positions = rows["Source_Name"].tolist(), zip(rows["RAJ2000"].tolist(), rows["DEJ2000"].tolist(), strict=True)
            errors = np.asarray(rows["Unc_Flux_Band"], np.float64).reshape(len(rows), -1, 2)
            fluxes = zip(rows["Flux_Band"].tolist(), errors.tolist(), rows["nuFnu_Band"].tolist(), strict=True)
            sources = tuple(
                Distribution(str(name).strip(), float(ra), float(dec), tuple(_points(bands, *measured, factor)))
                for name, (ra, dec), measured in zip(names, positions, fluxes, strict=True)
            )
            return Distributions(sources, read_times(table.header), "Fermi", "LAT")
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"it could not be read as a catalogue ({error}).", source=path.name) from None


def _points(
    bands: Sequence[tuple[float, float]], fluxes: Sequence[float], errors: Sequence[Sequence[float]], values: Sequence[float], factor: float
) -> Iterator[tuple[float | None, ...]]:
    """Rows of COLUMNS, `errors` being down and up. Errors of the flux are scaled to νFν, as both have the same relative errors; where the
    best flux is all but nothing, by what the band's width alone says (a photon index of 2).
    """
    for (low, high), flux, error, value in zip(bands, fluxes, errors, values, strict=True):
        middle = math.sqrt(low * high)
        scale = value * factor / flux if flux > 0 and value > 0 else low * high / (high - low)
        yield (middle, low, high, value * factor, *(_size(part * scale) for part in error))


def _size(error: float) -> float | None:
    return abs(error) if math.isfinite(error) else None
