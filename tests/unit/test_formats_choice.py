"""Which format a RESPONSEFORMAT gives, and what Content-Type goes with it."""

import pytest

from vo_server.errors import UsageError
from vo_server.formats import BY_NAME, FORMATS, choose, negotiate

VOTABLE = "application/x-votable+xml"

CHOICES = [
    (None, "VOTable (TABLEDATA)", VOTABLE),
    ("", "VOTable (TABLEDATA)", VOTABLE),
    ("votable", "VOTable (TABLEDATA)", VOTABLE),
    ("VOTable", "VOTable (TABLEDATA)", VOTABLE),
    ("votable/td", "VOTable (TABLEDATA)", VOTABLE),
    ("votable/b2", "VOTable (BINARY2)", f"{VOTABLE};serialization=BINARY2"),
    ("csv", "CSV", "text/csv;header=present;charset=utf-8"),
    ("text/csv;header=present", "CSV", "text/csv;header=present"),
    ("tsv", "TSV", "text/tab-separated-values;charset=utf-8"),
    ("json", "JSON", "application/json"),
    ("votable/b", "VOTable (BINARY)", f"{VOTABLE};serialization=BINARY"),
    ("fits", "FITS", "application/fits"),
    ("parquet", "Parquet", "application/vnd.apache.parquet"),
    ("arrow", "Arrow", "application/vnd.apache.arrow.stream"),
    ("html", "HTML", "text/html;charset=utf-8"),
    ("text", "plain text", "text/plain;charset=utf-8"),
    # media types are echoed as they came (DALI 1.1 §3.4.3)
    ("text/xml", "VOTable (TABLEDATA)", "text/xml"),
    ("Text/XML", "VOTable (TABLEDATA)", "Text/XML"),
    (f"{VOTABLE};serialization=TABLEDATA", "VOTable (TABLEDATA)", f"{VOTABLE};serialization=TABLEDATA"),
    (f"{VOTABLE}; serialization=binary2", "VOTable (BINARY2)", f"{VOTABLE}; serialization=binary2"),
    (f'{VOTABLE};serialization="BINARY2"', "VOTable (BINARY2)", f'{VOTABLE};serialization="BINARY2"'),
    (f"{VOTABLE};content=datalink", "VOTable (TABLEDATA)", f"{VOTABLE};content=datalink"),
    ("text/csv", "CSV", "text/csv"),
    ("text/csv; charset=utf-8", "CSV", "text/csv; charset=utf-8"),
    ("text/html", "HTML", "text/html"),
    ("text/plain; charset=UTF-8", "plain text", "text/plain; charset=UTF-8"),
    ("application/fits", "FITS", "application/fits"),
    ("application/json;charset=utf-8", "JSON", "application/json;charset=utf-8"),
    # a plus sign in a query string that was not percent-encoded
    ("application/x-votable xml", "VOTable (TABLEDATA)", VOTABLE),
]


@pytest.mark.parametrize(("asked", "name", "content_type"), CHOICES)
def test_choice(asked: str | None, name: str, content_type: str) -> None:
    """CHECKLIST GEN-009 to GEN-011 (DALI 1.1 §3.4.3)."""
    format_, given = choose(asked)
    assert (format_.name, given) == (name, content_type)


@pytest.mark.parametrize(
    "asked",
    [
        "xlsx",
        "text/markdown",
        f"{VOTABLE};serialization=BINARY3",
        "text/csv;header=absent",
        "nonsense",
        "text/xml\r\nX-Evil: 1",
        "text/csv;charset=a\nb",
        "text/csv;charset=iso-8859-1",
        "text/xml; charset=us-ascii",
    ],
)
def test_what_is_not_offered_is_refused_by_name(asked: str) -> None:
    """CHECKLIST GEN-013 (DALI 1.1 §3.4.3)."""
    with pytest.raises(
        UsageError,
        match=r"RESPONSEFORMAT .* is not offered here. Use one of: votable, votable/b2, votable/b, csv, tsv, json",
    ) as caught:
        choose(asked)
    assert repr(asked) in str(caught.value)
    assert caught.value.parameter == "RESPONSEFORMAT"


def test_no_name_means_two_formats() -> None:
    assert len(BY_NAME) == sum(1 + len(format_.aliases) for format_ in FORMATS)


def test_every_name_chooses_its_format() -> None:
    for format_ in FORMATS:
        assert {choose(name)[0].name for name in (format_.media_type, *format_.aliases)} == {format_.name}


CSV, JSON, B2 = "CSV", "JSON", "VOTable (BINARY2)"
TABLEDATA = "VOTable (TABLEDATA)"
NEGOTIATIONS = [
    ("", TABLEDATA, VOTABLE),
    ("*/*", TABLEDATA, VOTABLE),
    ("application/json", JSON, "application/json"),
    ("text/csv;q=0.5, application/json;q=0.4", CSV, "text/csv"),
    ("text/xml", TABLEDATA, "text/xml"),
    (f"{VOTABLE};serialization=BINARY2", B2, f"{VOTABLE};serialization=BINARY2"),
    # jQuery and axios: the latter likes everything as much as JSON
    ("application/json, text/javascript, */*; q=0.01", JSON, "application/json"),
    ("application/json, text/plain, */*", TABLEDATA, VOTABLE),
    # browsers, and Java's HttpURLConnection up to 20
    ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", TABLEDATA, VOTABLE),
    ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", TABLEDATA, VOTABLE),
    ("text/html", TABLEDATA, VOTABLE),
    # what is refused by name is not meant by a wildcard
    (f"{VOTABLE};q=0, application/*", B2, f"{VOTABLE};serialization=BINARY2"),
    ("text/*", CSV, "text/csv;header=present;charset=utf-8"),
    # nothing that we have, and nothing that can be read
    ("image/png", TABLEDATA, VOTABLE),
    ("*/*;q=0", TABLEDATA, VOTABLE),
    ("nonsense,,;q=x", TABLEDATA, VOTABLE),
    ("application/json;q=7", TABLEDATA, VOTABLE),
    ('application/json;v="a,b"', TABLEDATA, VOTABLE),
    ("text/csv;charset=iso-8859-1, application/json;q=0.5", JSON, "application/json"),
]


@pytest.mark.parametrize(("accept", "name", "content_type"), NEGOTIATIONS)
def test_negotiation(accept: str, name: str, content_type: str) -> None:
    format_, given = negotiate(accept)
    assert (format_.name, given) == (name, content_type)
