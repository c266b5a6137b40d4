"""What taking rows over from PostgreSQL costs: CPU seconds of this process alone, a million rows of 14 mixed columns as Arrow.

    python benchmarks/driver.py postgresql://user:password@host/db --library …/libadbc_driver_postgresql.so …

Run it when the driver's versions in pyproject.toml are to change: some of its wheels were compiled without optimisation, and nothing else
tells them apart (docs/decisions/0031-a-driver-that-survives.md). Without ``--library`` it measures the installed one; others come
from ``pip install --no-deps --target DIRECTORY adbc-driver-postgresql==VERSION``. The rows are made by the query; nothing is stored.
"""

import argparse
import time

import adbc_driver_manager.dbapi
import adbc_driver_postgresql

ROWS = """
SELECT n::bigint AS source_id, n * 1e-4::float8 AS ra, n * 1e-5::float8 AS dec, n %% 2 = 0 AS good, (n %% 9)::int2 AS flag,
       n::int4 AS counts, nullif(n %% 10, 0)::bigint AS run, n::float4 AS mag, n * 0.5::float8 AS flux, 'TXS 0506+056'::text AS name,
       'α Ori'::text AS label, '2017-09-22T20:54:30'::timestamp AS seen, '{1,2,3}'::float4[] AS band, '{1,2}'::int4[] AS hits
FROM generate_series(1, %d) AS n
"""
ROUNDS = 3


def cost(library: str, url: str, rows: int) -> float:
    """CPU seconds in the best of three rounds, system calls included."""
    rounds = []
    with adbc_driver_manager.dbapi.connect(driver=library, db_kwargs={"uri": url}, autocommit=True) as connection:
        for _ in range(ROUNDS):
            with connection.cursor() as cursor:
                cursor.execute(ROWS % rows)
                begin = time.process_time()
                count = sum(batch.num_rows for batch in cursor.fetch_record_batch())
                rounds.append(time.process_time() - begin)
            assert count == rows
    return min(rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database_url")
    parser.add_argument("--library", nargs="+", default=[adbc_driver_postgresql._driver_path()], help="shared libraries to compare")
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    for library in asked.library:
        print(f"{cost(library, asked.database_url, asked.rows):6.2f} s  {library}")


if __name__ == "__main__":
    main()
