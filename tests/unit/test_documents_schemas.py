"""Every document of ours against the standards' own schemas, by `stilts xsdvalidate`.

Debian's stilts carries the schemas of VOSI, TAPRegExt, VODataService and VOResource, Debian's python3-gavo those of the registry and of
OAI-PMH; the latter's directory may also be named by TEST_SCHEMATA.
"""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from registry_samples import ALERTS_ID, CATALOGUE, CONE, CREATED, NOW, SCS2, SERVICES, SIA1, SSA, all_records, ask, sample_store

from vo_registry import enrolment
from vo_server.documents import uws, vosi
from vo_server.model.job import Failure, Job, Phase, Result

SCHEMATA = Path(os.environ.get("TEST_SCHEMATA", enrolment.SCHEMATA))

pytestmark = pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed (Debian: apt install stilts)")
needs_registry_schemata = pytest.mark.skipif(
    not (SCHEMATA / "OAI-PMH.xsd").exists(), reason="the registry's schemas are not installed (Debian: apt install python3-gavo)"
)


def faults(document: bytes, folder: Path) -> list[str]:
    """What the validator says against a document."""
    file = folder / "document.xml"
    file.write_bytes(document)
    known = [f"schemaloc={space}={SCHEMATA / name}.xsd" for space, name in enrolment.SCHEMA_FILES.items() if SCHEMATA.is_dir()]
    run = subprocess.run(["stilts", "xsdvalidate", "uselocals=true", *known, f"doc={file}"], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    return [line for line in lines if "Unused custom schema" not in line]


@pytest.mark.parametrize(
    "document",
    [
        vosi.capabilities(SERVICES[0].capabilities),
        vosi.availability(CREATED, note="Back soon", available=False),
        vosi.tables(CATALOGUE),
        vosi.tables(CATALOGUE, detail="min"),
        vosi.table(CATALOGUE.tables[2], CATALOGUE.keys),
    ],
    ids=["capabilities", "availability", "tables", "tables-min", "table"],
)
def test_vosi_documents_are_valid(document: bytes, tmp_path: Path) -> None:
    assert faults(document, tmp_path) == []


@needs_registry_schemata
@pytest.mark.parametrize(
    "arguments",
    [
        {"verb": "Identify"},
        {"verb": "ListMetadataFormats"},
        {"verb": "ListSets"},
        {"verb": "ListRecords", "metadataPrefix": "ivo_vor"},
        {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from": "2025-01-01", "set": "ivo_managed"},
        {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc"},
        {"verb": "ListRecords", "metadataPrefix": "marc"},
    ],
    ids=lambda one: "-".join(one.values()),
)
def test_answers_of_the_registry_are_valid_with_all_records_in_them(arguments: dict[str, str], tmp_path: Path) -> None:
    assert faults(ask(sample_store(), list(arguments.items())), tmp_path) == []


@needs_registry_schemata
def test_a_record_alone_and_other_capabilities_are_valid(tmp_path: Path) -> None:
    assert faults(all_records()[ALERTS_ID].dated(CREATED, NOW)[0].encode(), tmp_path) == []
    assert faults(vosi.capabilities([CONE, SCS2, SIA1, SSA]), tmp_path) == []


PENDING = Job(
    job_id="0123456789abcdef0123456789abcdef",
    kind="tap",
    phase=Phase.PENDING,
    owner=None,
    run_id=None,
    created=CREATED,
    started=None,
    ended=None,
    duration_s=60,
    destruction=NOW,
    parameters=(("QUERY", "SELECT \x01 1 < 2"), ("LANG", "ADQL")),
    attempts=0,
    rows_written=None,
    result=None,
    error=None,
)
JOBS = (
    PENDING,
    replace(PENDING, phase=Phase.QUEUED, run_id="mine", owner="somebody", ahead=3),
    replace(PENDING, phase=Phase.EXECUTING, started=CREATED, rows_written=5, parameters=()),
    replace(
        PENDING, phase=Phase.COMPLETED, started=CREATED, ended=NOW, rows_written=7, result=Result("a/b", "text/csv", 123, "result.csv")
    ),
    replace(PENDING, phase=Phase.ERROR, started=CREATED, ended=NOW, error=Failure("It <failed>.", transient=True)),
    replace(PENDING, phase=Phase.ABORTED, ended=NOW, parameters=(("UPLOAD", "a,param:one;b,http://vo.test/b"),)),
    *(replace(PENDING, phase=phase) for phase in (Phase.HELD, Phase.SUSPENDED, Phase.UNKNOWN, Phase.ARCHIVED)),
)
URL = "http://vo.test/tap/async"


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.phase)
def test_documents_of_a_job_are_valid_in_every_phase(job: Job, tmp_path: Path) -> None:
    """UWS-004, UWS 1.1 §2.2.3: in phases too that our jobs do not enter."""
    assert {one.phase for one in JOBS} == set(Phase)
    assert faults(uws.job(job, f"{URL}/{job.job_id}"), tmp_path) == []


def test_lists_of_jobs_parameters_and_results_are_valid(tmp_path: Path) -> None:
    for document in (uws.jobs(JOBS, URL), uws.jobs((), URL), uws.parameters(PENDING, URL), uws.results(JOBS[3], f"{URL}/1")):
        assert faults(document, tmp_path) == []


def test_the_validator_notices(tmp_path: Path) -> None:
    broken = vosi.capabilities(SERVICES[0].capabilities).replace(b"<mime>text/csv</mime>", b"")
    assert any("mime" in fault for fault in faults(broken, tmp_path))
