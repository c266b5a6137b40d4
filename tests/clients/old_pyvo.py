"""What a script written years ago asks, run by its own Python with pyvo 1.5: ``python old_pyvo.py URL``. Prints a line a step."""

import sys
import warnings

import pyvo
from astropy.table import Table

warnings.simplefilter("ignore")
url = sys.argv[1]

tap = pyvo.dal.TAPService(f"{url}/tap")
print("version", pyvo.__version__)
print("tables", "sky.sources" in tap.tables, [column.name for column in tap.tables["sky.sources"].columns][:2])
print("search", [row["name"] for row in tap.search("SELECT TOP 2 name FROM sky.sources ORDER BY source_id")])
print("maxrec", tap.maxrec > 0, len(tap.search("SELECT name FROM sky.sources", maxrec=3)))
print("async", len(tap.run_async("SELECT name FROM sky.sources")))
mine = Table({"id": [2, 4]})
joined = "SELECT s.name FROM TAP_UPLOAD.mine AS m JOIN sky.sources AS s ON s.source_id = m.id ORDER BY m.id"
print("upload", [row["name"] for row in tap.search(joined, uploads={"mine": mine})])
print("upload async", [row["name"] for row in tap.run_async(joined, uploads={"mine": mine})])
try:
    tap.search("SELECT nothing FROM sky.sources")
except pyvo.dal.DALQueryError as error:
    print("error", "nothing" in str(error))
print("examples", len(tap.examples) > 0)
print("cone", [row["name"] for row in pyvo.dal.SCSService(f"{url}/scs/sky.sources?").search(pos=(77.3, 5.7), radius=0.5)])
print("sia2", len(pyvo.dal.sia2.SIA2Service(f"{url}/sia2").search(pos=(77.3, 5.7, 0.5))))
print("ssa", len(pyvo.dal.SSAService(f"{url}/ssa?").search(pos=(77.3, 5.7), diameter=0.5)))
