"""The server: astroparticle data opened to the Virtual Observatory.

The packages are the stages of a request, and imports run one way along them; ``layers.py`` names the order and a test checks it.
"""

__version__ = "0.1.0"
