"""Positions and regions as integers: HEALPix cells of order 29, NESTED, and closed ranges of them."""
