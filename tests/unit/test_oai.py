"""OAI-PMH: every verb and every error, from records in memory."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree
from registry_samples import ALERTS, ALERTS_ID, BASE, CREATED, ListStore, all_records, ask, sample_store

from vo_registry.oai_pmh import PAGE_SIZE, Place, write_token

OAI = {"o": "http://www.openarchives.org/OAI/2.0/", "ri": "http://www.ivoa.net/xml/RegistryInterface/v1.0"}
GONE = "ivo://example.org/data/gone"


@pytest.fixture(scope="module")
def store() -> ListStore:
    return sample_store()


def texts(document: bytes, path: str) -> list[str]:
    found = etree.fromstring(document).xpath(path, namespaces=OAI)
    return [one if isinstance(one, str) else one.text for one in found]


def error(document: bytes) -> str:
    codes = texts(document, "/o:OAI-PMH/o:error/@code")
    assert len(codes) == 1, document
    return codes[0]


def big_store(number: int = 2 * PAGE_SIZE + 7) -> ListStore:
    """Many records, several of them with one datestamp."""
    rendered = next(iter(all_records().values()))
    return ListStore(
        {
            f"ivo://example.org/r/{i:04}": (
                CREATED + timedelta(seconds=i // 3),
                replace(rendered, identifier=f"ivo://example.org/r/{i:04}"),
            )
            for i in range(number)
        }
    )


def pages(store: ListStore, **arguments: str) -> Iterator[bytes]:
    """Every page of a list, as a harvester walks it."""
    page = ask(store, verb="ListIdentifiers", **arguments)
    yield page
    while (token := texts(page, "//o:resumptionToken")) and token[0]:
        page = ask(store, verb="ListIdentifiers", resumptionToken=token[0])
        yield page


def test_identify_describes_the_registry(store: ListStore) -> None:
    said = ask(store, verb="Identify")
    assert texts(said, "o:Identify/*[not(*)]") == [
        "Alert archive",
        f"{BASE}/oai",
        "2.0",
        "vo@example.org",
        "2025-03-04T05:06:07Z",
        "persistent",
        "YYYY-MM-DDThh:mm:ssZ",
    ]
    assert texts(said, "o:Identify/o:description/ri:Resource/identifier") == ["ivo://example.org/registry"]
    assert texts(said, "o:responseDate") == ["2026-01-02T03:04:05Z"]
    assert texts(said, "o:request[@verb='Identify']") == [f"{BASE}/oai"]


def test_identify_of_an_empty_registry(store: ListStore) -> None:
    said = ask(ListStore({}), verb="Identify")
    assert texts(said, "//o:earliestDatestamp") == ["2026-01-02T03:04:05Z"]
    assert texts(said, "//o:description") == []


def test_formats_and_sets(store: ListStore) -> None:
    assert texts(ask(store, verb="ListMetadataFormats"), "//o:metadataPrefix") == ["ivo_vor", "oai_dc"]
    assert texts(ask(store, verb="ListMetadataFormats", identifier=ALERTS_ID), "//o:metadataNamespace")[0] == OAI["ri"]
    assert error(ask(store, verb="ListMetadataFormats", identifier="ivo://example.org/none")) == "idDoesNotExist"
    assert texts(ask(store, verb="ListSets"), "//o:setSpec") == ["ivo_managed"]
    assert error(ask(store, verb="ListSets", resumptionToken="x")) == "badResumptionToken"


def test_get_record_in_both_formats(store: ListStore) -> None:
    said = ask(store, verb="GetRecord", identifier=ALERTS_ID, metadataPrefix="ivo_vor")
    assert texts(said, "//o:header/o:identifier | //o:metadata/ri:Resource/identifier") == [ALERTS_ID, ALERTS_ID]
    assert texts(said, "//o:header/o:datestamp") == texts(said, "//ri:Resource/@updated")
    assert texts(said, "//o:header/o:setSpec") == ["ivo_managed"]
    assert b"IceCube alerts</dc:title>" in ask(store, verb="GetRecord", identifier=ALERTS_ID, metadataPrefix="oai_dc")


def test_a_record_inside_an_answer_keeps_the_prefixes_of_its_types(store: ListStore) -> None:
    root = etree.fromstring(ask(store, verb="GetRecord", identifier=ALERTS_ID, metadataPrefix="ivo_vor"))
    typed = root.xpath("//*[@xsi:type]", namespaces={"xsi": "http://www.w3.org/2001/XMLSchema-instance"})
    assert len(typed) > 10
    for element in typed:
        assert element.get("{http://www.w3.org/2001/XMLSchema-instance}type").partition(":")[0] in element.nsmap


def test_identifiers_compare_without_case_and_are_given_as_registered(store: ListStore) -> None:
    said = ask(store, verb="GetRecord", identifier=ALERTS_ID.upper().replace("IVO:", "ivo:"), metadataPrefix="oai_dc")
    assert texts(said, "//o:header/o:identifier") == [ALERTS_ID]


def test_a_deleted_record_is_a_header_alone(store: ListStore) -> None:
    said = ask(store, verb="GetRecord", identifier=GONE, metadataPrefix="ivo_vor")
    assert texts(said, "//o:header[@status='deleted']/o:identifier") == [GONE]
    assert texts(said, "//o:metadata") == []
    assert GONE in texts(ask(store, verb="ListIdentifiers", metadataPrefix="ivo_vor"), "//o:header[@status='deleted']/o:identifier")


def test_list_records_has_all_of_them_in_order(store: ListStore) -> None:
    said = ask(store, verb="ListRecords", metadataPrefix="ivo_vor", set="ivo_managed")
    assert texts(said, "//o:record/o:header/o:identifier") == list(store.records)
    assert len(texts(said, "//o:record/o:metadata/ri:Resource/title")) == len(store.records) - 1
    assert texts(said, "//o:resumptionToken") == [], "a list of one page has no token"


@pytest.mark.parametrize(
    ("interval", "found"),
    [
        ({"from_": "2025-03-04T05:06:08Z", "until": "2025-03-04T05:06:09Z"}, 2),
        ({"from_": "2025-03-05"}, 1),
        ({"until": "2025-03-04"}, 9),
        ({"from_": "2025-03-04", "until": "2025-03-05"}, 10),
        ({"from_": "2025-03-04T05:06:07Z", "until": "2025-03-04T05:06:07Z"}, 1),
        ({"from_": "0001-01-01", "until": "9999-12-31"}, 10),
    ],
)
def test_intervals_include_both_ends(store: ListStore, interval: dict[str, str], found: int) -> None:
    said = ask(store, verb="ListIdentifiers", metadataPrefix="oai_dc", **interval)
    assert len(texts(said, "//o:header")) == found


TOKEN = write_token(Place("ListRecords", "ivo_vor", None, None, "2025-03-04T05:06:07Z", ALERTS_ID, 1))


def forged(**values: object) -> str:
    """A token with other values in it."""
    fields = json.loads(base64.urlsafe_b64decode(TOKEN + "=="))
    return base64.urlsafe_b64encode(json.dumps(fields | values).encode()).decode()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "badVerb"),
        ([("verb", "identify")], "badVerb"),
        ([("verb", "Identify"), ("verb", "Identify")], "badVerb"),
        ([("Verb", "Identify")], "badVerb"),
        ([("verb", "Identify"), ("junk", "1")], "badArgument"),
        ([("verb", "GetRecord"), ("metadataPrefix", "ivo_vor")], "badArgument"),
        ([("verb", "GetRecord"), ("identifier", ALERTS_ID)], "badArgument"),
        ([("verb", "GetRecord"), ("identifier", ALERTS_ID), ("identifier", ALERTS_ID), ("metadataPrefix", "ivo_vor")], "badArgument"),
        ([("verb", "GetRecord"), ("identifier", ALERTS_ID), ("metadataPrefix", "marc")], "cannotDisseminateFormat"),
        ([("verb", "GetRecord"), ("identifier", "nul\0"), ("metadataPrefix", "ivo_vor")], "idDoesNotExist"),
        ([("verb", "ListRecords")], "badArgument"),
        ([("verb", "ListRecords"), ("metadataPrefix", "")], "badArgument"),
        ([("verb", "ListRecords"), ("metadataPrefix", "a b")], "badArgument"),
        ([("verb", "ListRecords"), ("metadataPrefix", "marc")], "cannotDisseminateFormat"),
        ([("verb", "ListRecords"), ("metadataPrefix", "ivo_vor"), ("set", "other")], "noRecordsMatch"),
        ([("verb", "ListRecords"), ("metadataPrefix", "ivo_vor"), ("until", "1999-01-01")], "noRecordsMatch"),
        ([("verb", "ListRecords"), ("metadataPrefix", "ivo_vor"), ("from", "2026")], "badArgument"),
        ([("verb", "ListRecords"), ("metadataPrefix", "ivo_vor"), ("from", "2026-02-30")], "badArgument"),
        ([("verb", "ListRecords"), ("metadataPrefix", "ivo_vor"), ("from", "")], "badArgument"),
        ([("verb", "ListRecords"), ("metadataPrefix", "ivo_vor"), ("from", "2026-01-01T00:00:00")], "badArgument"),
        ([("verb", "ListRecords"), ("metadataPrefix", "ivo_vor"), ("from", "2026-01-02"), ("until", "2026-01-01")], "badArgument"),
        (
            [("verb", "ListRecords"), ("metadataPrefix", "ivo_vor"), ("from", "2025-01-01"), ("until", "2026-01-01T00:00:00Z")],
            "badArgument",
        ),
        ([("verb", "ListRecords"), ("resumptionToken", "junk")], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", "")], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", "ü")], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", TOKEN), ("metadataPrefix", "ivo_vor")], "badArgument"),
        ([("verb", "ListIdentifiers"), ("resumptionToken", TOKEN)], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", forged(stamp="yesterday"))], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", forged(stamp=None))], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", forged(identifier=7))], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", forged(identifier="\ud800"))], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", forged(prefix="marc"))], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", forged(cursor="1"))], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", forged(since=5))], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", forged(other=5))], "badResumptionToken"),
        ([("verb", "ListRecords"), ("resumptionToken", "WzFd")], "badResumptionToken"),
    ],
)
def test_errors_have_the_words_of_the_protocol(store: ListStore, arguments: list[tuple[str, str]], code: str) -> None:
    said = ask(store, arguments)
    assert error(said) == code
    assert bool(texts(said, "o:request/@*")) == (code not in ("badVerb", "badArgument"))


def test_pages_hold_every_record_once() -> None:
    store = big_store()
    walked = list(pages(store, metadataPrefix="ivo_vor"))
    assert [len(texts(page, "//o:header")) for page in walked] == [PAGE_SIZE, PAGE_SIZE, 7]
    assert [name for page in walked for name in texts(page, "//o:header/o:identifier")] == list(store.records)
    assert texts(walked[-1], "//o:resumptionToken") == [None], "the last page of several has an empty token"
    assert [texts(page, "//o:resumptionToken/@cursor")[0] for page in walked] == ["0", str(PAGE_SIZE), str(2 * PAGE_SIZE)]


def test_a_list_that_just_fills_its_pages_ends() -> None:
    assert len(list(pages(big_store(PAGE_SIZE), metadataPrefix="ivo_vor"))) == 1
    assert len(list(pages(big_store(2 * PAGE_SIZE), metadataPrefix="ivo_vor"))) == 2


def test_tokens_keep_the_interval() -> None:
    until = (CREATED + timedelta(seconds=PAGE_SIZE // 3 + 2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = [name for page in pages(big_store(), metadataPrefix="ivo_vor", until=until) for name in texts(page, "//o:identifier")]
    assert len(found) == (PAGE_SIZE // 3 + 3) * 3


def test_the_same_token_gives_the_same_page() -> None:
    store = big_store()
    token = texts(ask(store, verb="ListRecords", metadataPrefix="ivo_vor"), "//o:resumptionToken")[0]
    assert ask(store, verb="ListRecords", resumptionToken=token) == ask(store, verb="ListRecords", resumptionToken=token)


def test_records_that_change_during_a_harvest_are_not_missed() -> None:
    store = big_store()
    names = list(store.records)
    walk = pages(store, metadataPrefix="ivo_vor")
    seen = texts(next(walk), "//o:header/o:identifier")
    now = datetime(2026, 6, 1, tzinfo=UTC)
    store.records[names[-1]] = (now, store.records[names[-1]][1])
    store.records[names[0]] = (now, None)
    rest = [name for page in walk for name in texts(page, "//o:header/o:identifier")]
    assert sorted(seen + rest) == sorted([*names, names[0]])


def test_a_record_with_everything_survives_the_journey(store: ListStore) -> None:
    stored = ask(store, verb="GetRecord", identifier=ALERTS_ID, metadataPrefix="ivo_vor")
    assert texts(stored, "//ri:Resource/title") == [ALERTS.title]
    assert stored.endswith(b"</oai:OAI-PMH>")
