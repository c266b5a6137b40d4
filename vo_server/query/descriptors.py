"""The services that a dataset's identifier can be handed to: its links (DataLink 1.1) and cut-outs of it (SODA 1.0).

Results that carry such identifiers describe them once, for all rows; a links table describes cut-outs for each dataset, with its bounds.
"""

from collections.abc import Sequence
from dataclasses import replace

from vo_server.model.columns import Column
from vo_server.model.dataset import StoredDataset
from vo_server.model.media import FITS, FITS_TYPES
from vo_server.model.obscore import PUBLISHER_DID
from vo_server.model.resource import Site
from vo_server.model.service import ServiceDescriptor, ServiceParam

LINKS_ID = "ivo://ivoa.net/std/DataLink#links-1.1"
LINKS_PATH = "/datalink/links"
LINKS_TYPE = "application/x-votable+xml;content=datalink"
"""Exactly so: clients compare it letter by letter (PITFALLS P-100)."""

SODA_SYNC_ID = "ivo://ivoa.net/std/SODA#sync-1.0"
SODA_SYNC_PATH = "/soda/sync"

IMAGE, CUBE, EVENTS = "image", "cube", "event"
PIXELS = (IMAGE, CUBE)
"""Kinds of datasets (ObsCore's dataproduct_type) with pixels."""
PLANCK_LIGHT_EV = 1.239841984332002e-6
"""eV m: energy of a photon times its wavelength."""

WORD = (PUBLISHER_DID.utype or "").partition(":")[2]
"""utype of identifiers without its prefix: the Spectrum data model has the same words (SSA 1.1 §4.2.5.3)."""

DATASET = ServiceParam("ID", ucd="meta.ref.url;meta.curation", description="Publisher's identifier of the dataset")
POS = ServiceParam("POS", ucd="pos.outline;obs", description="Region to cut out: CIRCLE, RANGE or POLYGON and its numbers, ICRS degrees")
CIRCLE = ServiceParam(
    "CIRCLE", "double", "3", unit="deg", ucd="pos.outline;obs", xtype="circle", description="Circle that the cut-out shall cover, ICRS"
)
POLYGON = ServiceParam(
    "POLYGON", "double", "*", unit="deg", ucd="pos.outline;obs", xtype="polygon", description="Polygon that the cut-out shall cover, ICRS"
)
BAND = ServiceParam(
    "BAND", "double", "2", unit="m", ucd="em.wl;stat.interval", xtype="interval", description="Interval of wavelengths to keep"
)
TIME = ServiceParam(
    "TIME", "double", "2", unit="d", ucd="time.interval;obs.exposure", xtype="interval", description="Interval of times to keep, MJD in UTC"
)
POL = ServiceParam("POL", ucd="meta.code;phys.polarization", description="Polarisation states to keep; may be repeated")
ENERGY = ServiceParam(
    "ENERGY",
    "double",
    "2",
    unit="eV",
    ucd="em.energy;stat.interval",
    xtype="interval",
    description="Interval of energies of events to keep",
)
FILTERS = (POS, CIRCLE, POLYGON, BAND, TIME, POL)
"""What a cut-out can be asked for (SODA 1.0 §3.3), by name, unit and UCD as the standard has them."""


def links_descriptor(base_url: str, site: Site, identifier: ServiceParam) -> ServiceDescriptor:
    """The links of datasets; `identifier` says where the ID comes from."""
    return ServiceDescriptor(
        id="datalink",
        access_url=base_url + LINKS_PATH,
        params=(replace(identifier, name="ID", ucd="meta.id;meta.main"),),
        standard_id=LINKS_ID,
        resource_identifier=site.ivoid(LINKS_PATH.split("/")[1]),
        name="Links",
        description="All that belongs to a dataset: files, previews, calibration, cut-outs",
        content_type=LINKS_TYPE,
    )


def cutout_descriptor(
    base_url: str, site: Site, identifier: ServiceParam, filters: Sequence[ServiceParam] = FILTERS, number: int = 0
) -> ServiceDescriptor:
    """Cut-outs of datasets, synchronously. `number` tells the descriptors of one document apart."""
    return ServiceDescriptor(
        id=f"soda_sync_{number}" if number else "soda_sync",
        access_url=base_url + SODA_SYNC_PATH,
        params=(identifier, *filters),
        standard_id=SODA_SYNC_ID,
        resource_identifier=site.ivoid(SODA_SYNC_PATH.split("/")[1]),
        name=f"Cut-out {number}" if number else "Cut-out",
        description="A part of the dataset: a region, an interval of wavelengths or times, polarisation states",
        content_type=FITS,
    )


def is_cuttable(dataset: StoredDataset) -> bool:
    """Whether parts of a dataset can be had: of images, cubes and event lists in FITS files of ours."""
    in_fits = dataset.place is not None and dataset.content_type in FITS_TYPES
    return in_fits and (dataset.kind == EVENTS or (dataset.kind in PIXELS and dataset.pixels is not None))


def filters_of(dataset: StoredDataset) -> tuple[ServiceParam, ...]:
    """What a cut-out of a dataset can be asked for, with the bounds within which there is something (SODA 1.0 §4.3)."""
    found: list[ServiceParam] = []
    if dataset.shape is not None:
        polygon = " ".join(map(repr, dataset.shape)) if len(dataset.shape) > 3 else None
        circle = " ".join(map(repr, dataset.circle)) if dataset.circle is not None else None
        found += [POS, replace(CIRCLE, maximum=circle), replace(POLYGON, maximum=polygon)]
    if dataset.kind != IMAGE and dataset.band is not None:
        found.append(_between(BAND, dataset.band))
    if dataset.kind == EVENTS:
        band = dataset.band
        found.append(_between(ENERGY, (PLANCK_LIGHT_EV / band[1], PLANCK_LIGHT_EV / band[0])) if band and all(band) else ENERGY)
        found.append(_between(TIME, dataset.time) if dataset.time else TIME)
    if dataset.pol:
        found.append(replace(POL, options=dataset.pol))
    return tuple(found)


def _between(param: ServiceParam, bounds: tuple[float, float]) -> ServiceParam:
    return replace(param, minimum=repr(bounds[0]), maximum=repr(bounds[1]))


def descriptors_for(columns: Sequence[Column], base_url: str, site: Site) -> tuple[ServiceDescriptor, ...]:
    """The services for the datasets that rows with these `columns` name; none if no column holds the identifiers of ``ivoa.obscore``."""
    described = next((column.name for column in columns if column.std and (column.utype or "").partition(":")[2] == WORD), None)
    if described is None:
        return ()
    identifier = replace(DATASET, ref=described)
    return (links_descriptor(base_url, site, identifier), cutout_descriptor(base_url, site, identifier))
