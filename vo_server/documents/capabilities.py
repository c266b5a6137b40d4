"""Capability elements, the same for VOSI and for registry records (VOResource 1.2 §3.2, TAPRegExt 1.0, SimpleDALRegExt 1.2)."""

from collections.abc import Callable, Iterable
from typing import Any

from vo_server.documents.xml import Element, add, add_texts
from vo_server.model.capability import (
    Capability,
    ConeSearch,
    Harvest,
    InputParam,
    Interface,
    Language,
    LanguageFeature,
    Limits,
    SimpleImageAccess,
    SimpleSpectralAccess,
    TableAccess,
)


def prefixes(capabilities: Iterable[Capability]) -> set[str]:
    """The prefixes that the ``xsi:type`` values of `capabilities` need; a document declares them at its root."""
    types = {kind for one in capabilities for kind in (one.xsi_type, *(interface.type for interface in one.interfaces)) if kind}
    return {kind.partition(":")[0] for kind in types}


def add_capability(parent: Element, capability: Capability) -> None:
    """One ``capability`` child: description, interfaces, then what its type adds."""
    element = add(parent, "capability", attributes={"standardID": capability.standard_id, "xsi:type": capability.xsi_type})
    add_texts(element, "description", capability.description)
    for interface in capability.interfaces:
        add_interface(element, interface)
    for kind, fill in CONTENTS:
        if isinstance(capability, kind):
            fill(element, capability)


def add_interface(parent: Element, interface: Interface) -> None:
    """One ``interface`` child. Anonymous access is said by saying nothing of security (SSO 2.0 §3)."""
    element = add(parent, "interface", attributes={"xsi:type": interface.type, "role": interface.role, "version": interface.version})
    add(element, "accessURL", interface.url, {"use": interface.use})
    add_texts(element, "testQueryString", interface.test_query)
    add_texts(element, "queryType", *interface.query_types)
    add_texts(element, "resultType", interface.result_type)
    for param in interface.params:
        _add_param(element, param)


def _add_param(parent: Element, param: InputParam) -> None:
    element = add(parent, "param", attributes={"use": param.use, "std": _boolean(param.std)})
    add_texts(element, "name", param.name)
    add_texts(element, "description", param.description)
    add_texts(element, "unit", param.unit)
    add_texts(element, "ucd", param.ucd)
    add(element, "dataType", param.datatype, {"arraysize": param.arraysize})


def _fill_table_access(element: Element, access: TableAccess) -> None:
    """TAPRegExt 1.0 §2. Each limit stands at most once and without forMode: readers of 1.0 know no other shape."""
    for name, ivoid in access.data_models:
        add(element, "dataModel", name, {"ivo-id": ivoid})
    for language in access.languages:
        _add_language(element, language)
    for output in access.output_formats:
        child = add(element, "outputFormat", attributes={"ivo-id": output.ivoid})
        add(child, "mime", output.mime)
        add_texts(child, "alias", *output.aliases)
    for method in access.upload_methods:
        add(element, "uploadMethod", attributes={"ivo-id": method})
    _add_limits(element, "retentionPeriod", access.retention_s)
    _add_limits(element, "executionDuration", access.duration_s)
    _add_limits(element, "outputLimit", access.output_limit)
    _add_limits(element, "uploadLimit", access.upload_limit)


def _add_language(parent: Element, language: Language) -> None:
    element = add(parent, "language")
    add(element, "name", language.name)
    for text, ivoid in language.versions:
        add(element, "version", text, {"ivo-id": ivoid})
    add_texts(element, "description", language.description)
    for feature in language.features:
        _add_features(element, feature)


def _add_features(parent: Element, feature: LanguageFeature) -> None:
    element = add(parent, "languageFeatures", attributes={"type": feature.type})
    for form, description in feature.forms:
        child = add(element, "feature")
        add(child, "form", form)
        add_texts(child, "description", description)


def _add_limits(parent: Element, name: str, limits: Limits | None) -> None:
    """Seconds are bare numbers, rows and bytes carry their unit (TAPRegExt 1.0 §2.6)."""
    if limits is None:
        return
    element = add(parent, name)
    attributes = {"unit": limits.unit if limits.unit != "s" else None}
    add(element, "default", str(limits.default), attributes)
    add(element, "hard", str(limits.hard), attributes)


def _fill_cone_search(element: Element, cone: ConeSearch) -> None:
    """SimpleDALRegExt 1.2 §3.1."""
    add(element, "maxSR", repr(cone.max_sr))
    add(element, "maxRecords", str(cone.max_records))
    add(element, "verbosity", _boolean(cone.verbosity))
    if cone.test_query is not None:
        query = add(element, "testQuery")
        for name, value in zip(("ra", "dec", "sr"), cone.test_query, strict=True):
            add(query, name, repr(value))
        add_texts(query, "catalog", cone.test_table)


def _fill_image_access(element: Element, images: SimpleImageAccess) -> None:
    """SimpleDALRegExt 1.2 §3.2."""
    add(element, "imageServiceType", images.image_service_type)
    _add_size(element, "maxQueryRegionSize", images.max_query_region_size)
    _add_size(element, "maxImageExtent", images.max_image_extent)
    for name, number in (
        ("maxImageSize", images.max_image_size),
        ("maxFileSize", images.max_file_size),
        ("maxRecords", images.max_records),
    ):
        add_texts(element, name, None if number is None else str(number))
    if images.test_query is not None:
        position, size = images.test_query
        query = add(element, "testQuery")
        _add_size(query, "pos", position)
        _add_size(query, "size", size)


def _fill_spectral_access(element: Element, spectra: SimpleSpectralAccess) -> None:
    """SimpleDALRegExt 1.2 §3.3."""
    add(element, "complianceLevel", spectra.compliance)
    add_texts(element, "dataSource", *spectra.data_sources)
    add_texts(element, "creationType", *spectra.creation_types)
    add_texts(element, "supportedFrame", *spectra.frames)
    for name, number in (
        ("maxSearchRadius", spectra.max_search_radius),
        ("maxRecords", spectra.max_records),
        ("defaultMaxRecords", spectra.default_max_records),
    ):
        add_texts(element, name, None if number is None else repr(number))
    if spectra.test_query is not None:
        position, size = spectra.test_query
        query = add(element, "testQuery")
        _add_size(query, "pos", position)
        add(query, "size", repr(size))
        add(query, "queryDataCmd", "POS={},{}&SIZE={}".format(*position, size))


def _add_size(parent: Element, name: str, degrees: tuple[float, float] | None) -> None:
    if degrees is not None:
        element = add(parent, name)
        add(element, "long", repr(degrees[0]))
        add(element, "lat", repr(degrees[1]))


def _fill_harvest(element: Element, harvest: Harvest) -> None:
    """RegistryInterfaces 1.1 §3.2: 0 means that pages have no promised size."""
    add(element, "maxRecords", str(harvest.max_records))


def _boolean(value: bool) -> str:
    return "true" if value else "false"


CONTENTS: tuple[tuple[type[Capability], Callable[[Element, Any], None]], ...] = (
    (TableAccess, _fill_table_access),
    (ConeSearch, _fill_cone_search),
    (SimpleImageAccess, _fill_image_access),
    (SimpleSpectralAccess, _fill_spectral_access),
    (Harvest, _fill_harvest),
)
"""What each extended type writes after its interfaces."""
