"""UCDs as files spell them → UCD1+ (UCD 1.1 §3)."""

import difflib
from functools import cache
from importlib.resources import files

from vo_server.libraries import later

controlled = later("astropy.io.votable.ucd")

FIRST_GENERATION = {
    "POS_EQ_RA_MAIN": "pos.eq.ra;meta.main",
    "POS_EQ_DEC_MAIN": "pos.eq.dec;meta.main",
    "POS_EQ_RA": "pos.eq.ra",
    "POS_EQ_DEC": "pos.eq.dec",
    "ID_MAIN": "meta.id;meta.main",
    "ID_IDENTIFIER": "meta.id",
    "OBS_ANG-SIZE": "phys.angSize",
    "TIME_DATE": "time.epoch",
    "VOX:IMAGE_TITLE": "meta.title",
    "VOX:IMAGE_ACCESSREFERENCE": "meta.ref.url",
    "VOX:IMAGE_MJDATEOBS": "time.epoch",
}
"""The words of UCD1 that protocols still use, and their successors."""


@cache
def ucd(text: str) -> tuple[str | None, str | None]:
    """The UCD1+ that `text` says, None where it says nothing usable; and a remark where it was left out."""
    stripped = text.strip()
    if not stripped:
        return None, None
    modern = FIRST_GENERATION.get(stripped.upper(), stripped)
    if not controlled.check_ucd(modern, check_controlled_vocabulary=False, has_colon=True):
        return None, f"{stripped!r} is not a UCD and was left out"
    return modern, None


@cache
def nearest_ucd(text: str) -> str | None:
    """The UCD that was probably meant: each word that the vocabulary does not have replaced by the one most like it."""
    words = []
    for word in text.strip().strip(";").split(";"):
        near = difflib.get_close_matches(word.strip().lower(), _vocabulary(), 1, 0.6)
        if not near:
            return None
        words.append(_vocabulary()[near[0]])
    guesses = [";".join(words), *(";".join((word, *(other for other in words if other != word))) for word in words)]
    return next((guess for guess in guesses if is_controlled(guess)), None)


@cache
def _vocabulary() -> dict[str, str]:
    """The words of UCD1+, in lower case → as they are spelled (UCD List 1.5, as astropy has it)."""
    text = files("astropy.io.votable").joinpath("data/ucd1p-words.txt").read_text(encoding="ascii")
    words = [line.split("|")[1].strip() for line in text.splitlines() if line.count("|")]
    return {word.lower(): word for word in words}


def is_controlled(text: str) -> bool:
    """Whether all words are in the controlled vocabulary and stand where they may (UCD List 1.5)."""
    return bool(controlled.check_ucd(text, check_controlled_vocabulary=True, has_colon=True))
