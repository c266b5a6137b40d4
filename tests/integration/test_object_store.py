"""Results of jobs in a bucket: moto's S3 server, a process of its own, instead of somebody's cloud."""

import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.live import run_newest_job
from tests.waiting import until
from vo_server.app import create_app, create_worker
from vo_server.db.database import Database
from vo_server.errors import NotFoundError, SetupError, UnavailableError, UsageError
from vo_server.jobs.keeper import destroy_due, sweep_results
from vo_server.jobs.results import MARK, ResultStore
from vo_server.jobs.whole import UPLOAD_BYTES
from vo_server.jobs.worker import ATTEMPTS
from vo_server.model.job import Phase
from vo_server.services import Services
from vo_server.settings import Settings

pytest.importorskip("moto", reason="moto is not installed")

WIDE = "SELECT a.* FROM tap_schema.columns AS a, tap_schema.columns AS b, tap_schema.columns AS c"
"""A result of gigabytes."""
MEGABYTES = [bytes([number]) * (1 << 20) for number in range(2 * (UPLOAD_BYTES >> 20) + 3)]
"""A file of three parts."""

numbers = itertools.count(1)


class Bucket:
    """A bucket, seen from outside."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("PUT", f"/{name}")
        assert connection.getresponse().status == 200
        connection.close()
        self._files = ResultStore(f"s3://{name}")._files

    def objects(self) -> set[str]:
        """The keys of everything that can be read."""
        return {name.removeprefix(f"{self.name}/vo/results/") for name in self._files.find(self.name)} - {MARK}

    def uploads(self) -> list[str]:
        """The keys of what is being uploaded."""
        return [upload["Key"] for upload in self._files.call_s3("list_multipart_uploads", Bucket=self.name).get("Uploads", [])]

    def begin_upload(self, key: str) -> None:
        self._files.call_s3("create_multipart_upload", Bucket=self.name, Key=key)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def moto(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: answers(port) or process.poll() is not None)
            yield process
        finally:
            process.kill()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    number = free_port()
    with moto(number):
        yield number


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """As an operator gives them: by the environment."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    said = {
        "ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "ACCESS_KEY_ID": "key",
        "SECRET_ACCESS_KEY": "secret",
        "DEFAULT_REGION": "us-east-1",
    }
    for name, value in said.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def bucket(port: int, credentials: None) -> Bucket:
    """A new one."""
    return Bucket(port, f"bucket-{next(numbers)}")


@pytest.fixture
def services(database: Database, tmp_path: Path, bucket: Bucket) -> Iterator[Services]:
    settings = Settings(data_dir=tmp_path, public_url="http://testserver", result_store=f"s3://{bucket.name}/vo/results", stalled_seconds=3)
    services = Services(settings, database)
    with database.engine.begin() as connection:
        services.results.claim(connection)
        services.results.check(connection)
    yield services
    services.close()


def started(services: Services, query: str, **more: str) -> str:
    job_id = services.jobs.create("tap", [("LANG", "ADQL"), ("QUERY", query), *more.items()]).job_id
    services.jobs.start(job_id)
    return job_id


def test_a_job_from_its_table_to_its_destruction(services: Services, bucket: Bucket) -> None:
    """A table comes with the job, a result goes out, whole and in ranges; when the job is destroyed nothing is left."""
    client = TestClient(create_app(services), follow_redirects=False)
    asked = {"LANG": "ADQL", "QUERY": "SELECT * FROM tap_upload.mine", "FORMAT": "csv", "UPLOAD": "mine,param:table", "PHASE": "RUN"}
    url = client.post("/tap/async", data=asked, files={"table": ("t.csv", b"a,b\n1,x\n2,y\n")}).headers["location"]
    job_id = url.rpartition("/")[2]
    assert bucket.objects() == {f"{job_id}/uploads/mine"}
    run_newest_job(services)
    assert bucket.objects() == {f"{job_id}/uploads/mine", f"{job_id}/1-result.csv"}
    whole = client.get(f"{url}/results/result")
    assert (whole.status_code, whole.text.split()) == (200, ["a,b", "1,x", "2,y"])
    part = client.get(f"{url}/results/result", headers={"Range": "bytes=3-"})
    assert (part.status_code, part.content) == (206, whole.content[3:])
    assert client.delete(url).status_code == 303
    assert bucket.objects() == set()


def test_a_job_whose_time_is_over(services: Services, bucket: Bucket) -> None:
    job_id = started(services, "SELECT TOP 3 table_name FROM tap_schema.tables")
    run_newest_job(services)
    assert bucket.objects() == {f"{job_id}/1-result.vot"}
    services.jobs.keep_until(job_id, services.clock())
    assert destroy_due(services.jobs, services.results) == 1
    assert bucket.objects() == set()


def test_a_large_result_appears_when_it_is_whole(services: Services, bucket: Bucket) -> None:
    seen: list[Any] = []

    def chunks() -> Iterator[bytes]:
        yield from MEGABYTES
        seen.append((bucket.objects(), len(bucket.uploads())))

    path, size = services.results.write_result(("j", 1), "result.bin", chunks())
    assert seen == [(set(), 1)], "parts have left, and nobody sees them"
    assert (bucket.objects(), bucket.uploads(), size) == ({path}, [], sum(map(len, MEGABYTES)))
    whole = b"".join(MEGABYTES)
    assert b"".join(services.results.read(path)) == whole
    span = range(UPLOAD_BYTES - 5, UPLOAD_BYTES + 7)
    assert b"".join(services.results.read(path, span)) == whole[span.start : span.stop]


def test_no_rows_and_no_bytes(services: Services, bucket: Bucket) -> None:
    path, size = services.results.write_result(("j", 1), "nothing", ())
    assert (size, bucket.objects(), bucket.uploads(), b"".join(services.results.read(path))) == (0, {path}, [], b"")


@pytest.mark.parametrize("pieces", [MEGABYTES[:1], MEGABYTES])
def test_what_fails_leaves_nothing(services: Services, bucket: Bucket, pieces: list[bytes]) -> None:
    def chunks() -> Iterator[bytes]:
        yield from pieces
        raise UsageError("division by zero")

    with pytest.raises(UsageError):
        services.results.write_result(("j", 1), "result.bin", chunks())
    assert (bucket.objects(), bucket.uploads()) == (set(), [])


def test_a_worker_that_is_killed_leaves_nothing_that_stays(services: Services, database_url: str, bucket: Bucket, tmp_path: Path) -> None:
    store = {"VO_RESULT_STORE": services.settings.results_url, "VO_DATABASE_URL": database_url, "VO_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "vo_server", "worker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **store}, cwd=tmp_path) as worker:
        try:
            assert worker.stdout is not None
            assert "ready" in worker.stdout.readline()
            job_id = started(services, WIDE, MAXREC="20000000", RESPONSEFORMAT="csv")
            until(lambda: bucket.uploads() == [f"vo/results/{job_id}/1-result.csv"])
            assert sweep_results(services.jobs, services.results) == 0, "what a living worker writes is left alone"
        finally:
            worker.send_signal(signal.SIGKILL)
    assert bucket.objects() == set()
    services.jobs.abort(job_id)
    assert (sweep_results(services.jobs, services.results), bucket.uploads()) == (1, [])


def test_half_a_result_goes_with_its_job(services: Services, bucket: Bucket) -> None:
    bucket.begin_upload("vo/results/j/1-result.csv")
    services.results.write_result(("j", 2), "result.csv", [b"x"])
    services.results.remove("j")
    assert (bucket.objects(), bucket.uploads()) == (set(), [])


def test_other_attempts_go_when_one_has_ended_the_job(services: Services, bucket: Bucket) -> None:
    results = services.results
    path, _ = results.write_result(("job", 2), "result.csv", [b"whole"])
    results.write_result(("job", 1), "result.csv", [b"late"])
    results.write_upload("job", "mine", [b"x"])
    bucket.begin_upload("vo/results/job/1-result.csv")
    results.clear("job", but=path)
    assert (bucket.objects(), bucket.uploads()) == ({"job/2-result.csv", "job/uploads/mine"}, [])
    results.clear("nobody")


def test_two_workers_share_the_bucket(services: Services, bucket: Bucket) -> None:
    workers = [create_worker(services), create_worker(services)]
    for worker in workers:
        worker.start()
    try:
        ids = [started(services, "SELECT TOP 3 table_name FROM tap_schema.tables") for _ in range(4)]
        until(lambda: all(services.jobs.get(job_id).phase == Phase.COMPLETED for job_id in ids))
    finally:
        for worker in workers:
            worker.stop()
    assert bucket.objects() == {f"{job_id}/1-result.vot" for job_id in ids}


def test_a_store_that_is_away(
    database: Database, tmp_path: Path, credentials: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Results cannot be fetched now, jobs are tried again and then say why; a job can be deleted all the same."""
    port = free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with moto(port):
        Bucket(port, "bucket")
        services = Services(Settings(data_dir=tmp_path, public_url="http://testserver", result_store="s3://bucket"), database)
        with database.engine.begin() as transaction:
            services.results.claim(transaction)
        done = started(services, "SELECT TOP 3 table_name FROM tap_schema.tables")
        run_newest_job(services)
    client = TestClient(create_app(services), follow_redirects=False)
    reply = client.get(f"/tap/async/{done}/results/result")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "10")
    assert "result store does not answer" in reply.text
    assert str(port) in caplog.text
    assert str(port) not in reply.text
    late = started(services, "SELECT TOP 3 table_name FROM tap_schema.tables")
    for _ in range(ATTEMPTS):
        run_newest_job(services)
    error = services.jobs.get(late).error
    assert error is not None
    assert (error.transient, error.message) == (True, f"The result store does not answer. The job was tried {ATTEMPTS} times.")
    assert client.delete(f"/tap/async/{late}").status_code == 303
    with pytest.raises(NotFoundError):
        services.jobs.get(late)
    with pytest.raises(UnavailableError):
        sweep_results(services.jobs, services.results)
    services.close()


def test_a_store_that_cannot_be_written_to_is_named_at_the_start(
    database: Database, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.engine.begin() as connection:
        with pytest.raises(SetupError, match="s3://no-such-bucket cannot be written to"):
            ResultStore("s3://no-such-bucket").claim(connection)
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(SetupError, match="credentials"):
            ResultStore(f"s3://{bucket.name}").claim(connection)
