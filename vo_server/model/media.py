"""Media types of datasets by the endings of their names. Compression of a file is part of the dataset, not of its transfer."""

PNG = "image/png"
VOTABLE = "application/x-votable+xml"
FITS = "application/fits"
FITS_TYPES = (FITS, "image/fits")

MEDIA_TYPES: tuple[tuple[tuple[str, ...], str], ...] = (
    ((".fits", ".fit", ".fts", ".fits.fz", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.bz2", ".fit.bz2"), FITS),
    ((".vot", ".votable"), VOTABLE),
    ((".parquet",), "application/vnd.apache.parquet"),
    ((".csv", ".ecsv"), "text/csv"),
    ((".json",), "application/json"),
    ((".xml", ".voevent"), "application/xml"),
    ((".png",), PNG),
    ((".jpg", ".jpeg"), "image/jpeg"),
    ((".pdf",), "application/pdf"),
    ((".txt", ".dat"), "text/plain"),
    ((".gz",), "application/gzip"),
    ((".bz2",), "application/x-bzip2"),
)
"""Endings → media type; the first that fits counts."""

UNKNOWN = "application/octet-stream"


def media_type(name: str) -> str:
    """The media type of a file of this name; what ObsCore's access_format says is what is served."""
    lower = name.lower()
    return next((kind for endings, kind in MEDIA_TYPES if lower.endswith(endings)), UNKNOWN)
