"""The relational registry: the tables of the schema ``rr`` (RegTAP 1.2 §8), and where in a record each of their values stands.

The utypes of RegTAP are paths into VOResource (§7), so they are what values are read by: one table says it for both.
"""

from dataclasses import dataclass
from typing import Literal

from vo_server.model.columns import Column

SCHEMA = "rr"
UTYPE = "ivo://ivoa.net/std/regtap#1.2"
DESCRIPTION = (
    "The registry records of everything published here, as tables (RegTAP): this registry's own records, not those of the whole VO"
)

Rule = Literal["as is", "lower", "hash list", "lower hash list", "semicolon list"]
"""How texts become one value: case (RegTAP 1.2 §5.3), and what stands between several."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column; ``path`` is where its value stands, below the table's context or, with a ``/``, below the record. None: it is counted."""

    column: Column
    path: str | None
    rule: Rule = "as is"


@dataclass(frozen=True, slots=True)
class RegistryTable:
    """A table with a row for each element at ``context`` (``"."``: the record itself; None: its rows are made otherwise)."""

    name: str
    description: str
    utype: str | None
    context: str | None
    fields: tuple[Field, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns, in order."""
        return tuple(field.column for field in self.fields)


def _field(column: Column, path: str | None, rule: Rule) -> Field:
    return Field(column, path, rule)


def _text(
    name: str, path: str | None, description: str, rule: Rule = "as is", *, principal: bool = False, xtype: str | None = None
) -> Field:
    utype = f"xpath:{path}" if path else None
    return _field(Column(name, "unicodeChar", "*", xtype, None, None, utype, description, principal=principal, std=True), path, rule)


def _word(name: str, path: str | None, description: str, rule: Rule = "lower", *, principal: bool = False) -> Field:
    """A text of ASCII letters that clients compare, mostly in lower case."""
    utype = f"xpath:{path}" if path else None
    return _field(Column(name, "char", "*", None, None, None, utype, description, principal=principal, std=True), path, rule)


def _number(name: str, path: str | None, description: str, datatype: str = "int", unit: str | None = None) -> Field:
    utype = f"xpath:{path}" if path else None
    return _field(Column(name, datatype, None, None, unit, None, utype, description, std=True), path, "as is")


def _moment(name: str, path: str, description: str) -> Field:
    return _field(Column(name, "char", "*", "timestamp", None, None, f"xpath:{path}", description, std=True), path, "as is")


def _key(name: str, what: str) -> Field:
    """Part of a key behind ivoid, which alone has an index: a record has few of them."""
    return _number(name, None, f"Number of the {what} within its record")


IVOID = Field(
    Column("ivoid", "char", "*", None, None, None, "xpath:/identifier", "The record it belongs to", indexed=True, principal=True, std=True),
    "/identifier",
    "lower",
)

TYPED = (
    _word("datatype", "dataType", "Type of its values"),
    _word("extended_schema", "dataType/@extendedSchema", "Which list of types extended_type is taken from", "as is"),
    _word("extended_type", "dataType/@extendedType", "What the values mean together, such as timestamp or point", "as is"),
    _word("arraysize", "dataType/@arraysize", "Number of elements of a value, in VOTable's syntax", "as is"),
    _word("delim", "dataType/@delim", "What stands between elements of a value", "as is"),
)
"""Of columns and of parameters."""

DESCRIBED = (
    _word("ucd", "ucd", "Unified content descriptor", principal=True),
    _word("unit", "unit", "Unit of its values", "as is", principal=True),
    _word("utype", "utype", "Its place in a data model"),
    _number("std", "@std", "1: a standard defines it; 0: it does not"),
)
"""Of columns and of parameters."""

RESOURCE = RegistryTable(
    "resource",
    "Records: services, data collections, organisations",
    "xpath:/",
    ".",
    (
        Field(
            Column(
                "ivoid",
                "char",
                "*",
                None,
                None,
                None,
                "xpath:identifier",
                "Identifier of the record",
                indexed=True,
                principal=True,
                std=True,
            ),
            "identifier",
            "lower",
        ),
        _word("res_type", "@xsi:type", "Type of the record, such as vs:catalogservice", principal=True),
        _moment("created", "@created", "When the record was made (UTC)"),
        _text("short_name", "shortName", "A name of at most 16 characters", principal=True),
        _text("res_title", "title", "Its title", principal=True),
        _moment("updated", "@updated", "When the record was last changed (UTC)"),
        _word("content_level", "content/contentLevel", "For whom it is: words joined by #", "lower hash list"),
        _text("res_description", "content/description", "What it is", principal=True),
        _text("reference_url", "content/referenceURL", "Address of a page about it", principal=True),
        _text("creator_seq", "curation/creator/name", "Its authors in order, separated by semicolons", "semicolon list"),
        _word("content_type", "content/type", "What kind of thing it is: words joined by #", "lower hash list"),
        _word("source_format", "content/source/@format", "What source_value is, such as bibcode"),
        _text("source_value", "content/source", "The publication it comes from"),
        _text("res_version", "curation/version", "Its version"),
        _number("region_of_regard", "coverage/regionOfRegard", "Angle by which positions may be off", "float", "deg"),
        _word("waveband", "coverage/waveband", "Bands and messengers it covers: words joined by #", "lower hash list", principal=True),
        _text("rights", "/rights", "What may be done with it"),
        _text("rights_uri", "/rights/@rightsURI", "Address of its licence"),
    ),
)

TABLES: tuple[RegistryTable, ...] = (
    RESOURCE,
    RegistryTable(
        "res_role",
        "People and organisations behind a resource",
        None,
        None,
        (
            IVOID,
            _text("role_name", None, "Name of the person or organisation", principal=True),
            _word("role_ivoid", None, "Its identifier in the registry"),
            _text("street_address", None, "Where it can be written to"),
            _text("email", None, "Its e-mail address"),
            _text("telephone", None, "Its telephone number"),
            _text("logo", None, "Address of its logo"),
            _word("base_role", None, "What it is to the resource: contact, publisher, creator or contributor", principal=True),
        ),
    ),
    RegistryTable(
        "res_subject",
        "What resources are about",
        "xpath:/content/",
        "content/subject",
        (
            IVOID,
            Field(
                Column(
                    "res_subject",
                    "unicodeChar",
                    "*",
                    None,
                    None,
                    None,
                    "xpath:subject",
                    "A subject (mostly of the UAT)",
                    principal=True,
                    std=True,
                ),
                ".",
            ),
        ),
    ),
    RegistryTable(
        "capability",
        "What services can do",
        "xpath:/capability/",
        "capability",
        (
            IVOID,
            _key("cap_index", "capability"),
            _word("cap_type", "@xsi:type", "Type of the capability"),
            _text("cap_description", "description", "What it does", principal=True),
            _word("standard_id", "@standardID", "The standard it follows", principal=True),
        ),
    ),
    RegistryTable(
        "res_schema",
        "Groups of tables",
        "xpath:/tableset/schema/",
        "tableset/schema",
        (
            IVOID,
            _key("schema_index", "schema"),
            _text("schema_description", "description", "What the group holds"),
            _text("schema_name", "name", "Name of the group", "lower"),
            _text("schema_title", "title", "Title of the group"),
            _word("schema_utype", "utype", "Its data model"),
        ),
    ),
    RegistryTable(
        "res_table",
        "Tables of resources",
        "xpath:/(tableset/schema/|)table/",
        "tableset/schema/table",
        (
            IVOID,
            _key("schema_index", "schema the table belongs to"),
            _text("table_description", "description", "What the table holds"),
            _text("table_name", "name", "Name of the table, as it is written in a query", principal=True),
            _key("table_index", "table"),
            _text("table_title", "title", "Title of the table"),
            _word("table_type", "@type", "Its role, such as view or output"),
            _word("table_utype", "utype", "Its data model"),
        ),
    ),
    RegistryTable(
        "table_column",
        "Columns of tables",
        "xpath:/(tableset/schema/|)/table/column/",
        "tableset/schema/table/column",
        (
            IVOID,
            _key("table_index", "table the column belongs to"),
            _text("name", "name", "Name of the column", "lower", principal=True),
            *DESCRIBED,
            *TYPED,
            _word("type_system", "dataType/@xsi:type", "Which list of types datatype is taken from"),
            _word("flag", "flag", "Its traits, such as indexed: words joined by #", "hash list"),
            _text("column_description", "description", "What the column holds", principal=True),
        ),
    ),
    RegistryTable(
        "interface",
        "Where services are",
        "xpath:/capability/interface/",
        "capability/interface",
        (
            IVOID,
            _key("cap_index", "capability the interface belongs to"),
            _key("intf_index", "interface"),
            _word("intf_type", "@xsi:type", "Type of the interface, such as vs:paramhttp or vr:webbrowser", principal=True),
            _word("intf_role", "@role", "std: it is what the capability's standard says", principal=True),
            _word("std_version", "@version", "Version of the standard"),
            _word("query_type", "queryType", "Methods of HTTP it takes: words joined by #", "lower hash list"),
            _word("result_type", "resultType", "Media type of its answers"),
            _text("wsdl_url", "wsdlURL", "Address of its WSDL"),
            _word("url_use", "accessURL/@use", "full: the address is complete; base: parameters follow"),
            _text("access_url", "accessURL", "Its address", principal=True),
            _text("mirror_url", "mirrorURL", "Other addresses of the same, joined by #", "hash list"),
            _number("authenticated_only", None, "1: only for those who log in; 0: for everybody"),
        ),
    ),
    RegistryTable(
        "intf_param",
        "Parameters of services",
        "xpath:/capability/interface/param/",
        "capability/interface/param",
        (
            IVOID,
            _key("intf_index", "interface the parameter belongs to"),
            _text("name", "name", "Name of the parameter", principal=True),
            *DESCRIBED,
            *TYPED,
            _word("param_use", "@use", "Whether it must be given: required, optional or ignored"),
            _text("param_description", "description", "What the parameter means", principal=True),
        ),
    ),
    RegistryTable(
        "relationship",
        "How resources belong together",
        "xpath:/content/relationship/",
        "content/relationship/relatedResource",
        (
            IVOID,
            _word("relationship_type", None, "What the other is to this one, such as isservedby", principal=True),
            Field(
                Column(
                    "related_id",
                    "char",
                    "*",
                    None,
                    None,
                    None,
                    "xpath:relatedResource/@ivo-id",
                    "Identifier of the other",
                    principal=True,
                    std=True,
                ),
                "@ivo-id",
                "lower",
            ),
            Field(
                Column("related_name", "unicodeChar", "*", None, None, None, "xpath:relatedResource", "Name of the other", std=True), "."
            ),
        ),
    ),
    RegistryTable(
        "validation",
        "How good records were found to be",
        "xpath:/(capability/|)validationLevel",
        "validationLevel",
        (
            IVOID,
            Field(
                Column("validated_by", "char", "*", None, None, None, "xpath:validationLevel/@validatedBy", "Who looked", std=True),
                "@validatedBy",
                "lower",
            ),
            Field(Column("val_level", "int", utype="xpath:validationLevel", description="The grade, from 0 to 4", std=True), "."),
            _key("cap_index", "capability that was looked at, NULL for the whole record"),
        ),
    ),
    RegistryTable(
        "res_date",
        "What happened to resources, and when",
        "xpath:/curation/",
        "curation/date",
        (
            IVOID,
            Field(Column("date_value", "char", "*", "timestamp", utype="xpath:date", description="When it happened", std=True), "."),
            Field(
                Column("value_role", "char", "*", utype="xpath:date/@role", description="What happened, such as created", std=True),
                "@role",
                "lower",
            ),
        ),
    ),
    RegistryTable(
        "res_detail",
        "Other things that records say, by their places in the record",
        None,
        None,
        (
            IVOID,
            _key("cap_index", "capability it is about, NULL for the whole record"),
            _word("detail_xpath", None, "Where in the record it stands", "as is", principal=True),
            _text("detail_value", None, "What it says", principal=True),
        ),
    ),
    RegistryTable(
        "alt_identifier",
        "Other identifiers of resources and their authors: DOIs, ORCID iDs",
        "xpath:/(curation/creator/|)altIdentifier",
        ".//altIdentifier",
        (
            IVOID,
            Field(Column("alt_identifier", "unicodeChar", "*", description="The identifier, as a URI", principal=True, std=True), "."),
        ),
    ),
    RegistryTable(
        "stc_spatial",
        "Where on the sky the data lie",
        "xpath:/coverage/spatial",
        "coverage/spatial",
        (
            IVOID,
            Field(
                Column("coverage", "char", "*", "moc", utype="xpath:.", description="The region, as a MOC (ICRS)", indexed=True, std=True),
                ".",
            ),
            _word("ref_system_name", "@frame", "Reference system; NULL: the sky"),
        ),
    ),
    RegistryTable(
        "stc_temporal",
        "When the data were taken",
        "xpath:/coverage/temporal",
        "coverage/temporal",
        (
            IVOID,
            Field(Column("time_start", "double", unit="d", utype="xpath:.", description="Begin of an interval (MJD, TDB)", std=True), "."),
            Field(Column("time_end", "double", unit="d", utype="xpath:.", description="End of the interval (MJD, TDB)", std=True), "."),
        ),
    ),
    RegistryTable(
        "stc_spectral",
        "Which energies the data cover",
        "xpath:/coverage/spectral",
        "coverage/spectral",
        (
            IVOID,
            Field(Column("spectral_start", "double", unit="J", utype="xpath:.", description="Least energy of an interval", std=True), "."),
            Field(
                Column("spectral_end", "double", unit="J", utype="xpath:.", description="Greatest energy of the interval", std=True), "."
            ),
        ),
    ),
)

TAP_TABLE = RegistryTable(
    "tap_table",
    "Tables that can be queried by TAP, each once",
    None,
    None,
    (
        _word("resid", None, "Record that describes the table best", principal=True),
        _word("svcid", None, "Record of the TAP service", principal=True),
        _text("table_name", "name", "Name of the table, as it is written in a query", principal=True),
        _text("table_title", "title", "Title of the table"),
        _text("table_description", "description", "What the table holds", principal=True),
        _word("table_utype", "utype", "Its data model"),
    ),
)
"""A view over the others (RegTAP 1.2 §8.18)."""

ROLES: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "contact",
        "curation/contact",
        {
            "role_name": "name",
            "role_ivoid": "name/@ivo-id",
            "street_address": "address",
            "email": "email",
            "telephone": "telephone",
        },
    ),
    ("publisher", "curation/publisher", {"role_name": ".", "role_ivoid": "@ivo-id"}),
    ("creator", "curation/creator", {"role_name": "name", "role_ivoid": "name/@ivo-id", "logo": "logo"}),
    ("contributor", "curation/contributor", {"role_name": ".", "role_ivoid": "@ivo-id"}),
)
"""base_role, the elements, and where they say what res_role holds (RegTAP 1.2 §8.2)."""

DETAILS: tuple[str, ...] = (
    "accessURL",
    "capability/complianceLevel",
    "capability/creationType",
    "capability/dataModel",
    "capability/dataModel/@ivo-id",
    "capability/dataSource",
    "capability/defaultMaxRecords",
    "capability/executionDuration/default",
    "capability/executionDuration/hard",
    "capability/imageServiceType",
    "capability/interface/securityMethod/@standardID",
    "capability/interface/testQueryString",
    "capability/language/name",
    "capability/language/version/@ivo-id",
    "capability/maxAperture",
    "capability/maxFileSize",
    "capability/maxImageExtent/lat",
    "capability/maxImageExtent/long",
    "capability/maxImageSize",
    "capability/maxQueryRegionSize/lat",
    "capability/maxQueryRegionSize/long",
    "capability/maxRecords",
    "capability/maxSR",
    "capability/maxSearchRadius",
    "capability/outputFormat/@ivo-id",
    "capability/outputFormat/alias",
    "capability/outputFormat/mime",
    "capability/outputLimit/default",
    "capability/outputLimit/default/@unit",
    "capability/outputLimit/hard",
    "capability/outputLimit/hard/@unit",
    "capability/retentionPeriod/default",
    "capability/retentionPeriod/hard",
    "capability/supportedFrame",
    "capability/testQuery/catalog",
    "capability/testQuery/dec",
    "capability/testQuery/extras",
    "capability/testQuery/pos/lat",
    "capability/testQuery/pos/long",
    "capability/testQuery/pos/refframe",
    "capability/testQuery/queryDataCmd",
    "capability/testQuery/ra",
    "capability/testQuery/size",
    "capability/testQuery/size/lat",
    "capability/testQuery/size/long",
    "capability/testQuery/sr",
    "capability/testQuery/verb",
    "capability/uploadLimit/default",
    "capability/uploadLimit/default/@unit",
    "capability/uploadLimit/hard",
    "capability/uploadLimit/hard/@unit",
    "capability/uploadMethod/@ivo-id",
    "capability/verbosity",
    "coverage/footprint",
    "coverage/footprint/@ivo-id",
    "facility",
    "format",
    "full",
    "instrument",
    "instrument/@ivo-id",
    "managedAuthority",
    "managingOrg",
    "rights",
    "rights/@rightsURI",
)
"""What res_detail holds, where a record says it (RegTAP 1.2 appendix A)."""
