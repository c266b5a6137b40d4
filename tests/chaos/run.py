"""One run: a site, its users, what goes wrong, and the look at what is left."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx2

from tests.chaos.clients import Findings, JobClient, Streamer
from tests.chaos.mischief import Mischief
from tests.chaos.questions import Truth
from tests.chaos.site import Site
from vo_server.jobs.results import MARK

POSTERS = 8
WITHIN_S = 60.0
"""However badly it went: a job that nobody disturbs any more gets its turn and ends within this and the time that its queue takes."""

JOB_S = 1.5
"""What a job takes at most, on a busy machine."""

IDLE_S = 20.0
"""So soon nothing is under way any more."""

UNSETTLED = """
SELECT 'the queue has a row for the job ' || (args->>'job_id') FROM vo_queue.procrastinate_jobs
UNION ALL SELECT 'the job ' || job_id || ' is ' || phase FROM vo.jobs WHERE phase IN ('QUEUED', 'EXECUTING')
UNION ALL SELECT 'a temporary table ' || relname FROM pg_class WHERE relpersistence = 't'
UNION ALL SELECT 'a connection is ' || state || ': ' || left(query, 200) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'
UNION ALL SELECT 'a transaction is prepared' FROM pg_prepared_xacts
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run."""

    jobs: int
    clients: int
    seconds: float
    seed: int
    processes: int = 2
    workers: int = 2
    kills_servers: bool = True
    """Whether the server is killed as a whole, too: it is back only after seconds."""


def run(plan: Plan, database_url: str, folder: Path, port: int) -> Findings:
    """All of it; the database is an empty one of our own, `folder` is empty too."""
    truth, dice, findings = Truth(), Random(plan.seed), Findings()
    site = Site(database_url, folder, port, processes=plan.processes, workers=plan.workers, clients=plan.clients)
    try:
        site.start(truth)
        jobs = disturbed(plan, site, truth, dice, findings)
        check(jobs, findings)
        settle(site, findings)
        tidy(site, jobs, findings)
    finally:
        findings.faults += site.end()
    after_the_end(site, findings)
    return findings


def disturbed(plan: Plan, site: Site, truth: Truth, dice: Random, findings: Findings) -> list[JobClient]:
    """The time of mischief: jobs are posted all through it, streams asked without pause."""
    mischief = Mischief(site, Random(dice.random()), kills_servers=plan.kills_servers)
    streamers = [Streamer(site.url, truth, Random(dice.random()), findings) for _ in range(plan.clients)]
    jobs = [
        JobClient(site.url, truth.ask(dice), dice.choices((None, "ABORT", "DELETE"), (80, 10, 10))[0], findings) for _ in range(plan.jobs)
    ]
    begin = time.monotonic()
    times = sorted(dice.uniform(0, 0.8 * plan.seconds) for _ in jobs)

    def post(job: JobClient, at: float, pause: float) -> None:
        time.sleep(max(0.0, begin + at - time.monotonic()))
        job.post(pause)

    mischief.start()
    try:
        for streamer in streamers:
            streamer.thread.start()
        with ThreadPoolExecutor(POSTERS) as threads:
            pauses = [dice.uniform(0, 3) for _ in jobs]
            list(threads.map(post, jobs, times, pauses))
        time.sleep(max(0.0, begin + plan.seconds - time.monotonic()))
    finally:
        for streamer in streamers:
            streamer.stop.set()
        mischief.stop()
        for streamer in streamers:
            streamer.thread.join()
    findings.counts.update(mischief.done)
    return jobs


def check(jobs: list[JobClient], findings: Findings) -> None:
    """Every job has ended right, and what is finished is whole."""
    deadline = time.monotonic() + WITHIN_S + JOB_S * len(jobs)
    with ThreadPoolExecutor(POSTERS) as threads:
        list(threads.map(lambda job: job.check(deadline), jobs))
    findings.counts["jobs posted"] = sum(job.location is not None for job in jobs)


def settle(site: Site, findings: Findings) -> None:
    """Nothing is under way any more: jobs of lost answers have ended too, connections are idle, the spool is empty."""
    deadline = time.monotonic() + IDLE_S
    while left := [str(row[0]) for row in site.rows(UNSETTLED)] + spooled(site):
        if time.monotonic() > deadline:
            findings.faults += left
            return
        time.sleep(0.3)


def spooled(site: Site) -> list[str]:
    """Spool files, and those without a name that a server still holds."""
    found = [f"a spool file {path.name}" for path in site.spool.iterdir()]
    for pid in site.server.children():
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(link.readlink())
            except OSError:
                continue
            if target.startswith(str(site.spool)):
                found.append(f"the server process {pid} holds {target}")
    return found


def tidy(site: Site, jobs: list[JobClient], findings: Findings) -> None:
    """The store has one file for each result and none besides; with the jobs it is empty."""
    rows = site.rows("SELECT job_id, result->>'path' FROM vo.jobs")
    results = {str(path) for _, path in rows if path is not None}
    files = {str(path.relative_to(site.results)) for path in site.results.rglob("*") if path.is_file()}
    stray = {path for path in files - results - {MARK} if path.split("/")[1:2] != ["uploads"]}
    findings.faults += [f"a stray file in the store: {path}" for path in sorted(stray)]
    findings.faults += [f"a result that is not there: {path}" for path in sorted(results - files)]
    with httpx2.Client(timeout=60) as client:
        for job_id, _ in rows:
            status = client.delete(f"{site.url}/tap/async/{job_id}").status_code
            if status != 303:
                findings.fault(f"DELETE of {job_id} answers {status}")
    findings.faults += [f"in the store without a job: {path.name}" for path in site.results.iterdir() if path.name != MARK]


def after_the_end(site: Site, findings: Findings) -> None:
    """All programs have ended: no connection, no file."""
    deadline = time.monotonic() + IDLE_S
    while (left := site.backends()) and time.monotonic() < deadline:
        time.sleep(0.1)
    findings.faults += [f"a connection of {name or 'somebody'} is left" for _, name in left]
    findings.faults += [f"a stray file {path.relative_to(site.folder)}" for path in (*site.spool.iterdir(), *site.temporary.iterdir())]
    for program in site.programs:
        text = program.log.read_text(errors="replace")
        findings.faults += [f"{program.name} logged {line}" for line in text.splitlines() if "incident" in line]
