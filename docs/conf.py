"""How Sphinx makes the documentation: ``make site``."""  # noqa: INP001 a script, not a package

from vo_server import __version__

project = "vo-server"
author = "the vo-server authors"
release = version = __version__
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.xref_missing",  # links into the repository beside docs/: a test of the project follows them all
    "misc.highlighting_failure",  # SQL with an ellipsis in it
]
html_theme = "furo"
html_title = f"vo-server {__version__}"
templates_path: list[str] = []
