"""Files of observations → datasets: images, sky maps, event lists and spectra, read in parallel and published as collections."""
