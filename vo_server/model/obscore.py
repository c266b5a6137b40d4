"""The columns of ivoa.obscore: the thirty mandatory ones in the standard's order, then optional ones we fill (ObsCore 1.1 §4, App. C)."""

from vo_server.model.columns import POLYGON_TEXT, Column

SCHEMA = "ivoa"
TABLE = "obscore"

UTYPE = "ivo://ivoa.net/std/obscore#core-1.1"
"""utype of the table: the data model's identifier, in lower case because RegTAP folds utypes."""

DESCRIPTION = "Metadata of all datasets published here, one row a dataset, in the ObsCore data model"

_AXIS = "Char.SpatialAxis"
_TIME = "Char.TimeAxis"
_SPECTRAL = "Char.SpectralAxis"


def _column(
    name: str,
    datatype: str,
    utype: str,
    ucd: str,
    description: str,
    *,
    unit: str | None = None,
    xtype: str | None = None,
    principal: bool = False,
    indexed: bool = False,
) -> Column:
    arraysize = "*" if datatype == "char" else None
    return Column(
        name, datatype, arraysize, xtype, unit, ucd, f"obscore:{utype}", description, indexed=indexed, principal=principal, std=True
    )


MANDATORY: tuple[Column, ...] = (
    _column(
        "dataproduct_type",
        "char",
        "ObsDataset.dataProductType",
        "meta.code.class",
        "Kind of dataset: image, cube, event, spectrum …",
        principal=True,
    ),
    _column(
        "calib_level",
        "int",
        "ObsDataset.calibLevel",
        "meta.code;obs.calib",
        "Calibration level, from 0 (raw) to 4 (analysis product)",
        principal=True,
    ),
    _column("obs_collection", "char", "DataID.Collection", "meta.id", "Data collection the dataset belongs to", principal=True),
    _column(
        "obs_id",
        "char",
        "DataID.observationID",
        "meta.id",
        "Identifier of the observation, common to all datasets from it",
        principal=True,
    ),
    _column(
        "obs_publisher_did",
        "char",
        "Curation.PublisherDID",
        "meta.ref.ivoid",
        "Identifier of the dataset given by the publisher",
        principal=True,
        indexed=True,
    ),
    _column("access_url", "char", "Access.Reference", "meta.ref.url", "Address from which the dataset can be fetched", principal=True),
    _column("access_format", "char", "Access.Format", "meta.code.mime", "Media type of what access_url returns", principal=True),
    _column(
        "access_estsize",
        "long",
        "Access.Size",
        "phys.size;meta.file",
        "Approximate size of what access_url returns",
        unit="kbyte",
        principal=True,
    ),
    _column("target_name", "char", "Target.Name", "meta.id;src", "Object observed", principal=True),
    _column(
        "s_ra",
        "double",
        f"{_AXIS}.Coverage.Location.Coord.Position2D.Value2.C1",
        "pos.eq.ra",
        "ICRS right ascension of the centre",
        unit="deg",
        principal=True,
    ),
    _column(
        "s_dec",
        "double",
        f"{_AXIS}.Coverage.Location.Coord.Position2D.Value2.C2",
        "pos.eq.dec",
        "ICRS declination of the centre",
        unit="deg",
        principal=True,
    ),
    _column(
        "s_fov",
        "double",
        f"{_AXIS}.Coverage.Bounds.Extent.diameter",
        "phys.angSize;instr.fov",
        "Diameter of the region covered",
        unit="deg",
        principal=True,
    ),
    _column(
        "s_region",
        "char",
        f"{_AXIS}.Coverage.Support.Area",
        "pos.outline;obs.field",
        "Region covered, ICRS",
        xtype=POLYGON_TEXT,
        principal=True,
        indexed=True,
    ),
    _column(
        "s_resolution",
        "double",
        f"{_AXIS}.Resolution.Refval.value",
        "pos.angResolution",
        "Spatial resolution (FWHM)",
        unit="arcsec",
        principal=True,
    ),
    _column("s_xel1", "long", f"{_AXIS}.numBins1", "meta.number", "Number of elements along the first spatial axis"),
    _column("s_xel2", "long", f"{_AXIS}.numBins2", "meta.number", "Number of elements along the second spatial axis"),
    _column(
        "t_min",
        "double",
        f"{_TIME}.Coverage.Bounds.Limits.StartTime",
        "time.start;obs.exposure",
        "Start of the observation, MJD",
        unit="d",
        principal=True,
    ),
    _column(
        "t_max",
        "double",
        f"{_TIME}.Coverage.Bounds.Limits.StopTime",
        "time.end;obs.exposure",
        "End of the observation, MJD",
        unit="d",
        principal=True,
    ),
    _column(
        "t_exptime",
        "double",
        f"{_TIME}.Coverage.Support.Extent",
        "time.duration;obs.exposure",
        "Total exposure time",
        unit="s",
        principal=True,
    ),
    _column(
        "t_resolution",
        "double",
        f"{_TIME}.Resolution.Refval.value",
        "time.resolution",
        "Temporal resolution (FWHM)",
        unit="s",
        principal=True,
    ),
    _column("t_xel", "long", f"{_TIME}.numBins", "meta.number", "Number of elements along the time axis"),
    _column(
        "em_min",
        "double",
        f"{_SPECTRAL}.Coverage.Bounds.Limits.LoLimit",
        "em.wl;stat.min",
        "Shortest wavelength in vacuum",
        unit="m",
        principal=True,
    ),
    _column(
        "em_max",
        "double",
        f"{_SPECTRAL}.Coverage.Bounds.Limits.HiLimit",
        "em.wl;stat.max",
        "Longest wavelength in vacuum",
        unit="m",
        principal=True,
    ),
    _column(
        "em_res_power",
        "double",
        f"{_SPECTRAL}.Resolution.ResolPower.refVal",
        "spect.resolution",
        "Spectral resolving power λ/δλ",
        principal=True,
    ),
    _column("em_xel", "long", f"{_SPECTRAL}.numBins", "meta.number", "Number of elements along the spectral axis"),
    _column("o_ucd", "char", "Char.ObservableAxis.ucd", "meta.ucd", "UCD of what was measured", principal=True),
    _column(
        "pol_states",
        "char",
        "Char.PolarizationAxis.stateList",
        "meta.code;phys.polarization",
        "Polarisation states, between slashes",
        principal=True,
    ),
    _column("pol_xel", "long", "Char.PolarizationAxis.numBins", "meta.number", "Number of polarisation states"),
    _column(
        "facility_name",
        "char",
        "Provenance.ObsConfig.Facility.name",
        "meta.id;instr.tel",
        "Facility that took the data",
        principal=True,
    ),
    _column(
        "instrument_name",
        "char",
        "Provenance.ObsConfig.Instrument.name",
        "meta.id;instr",
        "Instrument that took the data",
        principal=True,
    ),
)
"""ObsCore 1.1 Table 1, all of which every ObsTAP service has."""

OPTIONAL: tuple[Column, ...] = (
    _column(
        "dataproduct_subtype",
        "char",
        "ObsDataset.dataProductSubtype",
        "meta.code.class",
        "Finer kind of dataset, in the collection's own words",
    ),
    _column("obs_title", "char", "DataID.Title", "meta.title;obs", "Short description of the dataset, for people"),
    _column(
        "s_pixel_scale",
        "double",
        f"{_AXIS}.Sampling.RefVal.SamplingPeriod",
        "phys.angSize;instr.pixel",
        "Size of a pixel on the sky",
        unit="arcsec",
    ),
    _column("obs_release_date", "char", "Curation.releaseDate", "time.release", "Date from which the dataset is public", xtype="timestamp"),
    _column("data_rights", "char", "Curation.Rights", "meta.code", "Who may fetch the dataset: public, secure or proprietary"),
)
"""ObsCore 1.1 App. C: those of the optional columns that this server fills."""

COLUMNS = MANDATORY + OPTIONAL

PUBLISHER_DID = next(column for column in MANDATORY if column.name == "obs_publisher_did")
"""The column that names a dataset: what links and cut-outs are asked for by."""

SHAPE = "shape"
"""Hidden column of the view: the region as numbers; never listed."""

KEY = "obs_key"
"""Hidden column of the view: the key it shares with the side table of cells; never listed."""

CAP = "cap"
"""Hidden column of the view: the cap around the region (``vo.shape_cap``); never listed."""
