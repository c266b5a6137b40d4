"""Parts of datasets (SODA 1.0 §3.3): what of a FITS image, cube or event list lies in a region, an interval of wavelengths or times.

A cut-out of an image is the smallest block of pixels that covers what was asked for, with the same data type and the WCS shifted; pixels
outside of a circle or polygon are kept. Of an event list it is the rows inside, exactly. Files are mapped, never read whole.
"""

from vo_server.cutout.filters import Bounds, Filters, NoOverlapError
from vo_server.cutout.work import Cutout, JobCutout, Source

__all__ = ["Bounds", "Cutout", "Filters", "JobCutout", "NoOverlapError", "Source"]
