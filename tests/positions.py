"""Tables of positions with their cells and index, as publishing makes them."""

import numpy as np
import psycopg

from vo_server.sky.cells import cells_of

PLACELESS = 3
"""Rows of every table that have no position: one coordinate is missing, or NaN. Their ids are negative."""


def fill(connection: psycopg.Connection, table: str, ra: np.ndarray, dec: np.ndarray) -> None:
    """A new table of positions (degrees) with their places for ids, and PLACELESS more."""
    connection.execute(f'CREATE TABLE {table} (id int, ra float8, "dec" float8, _hpx29 bigint)'.encode())
    with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
        for row in zip(range(len(ra)), ra.tolist(), dec.tolist(), cells_of(ra, dec).tolist(), strict=True):
            copy.write_row(row)
    connection.execute(f"INSERT INTO {table} VALUES (-1, NULL, 0, NULL), (-2, 'NaN', 0, NULL), (-3, 0, NULL, NULL)".encode())
    connection.execute(f"CREATE INDEX ON {table} (_hpx29); ANALYZE {table}".encode())
