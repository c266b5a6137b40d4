"""The columns of ivoa.obscore_hea: ObsCore's extension for high-energy astrophysics, in its order (IVOA PEN HighEnergyObsCoreExt 1.0, §4).

The note assigns no utypes yet; ours follow the pattern of the radio extension, with the note's own names behind the prefix. Of its UCDs
the words instr.detection and meta.ref.pdgid are proposals that validators call errors: they are left out, or written meta.ref.

``t_intervals`` has no xtype: the note calls its type TMOC and names none, and ``moc`` is for the sky only; DALI 1.2 §3.11 leaves one for
MOCs of time to a later version.
"""

from vo_server.model import obscore
from vo_server.model.catalogue import Key
from vo_server.model.columns import Column

TABLE = "obscore_hea"

UTYPE = "ivo://ivoa.net/std/obscore#hea-ext-1.0"
"""utype of the table, as the extensions for radio and time write theirs."""

DESCRIPTION = "What is particular to datasets of high-energy astrophysics: events, energies, messengers; one row beside one of ivoa.obscore"


def _column(name: str, datatype: str, ucd: str | None, description: str, *, unit: str | None = None) -> Column:
    arraysize = "*" if datatype == "char" else None
    return Column(name, datatype, arraysize, None, unit, ucd, f"obscore_hea:{name}", description, principal=True, std=True)


COLUMNS: tuple[Column, ...] = (
    next(column for column in obscore.COLUMNS if column.name == "obs_publisher_did"),
    _column("ev_xel", "long", "meta.number;phys.particle", "Number of events in the event list"),
    _column(
        "s_ref_energy", "double", "meta.ref;em.energy;pos", "Energy at which s_fov, s_region and s_resolution of ObsCore hold", unit="eV"
    ),
    _column("em_ref_energy", "double", "meta.ref;em.energy;em", "Energy at which em_res_power of ObsCore holds", unit="eV"),
    _column(
        "s_ref_oaa",
        "double",
        "pos.posAng;instr.offset;pos",
        "Angle from the optical axis at which s_fov, s_region and s_resolution of ObsCore hold",
        unit="deg",
    ),
    _column(
        "em_ref_oaa",
        "double",
        "pos.posAng;instr.offset;em",
        "Angle from the optical axis at which em_res_power of ObsCore holds",
        unit="deg",
    ),
    _column("t_intervals", "char", "time.interval;obs.exposure", "Good time intervals as a T-MOC in ASCII"),
    _column("energy_min", "double", "em.energy;stat.min", "Lowest energy of the events", unit="eV"),
    _column("energy_max", "double", "em.energy;stat.max", "Highest energy of the events", unit="eV"),
    _column("obs_mode", "char", "meta.code;obs.param", "Mode of the observation"),
    _column("tracking_mode", "char", "meta.code;obs.param", "Tracking: sidereal, fixed-az-el-transit, solar-system-object-tracking, none"),
    _column("scan_mode", "char", "meta.code;obs.param", "Scanning: on-source, on-off, raster-map, on-the-fly-cross-scan, slew …"),
    _column("pointing_mode", "char", "meta.code;obs.param", "Pointing of several telescopes: parallel, convergent, divergent"),
    _column("analysis_mode", "char", "meta.code;obs.param", "Configuration of reduction and analysis"),
    _column("event_type", "char", "meta.code.qual;phys.particle", "Quality class of the events"),
    _column("messenger_name", "char", "meta.id;phys.particle", "Messenger: photon, neutrino, cosmic-ray, muon, proton"),
    _column("messenger_pdgid", "char", "meta.ref;phys.particle", "Messenger as Particle Data Group identifier, with its sign"),
)

KEY = Key(
    f"{obscore.SCHEMA}.{TABLE}.obs_publisher_did",
    f"{obscore.SCHEMA}.{TABLE}",
    f"{obscore.SCHEMA}.{obscore.TABLE}",
    (("obs_publisher_did", "obs_publisher_did"),),
    "The dataset that is described further",
)
