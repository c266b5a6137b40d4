"""The services that a dataset's identifier can be handed to: its links (DataLink 1.1) and cut-outs of it (SODA 1.0).

Results that carry such identifiers describe them once, for all rows; a links table describes cut-outs for each dataset, with its bounds.
"""

from collections.abc import Sequence
from dataclasses import replace

from vo_server.model.columns import Column
from vo_server.model.obscore import PUBLISHER_DID
from vo_server.model.service import ServiceDescriptor, ServiceParam

LINKS_ID = "ivo://ivoa.net/std/DataLink#links-1.1"
LINKS_PATH = "/datalink/links"
LINKS_TYPE = "application/x-votable+xml;content=datalink"
"""Exactly so: clients compare it letter by letter (PITFALLS P-100)."""

SODA_SYNC_ID = "ivo://ivoa.net/std/SODA#sync-1.0"
SODA_SYNC_PATH = "/soda/sync"

FITS = "application/fits"

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
FILTERS = (POS, CIRCLE, POLYGON, BAND, TIME, POL)
"""What a cut-out can be asked for (SODA 1.0 §3.3), by name, unit and UCD as the standard has them."""


def links_descriptor(base_url: str, identifier: ServiceParam) -> ServiceDescriptor:
    """The links of datasets; `identifier` says where the ID comes from."""
    return ServiceDescriptor(
        id="datalink",
        access_url=base_url + LINKS_PATH,
        params=(replace(identifier, name="ID", ucd="meta.id;meta.main"),),
        standard_id=LINKS_ID,
        name="Links",
        description="All that belongs to a dataset: files, previews, calibration, cut-outs",
        content_type=LINKS_TYPE,
    )


def cutout_descriptor(
    base_url: str, identifier: ServiceParam, filters: Sequence[ServiceParam] = FILTERS, number: int = 0
) -> ServiceDescriptor:
    """Cut-outs of datasets, synchronously. `number` tells the descriptors of one document apart."""
    return ServiceDescriptor(
        id=f"soda_sync_{number}" if number else "soda_sync",
        access_url=base_url + SODA_SYNC_PATH,
        params=(identifier, *filters),
        standard_id=SODA_SYNC_ID,
        name="Cut-out",
        description="A part of the dataset: a region, an interval of wavelengths or times, polarisation states",
        content_type=FITS,
    )


def descriptors_for(columns: Sequence[Column], base_url: str) -> tuple[ServiceDescriptor, ...]:
    """The services for the datasets that rows with these `columns` name; none if no column holds the identifiers of ``ivoa.obscore``."""
    described = next((column.name for column in columns if column.std and (column.utype or "").partition(":")[2] == WORD), None)
    if described is None:
        return ()
    identifier = replace(DATASET, ref=described)
    return (links_descriptor(base_url, identifier), cutout_descriptor(base_url, identifier))
