"""What cuts which kind of dataset. All that needs astropy is below: whoever begins to cut imports this."""

from vo_server.cutout.events import cut_events
from vo_server.cutout.fitsfile import FitsFile
from vo_server.cutout.images import cut_image

CUTTERS = {"image": cut_image, "cube": cut_image, "event": cut_events}
"""Kind of dataset (ObsCore's dataproduct_type) → what cuts it."""

__all__ = ["CUTTERS", "FitsFile"]
