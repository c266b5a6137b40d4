"""A descriptor of a collection: one TOML file that says of a directory of observations what its files do not."""

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vo_server.errors import DataError
from vo_server.observations.words import Said, checked
from vo_server.publish.descriptor import ResourceSection


class CollectionSection(BaseModel):
    """The collection, and where its files lie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Name of the collection; becomes obs_collection.", min_length=1)
    source: str = Field(".", description="Directory of the files, relative to the descriptor.")


class SpectrumSection(BaseModel):
    """Where in the files of a collection the spectra stand, if it cannot be told from names, UCDs and units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: str | None = Field(None, description="Column with wavelengths, frequencies or energies.")
    axis_unit: str | None = Field(None, description='Its unit, such as "Angstrom"; also of a WCS without one.')
    flux: str | None = Field(None, description="Column with fluxes.")


class CollectionDescriptor(BaseModel):
    """A descriptor file of a collection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: CollectionSection
    spectrum: SpectrumSection = Field(default_factory=lambda: SpectrumSection.model_validate({}), description="For `vo publish-spectra`.")
    resource: ResourceSection = Field(default_factory=lambda: ResourceSection.model_validate({}))
    values: dict[str, Any] = Field(
        default_factory=dict, description='ObsCore columns that the files do not say; also band = "100 GeV..10 TeV", time = "2008..2015".'
    )
    files: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="The same by patterns of file names, whatever the files say."
    )

    def said(self, where: str) -> Said:
        """The values, checked. UsageError names the file `where` and what does not fit."""
        patterns = tuple((pattern, checked(values, f"{where}: {pattern}")) for pattern, values in self.files.items())
        return Said(checked(self.values, where), patterns)


def read_collection(path: Path) -> CollectionDescriptor:
    """The descriptor in a TOML file. DataError names the key that does not fit."""
    try:
        return CollectionDescriptor.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError("there is no such file.", source=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"this is not TOML: {error}.", source=path.name) from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise DataError(f"{faults}.", source=path.name, hint="All keys are in schemas/collection.schema.json.") from None


def collection_schema() -> str:
    """The JSON Schema of a collection's descriptor, as ``schemas/collection.schema.json`` holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **CollectionDescriptor.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
