"""Records as rows of the relational registry: every column says what the record says, as RegTAP wants it spelt."""

import pytest
from registry_samples import ALERTS_ID, NOW, all_records

from vo_registry.records import relational_rows
from vo_server.model.regtap import TABLES

Rows = dict[str, list[dict[str, object]]]


@pytest.fixture(scope="module")
def rows() -> dict[str, Rows]:
    return {identifier: relational_rows(record.dated(NOW, NOW)[0]) for identifier, record in all_records().items()}


def test_rows_have_the_columns_of_their_tables(rows: dict[str, Rows]) -> None:
    columns = {table.name: {column.name for column in table.columns} for table in TABLES}
    for tables in rows.values():
        assert tables.keys() == columns.keys()
        assert all(row.keys() == columns[name] for name, found in tables.items() for row in found)


def test_identifiers_and_types_are_in_lower_case_and_no_text_is_empty(rows: dict[str, Rows]) -> None:
    resource = rows[ALERTS_ID]["resource"][0]
    assert (resource["ivoid"], resource["res_type"], resource["content_level"]) == (ALERTS_ID.lower(), "vs:catalogservice", "research")
    assert (resource["created"], resource["updated"]) == ("2026-01-02T03:04:05", "2026-01-02T03:04:05")
    assert [row["standard_id"] for row in rows[ALERTS_ID]["capability"]] == ["ivo://ivoa.net/std/tap#aux", "ivo://ivoa.net/std/conesearch"]
    values = [value for tables in rows.values() for found in tables.values() for row in found for value in row.values()]
    assert all(value.strip() == value != "" for value in values if isinstance(value, str))


def test_children_point_at_their_parents(rows: dict[str, Rows]) -> None:
    tap = rows["ivo://example.org/tap"]
    capabilities = {row["cap_index"] for row in tap["capability"]}
    assert {row["cap_index"] for row in tap["interface"]} == capabilities == set(range(1, len(capabilities) + 1))
    alerts = rows[ALERTS_ID]
    assert {row["intf_index"] for row in alerts["intf_param"]} <= {row["intf_index"] for row in alerts["interface"]}
    assert {row["table_index"] for row in alerts["table_column"]} == {row["table_index"] for row in alerts["res_table"]}
    assert {row["schema_index"] for row in alerts["res_table"]} == {1}
    assert all(row["authenticated_only"] == 0 for row in alerts["interface"])


def test_people_dates_and_relations(rows: dict[str, Rows]) -> None:
    alerts = rows[ALERTS_ID]
    assert [(row["base_role"], row["role_name"]) for row in alerts["res_role"]][:2] == [
        ("contact", "VO service operators"),
        ("publisher", "Institute of Examples"),
    ]
    assert alerts["res_role"][0]["email"] == "vo@example.org"
    assert ("isservedby", "ivo://example.org/tap") in [(row["relationship_type"], row["related_id"]) for row in alerts["relationship"]]
    served = rows["ivo://example.org/tap"]["relationship"]
    assert ("isservicefor", ALERTS_ID.lower()) in [(row["relationship_type"], row["related_id"]) for row in served]
    assert {row["value_role"] for row in alerts["res_date"]} == {"created"}


def test_coverage_is_numbers(rows: dict[str, Rows]) -> None:
    alerts = rows[ALERTS_ID]
    assert "/" in str(alerts["stc_spatial"][0]["coverage"])
    (times,) = alerts["stc_temporal"]
    assert isinstance(times["time_start"], float)
    assert isinstance(times["time_end"], float)
    assert times["time_start"] < times["time_end"]


def test_details_say_where_they_were_found(rows: dict[str, Rows]) -> None:
    found = {(row["cap_index"], row["detail_xpath"]): row["detail_value"] for row in rows["ivo://example.org/tap"]["res_detail"]}
    assert found[1, "/capability/dataModel/@ivo-id"] == "ivo://ivoa.net/std/ObsCore#core-1.1"
    registry = {row["detail_xpath"]: row["detail_value"] for row in rows["ivo://example.org/registry"]["res_detail"]}
    assert (registry["/full"], registry["/managedAuthority"]) == ("false", "example.org")


def test_a_relation_says_its_kind_of_each_that_is_related() -> None:
    record = all_records()["ivo://example.org/tap"].dated(NOW, NOW)[0]
    one = "<relatedResource"
    several = record.replace(one, '<relatedResource ivo-id="ivo://Example.org/other">Other</relatedResource>' + one, 1)
    rows = [(row["relationship_type"], row["related_id"], row["related_name"]) for row in relational_rows(several)["relationship"]]
    assert rows == [("isservicefor", "ivo://example.org/other", "Other"), ("isservicefor", ALERTS_ID.lower(), "IceCube alerts")]
