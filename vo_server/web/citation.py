"""How to cite a resource: in a sentence, and as BibTeX."""

import re
from dataclasses import dataclass

from vo_server.model.resource import Resource, Site

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
BIBCODE = re.compile(r"\d{4}[A-Za-z&.]{5}[\w.]{4}[\w.][\d.]{4}[A-Z.]")


@dataclass(frozen=True, slots=True)
class Citation:
    """The same in both spellings."""

    text: str
    bibtex: str


def cite(resource: Resource, site: Site, address: str) -> Citation:
    """The citation of a resource whose page is at `address`."""
    names = [creator.name for creator in resource.creators] or [site.organisation]
    where = f"https://doi.org/{resource.doi}" if resource.doi else address
    year = resource.updated.year
    listed = "; ".join(names[:6]) + (" et al." if len(names) > 6 else "")
    source = f" Described in {resource.source}." if resource.source else ""
    text = f"{listed} ({year}): {resource.title}. {site.organisation}, {site.ivoid(resource.id)}, {where}.{source}"
    fields = {
        "author": " and ".join(f"{{{_tex(name)}}}" for name in names),
        "title": f"{{{_tex(resource.title)}}}",
        "year": str(year),
        "publisher": _tex(site.organisation),
        **({"doi": resource.doi} if resource.doi else {}),
        "url": where,
        "note": _tex(site.ivoid(resource.id)),
        **(
            {"adsurl": f"https://ui.adsabs.harvard.edu/abs/{resource.source}"}
            if resource.source and BIBCODE.fullmatch(resource.source)
            else {}
        ),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return Citation(text, "\n".join((f"@misc{{{_key(names[0])}{year}{_key(resource.name)},", *lines, "}")))


def _tex(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def _key(text: str) -> str:
    return "".join(re.findall(r"[A-Za-z0-9]+", text.partition(",")[0]))
