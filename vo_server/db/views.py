"""Views: tables that are ADQL queries over others. Their SQL is made anew for each snapshot of the catalogue, from what it holds."""

from dataclasses import replace

from vo_server.adql import parse, resolve
from vo_server.errors import VoError
from vo_server.model.catalogue import Catalogue, Table
from vo_server.sql.queries import row_source


def with_views(catalogue: Catalogue) -> tuple[Catalogue, dict[str, VoError]]:
    """The catalogue with the SQL of its views, in whatever order they are made of each other; and why those left out cannot be made."""
    made = {table.full_name: table for table in catalogue.tables if table.view is None}
    waiting = {table.full_name: table for table in catalogue.tables if table.view is not None}
    faults: dict[str, VoError] = {}
    while waiting:
        known = replace(catalogue, tables=tuple(made.values()))
        faults = {}
        for name, table in waiting.items():
            try:
                made[name] = _made(table, known)
            except VoError as error:
                faults[name] = error
        if len(faults) == len(waiting):
            break
        waiting = {name: table for name, table in waiting.items() if name in faults}
    return replace(catalogue, tables=tuple(made[table.full_name] for table in catalogue.tables if table.full_name in made)), faults


def _made(view: Table, known: Catalogue) -> Table:
    query = resolve(parse(view.view or ""), known)
    if len(query.columns) != len(view.columns):
        raise VoError(
            f"{view.full_name} has {len(view.columns)} columns, and its query {len(query.columns)} now.", hint="Publish it again."
        )
    return replace(view, physical=row_source(query, view.columns))
