"""What all drawings share: one set of colours for light and dark, a frame, numbers in few characters.

A drawing is a document of its own, so that it is cached apart from the page that shows it. Its style sheet lies in it, and its security
policy names that one sheet by its digest.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape

STYLE = (
    "text{font:22px system-ui,sans-serif;fill:#4d5866;paint-order:stroke;stroke:#fff;stroke-width:5;stroke-opacity:.7}"
    ".back{fill:#f3f5f8}.line{fill:none;stroke:#a7b1be;stroke-width:2}.fine{stroke-width:1;stroke-dasharray:4 6}"
    ".ink,.edge{fill:#0b57b0}.edge{stroke:#0b57b0;stroke-width:4;stroke-linejoin:round;stroke-opacity:.55}.dots{fill:none;stroke:#0b57b0;stroke-linecap:round}"
    "@media (prefers-color-scheme:dark){"
    "text{fill:#c3ccd8;stroke:#12161d}.back{fill:#1b212b}.line{stroke:#566274}.ink{fill:#8fbcff}.edge{stroke:#8fbcff}.dots{stroke:#8fbcff}}"
)
MEDIA_TYPE = "image/svg+xml"
POLICY = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; frame-ancestors 'self'"
"""Content-Security-Policy of a drawing that is opened by itself."""

LEVELS = 6
"""Shades of a density."""


def document(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """A drawing of `width` × `height` units (half a pixel of a wide page each), with its title for those who do not see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, anchor: str = "middle", turned: bool = False) -> str:
    """A label at (x, y); `turned`: read from below."""
    turn = f' transform="rotate(-90 {x:.0f} {y:.0f})"' if turned else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{turn}>{escape(words)}</text>'


def dots(points: Iterable[tuple[int, int]], size: int) -> str:
    """A dot at each point, in ten characters."""
    return f'<path class="dots" stroke-width="{size}" stroke-opacity=".75" d="{"".join(f"M{x} {y}h0" for x, y in points)}"/>'


def shade(level: int) -> str:
    """How strong level 0 to LEVELS-1 of a density is."""
    return f"{0.15 + 0.85 * level / (LEVELS - 1):.2f}"
