"""A service that rows of a result can be handed to, as the result itself describes it (DataLink 1.1 §4)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceParam:
    """An input parameter (DataLink 1.1 §4.3): given by ``value``, or by the column named ``ref`` of each row, or left to the user, whom
    ``minimum``, ``maximum`` and ``options`` tell what makes sense. ``datatype`` and ``arraysize`` are VOTable's.
    """

    name: str
    datatype: str = "char"
    arraysize: str | None = "*"
    value: str = ""
    ref: str | None = None
    unit: str | None = None
    ucd: str | None = None
    xtype: str | None = None
    utype: str | None = None
    description: str | None = None
    minimum: str | None = None
    maximum: str | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.value and self.ref:
            raise ValueError(f"parameter {self.name}: either a value or a column gives it, not both")


@dataclass(frozen=True, slots=True)
class ServiceDescriptor:
    """A service (DataLink 1.1 §4.1–4.2). ``id`` is an XML ID, unique in the document; a links table names it in service_def.
    ``content_type`` is what the service answers with, ``examples`` are addresses that do something useful.
    """

    id: str
    access_url: str
    params: tuple[ServiceParam, ...]
    standard_id: str | None = None
    name: str | None = None
    description: str | None = None
    resource_identifier: str | None = None
    content_type: str | None = None
    examples: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the result that its parameters are taken from."""
        return frozenset(param.ref for param in self.params if param.ref)
