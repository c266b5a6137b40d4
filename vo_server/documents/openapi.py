"""A description of HTTP operations that tools read (OpenAPI 3.1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vo_server.model.capability import InputParam

VERSION = "3.1.0"
TYPES = {"integer": "integer", "real": "number", "boolean": "boolean"}
"""datatype of an InputParam → type of JSON Schema; all others are strings."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one address. ``path`` has its variables in braces; ``params`` go into the query string, or into the form of a POST;
    ``media_types`` are those of a successful answer, ``succeeds`` its status; ``files``: the form may carry them.
    """

    path: str
    method: str
    tag: str
    summary: str
    media_types: tuple[str, ...]
    params: tuple[InputParam, ...] = ()
    variables: tuple[str, ...] = ()
    succeeds: str = "200"
    files: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """Who offers the operations, and where."""

    title: str
    description: str
    version: str
    url: str
    contact: tuple[str, str]
    """Name and e-mail address."""


def openapi(about: About, operations: Iterable[Operation], tags: Mapping[str, str]) -> dict[str, Any]:
    """The document; `tags` say what their operations have in common."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    used = {operation["tags"][0] for methods in paths.values() for operation in methods.values()}
    name, email = about.contact
    return {
        "openapi": VERSION,
        "info": {
            "title": about.title,
            "description": about.description,
            "version": about.version,
            "contact": {"name": name, "email": email},
        },
        "servers": [{"url": about.url}],
        "tags": [{"name": tag, "description": text} for tag, text in tags.items() if tag in used],
        "paths": paths,
    }


def _operation(operation: Operation) -> dict[str, Any]:
    in_form = operation.method == "POST"
    words = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": _operation_id(operation),
        "parameters": [*map(_variable, operation.variables), *([] if in_form else map(_parameter, operation.params))],
        "responses": _responses(operation),
    }
    return words | ({"requestBody": _form(operation)} if in_form else {})


def _operation_id(operation: Operation) -> str:
    words = operation.path.replace("{", "").replace("}", "").replace(".", "/").split("/")
    return "_".join([operation.method.lower(), *filter(None, words)])


def _variable(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameter(param: InputParam) -> dict[str, Any]:
    return {
        "name": param.name,
        "in": "query",
        "required": param.use == "required",
        "description": _words(param),
        "schema": _schema(param),
    }


def _form(operation: Operation) -> dict[str, Any]:
    fields = {param.name: _schema(param) | {"description": _words(param)} for param in operation.params}
    required = [param.name for param in operation.params if param.use == "required"]
    schema: dict[str, Any] = {"type": "object", "properties": fields} | ({"required": required} if required else {})
    return {"content": {form: {"schema": schema} for form in (FORMS if operation.files else FORMS[:1])}}


def _words(param: InputParam) -> str:
    return f"{param.description} [{param.unit}]" if param.unit else param.description


def _schema(param: InputParam) -> dict[str, Any]:
    # several numbers in one value, or an interval, are text
    return {"type": TYPES.get(param.datatype, "string") if param.arraysize is None else "string"}


def _responses(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {media_type: {} for media_type in operation.media_types}
    done: dict[str, Any] = {"description": "See other" if operation.succeeds == "303" else "Success"}
    if content:
        done["content"] = content
    return {operation.succeeds: done, "default": {"description": "An error: what was wrong, where, and what to do."}}
