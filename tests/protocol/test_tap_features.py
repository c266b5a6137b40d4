"""What /tap/capabilities declares is there: each function and feature runs, each format answers with its media type, each limit holds."""

import re
from collections.abc import Iterator

import pytest
from lxml import etree
from starlette.testclient import TestClient

from vo_server.adql.functions import ALL, MATHEMATICAL
from vo_server.services import Services

TAPREGEXT = "ivo://ivoa.net/std/TAPRegExt#"
FEATURES = f"{TAPREGEXT}features-"
STARS = "FROM sky.stars WHERE name = 'Vega'"

SAMPLES: dict[str, str] = {
    "AREA": "AREA(CIRCLE(ra, dec, 1))",
    "BOX": "BOX(ra, dec, 1, 2)",
    "CENTROID": "CENTROID(POLYGON(0, 0, 2, 0, 2, 2, 0, 2))",
    "CIRCLE": "CIRCLE('ICRS', ra, dec, 1)",
    "CONTAINS": "CONTAINS(POINT(ra, dec), CIRCLE(ra, dec, 1))",
    "COORD1": "COORD1(POINT(ra, dec))",
    "COORD2": "COORD2(POINT(ra, dec))",
    "COORDSYS": "COORDSYS(POINT(ra, dec))",
    "DISTANCE": "DISTANCE(POINT(ra, dec), POINT(0, 0))",
    "INTERSECTS": "INTERSECTS(CIRCLE(ra, dec, 1), CIRCLE(ra, dec, 2))",
    "POINT": "POINT(ra, dec)",
    "POLYGON": "POLYGON('', ra, dec, ra + 1, dec, ra, dec + 1)",
    "REGION": "REGION('Circle ICRS 10 20 1')",
    "LOWER": "LOWER(name)",
    "UPPER": "UPPER(name)",
    "ILIKE": "SELECT name FROM sky.stars WHERE name ILIKE 'vEGa'",
    "WITH": f"WITH w AS (SELECT name {STARS}) SELECT name FROM w",
    "UNION": f"SELECT name {STARS} UNION SELECT name {STARS}",
    "EXCEPT": f"SELECT name {STARS} EXCEPT ALL SELECT 'a' {STARS}",
    "INTERSECT": f"SELECT name {STARS} INTERSECT SELECT name {STARS}",
    "CAST": "CAST(mag AS INTEGER)",
    "OFFSET": "SELECT name FROM sky.stars ORDER BY name OFFSET 2",
    "IN_UNIT": "SELECT IN_UNIT(s_ra, 'arcmin') AS x FROM ivoa.obscore",
    "COALESCE(value ANY, replacement ANY) -> ANY": "COALESCE(mag, 0)",
    "COALESCE(value ANY, replacement ANY, last ANY) -> ANY": "COALESCE(mag, ra, 0)",
    "NULLIF(value ANY, other ANY) -> ANY": "NULLIF(name, 'x')",
    "GREATEST(value ANY, other ANY) -> ANY": "GREATEST(mag, 1)",
    "GREATEST(value ANY, other ANY, third ANY) -> ANY": "GREATEST(mag, 1, ra)",
    "LEAST(value ANY, other ANY) -> ANY": "LEAST(name, 'x')",
    "LEAST(value ANY, other ANY, third ANY) -> ANY": "LEAST(mag, 1, ra)",
    "ivo_healpix_index(hpxOrder INTEGER, long REAL, lat REAL) -> BIGINT": "ivo_healpix_index(6, ra, dec)",
    "ivo_healpix_index(hpxOrder INTEGER, point POINT) -> BIGINT": "ivo_healpix_index(6, POINT(ra, dec))",
    "ivo_healpix_center(hpxOrder INTEGER, hpxIndex BIGINT) -> POINT": "ivo_healpix_center(6, 3)",
    "ivo_epoch_prop_pos(ra DOUBLE, dec DOUBLE, parallax DOUBLE, pmra DOUBLE, pmdec DOUBLE,"
    " radial_velocity DOUBLE, ref_epoch DOUBLE, out_epoch DOUBLE) -> POINT": "ivo_epoch_prop_pos(ra, dec, 9, 2, 2, -2, 1991.25, 2016)",
    "ivo_geom_transform(from_sys CHAR, to_sys CHAR, geo POINT) -> POINT": "ivo_geom_transform('ICRS', 'GALACTIC', POINT(ra, dec))",
    "ivo_geom_transform(from_sys CHAR, to_sys CHAR, geo CIRCLE) -> CIRCLE": "ivo_geom_transform('ICRS', 'FK4', CIRCLE(ra, dec, 1))",
    "ivo_geom_transform(from_sys CHAR, to_sys CHAR, geo POLYGON) -> POLYGON": "ivo_geom_transform('FK5', 'ICRS', POLYGON(0,0,1,0,1,1))",
    "ivo_to_jd(d TIMESTAMP) -> DOUBLE": "ivo_to_jd(seen)",
    "ivo_to_mjd(d TIMESTAMP) -> DOUBLE": "ivo_to_mjd(seen)",
    "ivo_string_agg(expression CHAR, delimiter CHAR) -> CHAR": "ivo_string_agg(name, ', ')",
    "ivo_nocasematch(value CHAR, pattern CHAR) -> INTEGER": "ivo_nocasematch(name, 'vega')",
    "ivo_hasword(haystack CHAR, needle CHAR) -> INTEGER": "ivo_hasword(name, 'vega')",
    "ivo_hashlist_has(hashlist CHAR, item CHAR) -> INTEGER": "ivo_hashlist_has('a#b', 'B')",
    "ivo_histogram(val DOUBLE, lower DOUBLE, upper DOUBLE, nbins INTEGER) -> INTEGER[]": "ivo_histogram(mag, 0, 10, 5)",
    "ivo_normal_random(mu DOUBLE, sigma DOUBLE) -> DOUBLE": "ivo_normal_random(0, 1)",
    "ivo_interval_overlaps(a1 DOUBLE, b1 DOUBLE, a2 DOUBLE, b2 DOUBLE) -> INTEGER": "ivo_interval_overlaps(1, 2, mag, 3)",
    "ivo_hms_to_degrees(hms CHAR) -> DOUBLE": "ivo_hms_to_degrees('1:2:3')",
    "ivo_dms_to_degrees(dms CHAR) -> DOUBLE": "ivo_dms_to_degrees('-1:2:3')",
    "MOC(moc CHAR) -> MOC": "SELECT name FROM sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), MOC('0/0-11')) AND name = 'Vega'",
    "MOC(mocOrder INTEGER, region POINT) -> MOC": "AREA(MOC(3, POINT(1, 2)))",
    "MOC(mocOrder INTEGER, region CIRCLE) -> MOC": "AREA(MOC(3, CIRCLE(1, 2, 3)))",
    "MOC(mocOrder INTEGER, region POLYGON) -> MOC": "AREA(MOC(3, POLYGON(0, 0, 9, 0, 9, 9)))",
    "MOC": "SELECT name FROM sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), MOC('0/0-11')) AND name = 'Vega'",
}
"""Form of a feature, as it is declared → an expression of a star, or a query, that uses it."""
SAMPLES["COALESCE"] = SAMPLES["COALESCE(value ANY, replacement ANY) -> ANY"]

SIGNATURE = re.compile(r"[A-Za-z]\w*\(\w+ [A-Z]+(, \w+ [A-Z]+)*\) -> [A-Z]+(\[\])?")


def capabilities(client: TestClient) -> etree._Element:
    reply = client.get("/tap/capabilities")
    assert reply.headers["content-type"].startswith("text/xml")
    return etree.fromstring(reply.content)


def forms(access: etree._Element) -> Iterator[tuple[str, str]]:
    for features in access.iter("languageFeatures"):
        for form in features.iter("form"):
            yield features.get("type"), form.text


def ask(client: TestClient, query: str, **more: str) -> tuple[int, str]:
    reply = client.get("/tap/sync", params={"LANG": "ADQL", "RESPONSEFORMAT": "csv", "QUERY": query, **more})
    return reply.status_code, reply.text


@pytest.mark.parametrize("newer", [False, True])
def test_each_feature_that_is_declared_runs(site: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch, newer: bool) -> None:
    """CHECKLIST META-009 to META-012, TAP-035: nothing is declared that cannot be used."""
    monkeypatch.setattr(site, "settings", site.settings.model_copy(update={"newer_features": newer}))
    access = capabilities(client)
    (language,) = access.iter("language")
    assert language.findtext("name") == "ADQL"
    versions = {version.get("ivo-id"): version.text for version in language.iter("version")}
    assert versions == {"ivo://ivoa.net/std/ADQL#v2.0": "2.0", "ivo://ivoa.net/std/ADQL#v2.1": "2.1"}
    found = list(forms(access))
    assert len(found) == len(set(found)) > 40
    for kind, form in found:
        assert kind.startswith(FEATURES) or newer, kind
        assert SIGNATURE.fullmatch(form) if kind == f"{FEATURES}udf" else re.fullmatch("[A-Z0-9_]+", form), form
        sample = SAMPLES[form]
        status, said = ask(client, sample if "FROM" in sample else f"SELECT {sample} AS x {STARS}")
        assert (status, len(said.splitlines()) >= (1 if "obscore" in sample else 2)) == (200, True), (form, said)


def test_each_function_that_can_be_called_is_declared(client: TestClient) -> None:
    """All but those that each service has (ADQL 2.1 §2.3): TOPCAT calls a name a mistake that no feature lists."""
    declared = {form.partition("(")[0].upper() for _, form in forms(capabilities(client))}
    assert {function.name for function in ALL} - declared == {function.name for function in MATHEMATICAL}
    for function in MATHEMATICAL:
        arguments = ", ".join(["0.5"] * (function.required if function.required is not None else len(function.parameters)))
        arguments = arguments.replace("0.5", "7") if function.name == "MOD" else arguments
        assert ask(client, f"SELECT {function.name}({arguments}) AS x {STARS}")[0] == 200, function.name


def test_each_format_that_is_declared_answers_with_its_media_type(client: TestClient) -> None:
    """CHECKLIST META-013, TAP-008, TAP-009: a name gives the type that is declared with it, a media type comes back as it was asked for."""
    declared = list(capabilities(client).iter("outputFormat"))
    assert {element.get("ivo-id") for element in declared} == {
        None,
        *(f"{TAPREGEXT}output-votable-{kind}" for kind in ("td", "binary", "binary2")),
    }
    seen: set[str] = set()
    for element in declared:
        mime, aliases = element.findtext("mime"), [alias.text for alias in element.findall("alias")]
        assert seen.isdisjoint((mime, *aliases)), "one name, two formats"
        seen |= {mime, *aliases}
        bodies = set()
        for name in (mime, *aliases):
            for parameter in ("RESPONSEFORMAT", "FORMAT"):
                said = {"LANG": "ADQL", "QUERY": f"SELECT name {STARS}", parameter: name}
                reply = client.get("/tap/sync", params=said)
                expected = name if "/" in name and not name.startswith("votable/") else mime
                assert (reply.status_code, reply.headers["content-type"].removesuffix(";charset=utf-8")) == (
                    200,
                    expected.removesuffix(";charset=utf-8"),
                ), name
                bodies.add(len(reply.content))
        assert len(bodies) == 1, f"{mime}: the same rows, whatever it is called"


def test_upload_methods_and_limits_are_declared_as_they_are(site: Services, client: TestClient) -> None:
    """CHECKLIST META-014 to META-016, TAP-027: each limit once, default and hard; nothing but what holds."""
    access = next(capabilities(client).iter("capability"))
    settings = site.settings
    assert [method.get("ivo-id") for method in access.iter("uploadMethod")] == [
        f"{TAPREGEXT}upload-{way}" for way in ("inline", "http", "https")
    ]
    limits = {
        "retentionPeriod": (settings.retention_hours * 3600, settings.hard_retention_hours * 3600, None),
        "executionDuration": (settings.async_seconds, settings.hard_async_seconds, None),
        "outputLimit": (1000, 5000, "row"),
        "uploadLimit": (settings.upload_rows, settings.upload_rows, "row"),
    }
    for name, (default, hard, unit) in limits.items():
        (element,) = access.iter(name)
        found = [(child.tag, int(child.text), child.get("unit")) for child in element]
        assert found == [("default", default, unit), ("hard", hard, unit)]
    every = "SELECT a.name FROM sky.stars AS a, sky.stars AS b, sky.stars AS c, sky.stars AS d, sky.stars AS e"
    assert len(ask(client, every)[1].splitlines()) == 1 + 1000
    assert len(ask(client, every, MAXREC="4000")[1].splitlines()) == 1 + 4000
    assert len(ask(client, every, MAXREC="6000")[1].splitlines()) == 1 + 5000


def test_what_stands_beside_tap_is_declared_and_there(client: TestClient) -> None:
    """CHECKLIST TAP-001, META-002 to META-008, META-017, META-044: every address that is declared answers; all are anonymous."""
    document = capabilities(client)
    assert document.tag == "{http://www.ivoa.net/xml/VOSICapabilities/v1.0}capabilities"
    found = {}
    for capability in document.iterfind("capability"):
        (interface,) = capability.iterfind("interface")
        found[capability.get("standardID")] = interface
        url = interface.findtext("accessURL").removeprefix("http://testserver")
        assert client.get(url).status_code == 200, url
        assert interface.find("securityMethod") is None
        assert capability.findtext("description")
    assert set(found) == {
        "ivo://ivoa.net/std/TAP",
        "ivo://ivoa.net/std/VOSI#capabilities",
        "ivo://ivoa.net/std/VOSI#availability",
        "ivo://ivoa.net/std/VOSI#tables-1.1",
        "ivo://ivoa.net/std/DALI#examples",
    }
    tap = found["ivo://ivoa.net/std/TAP"]
    kind = "{http://www.w3.org/2001/XMLSchema-instance}type"
    assert (tap.get(kind), tap.get("role"), tap.get("version")) == ("vs:ParamHTTP", "std", "1.1")
    assert (tap.find("accessURL").get("use"), tap.findtext("accessURL")) == ("base", "http://testserver/tap")
    assert found["ivo://ivoa.net/std/DALI#examples"].get(kind) == "vr:WebBrowser"
    assert [(model.get("ivo-id"), model.text) for model in document.iter("dataModel")] == [
        ("ivo://ivoa.net/std/ObsCore#core-1.1", "ObsCore-1.1")
    ]
