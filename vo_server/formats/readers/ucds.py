"""UCDs as files spell them → UCD1+ (UCD 1.1 §3)."""

from functools import cache

from astropy.io.votable import ucd as controlled

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


def is_controlled(text: str) -> bool:
    """Whether all words are in the controlled vocabulary and stand where they may (UCD List 1.5)."""
    return bool(controlled.check_ucd(text, check_controlled_vocabulary=True, has_colon=True))
