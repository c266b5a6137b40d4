"""Those who use the site meanwhile: some run jobs, some stream.

They try again where a client should, and tell what no client should see.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import httpx2
from lxml import etree

from tests.chaos.questions import Question, Truth, says_failure

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"
PATIENCE_S = 60.0
NOT_NOW = (429, 503)
SLOW_BYTES = 200_000
"""A second of a slow reader."""


@dataclass
class Findings:
    """What happened, and what should not have."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        """It happened once more."""
        with self._lock:
            self.counts[what] += 1

    def fault(self, text: str) -> None:
        """It should not have happened."""
        with self._lock:
            self.faults.append(text)


@dataclass
class JobClient:
    """Runs one job: posts it until it is accepted; may abort or destroy it a little later."""

    url: str
    question: Question
    change: str | None
    findings: Findings
    location: str | None = None
    ended: str | None = None

    def post(self, pause: float) -> None:
        """Create the job, started."""
        with httpx2.Client(timeout=PATIENCE_S) as client:
            reply = patiently(client, "POST", f"{self.url}/tap/async", {**self.question.params, "PHASE": "RUN"}, self)
            if reply is None or reply.status_code != 303:
                return
            self.location = reply.headers["location"]
            if self.change is None:
                return
            time.sleep(pause)
            if self.change == "ABORT":
                answer = patiently(client, "POST", f"{self.location}/phase", {"PHASE": "ABORT"}, self, (303, 403))
            else:
                answer = patiently(client, "DELETE", self.location, None, self, (303, 404))
            if answer is not None:
                self.ended = self.change

    def check(self, deadline: float) -> None:
        """Wait for its end, and look at that."""
        if self.location is None:
            return
        with httpx2.Client(timeout=PATIENCE_S) as client:
            if self.ended == "DELETE":
                self._tell(client.get(self.location).status_code == 404, "it was deleted and is there")
                return
            document = self._until_ended(client, deadline)
            phase = document.findtext(f"{UWS}phase")
            self.findings.count(f"jobs {phase}")
            if phase == "COMPLETED":
                result = client.get(f"{self.location}/results/result")
                fault = self.question.fault(result.content) if result.status_code == 200 else f"result has status {result.status_code}"
                self._tell(fault is None, f"COMPLETED, and {fault}")
            elif phase == "ERROR":
                summary = document.find(f"{UWS}errorSummary")
                message = summary.findtext(f"{UWS}message")
                self._tell(summary.get("type") == "transient" and bool(message), f"ERROR: {message}")
            else:
                self._tell(phase == "ABORTED" and self.ended == "ABORT", f"still {phase}")

    def _until_ended(self, client: httpx2.Client, deadline: float) -> etree._Element:
        assert self.location is not None
        while True:
            reply = client.get(self.location, params={"WAIT": "5"})
            document = etree.fromstring(reply.content)
            if document.findtext(f"{UWS}phase") not in ("PENDING", "QUEUED", "EXECUTING") or time.monotonic() > deadline:
                return document

    def _tell(self, holds: bool, text: str) -> None:
        if not holds:
            self.findings.fault(f"job {self.location}: {text}; {self.question.adql} as {self.question.form}")


def patiently(
    client: httpx2.Client, method: str, url: str, data: dict[str, str] | None, job: JobClient, expected: tuple[int, ...] = (303,)
) -> httpx2.Response | None:
    """The answer to a request that is sent until there is one; None if it never came, which is a fault."""
    deadline = time.monotonic() + PATIENCE_S
    files = job.question.files if url.endswith("/async") else None
    while time.monotonic() < deadline:
        try:
            reply = client.request(method, url, data=data, files=files)
        except httpx2.TransportError:
            job.findings.count("job requests broken off")
        else:
            if reply.status_code in expected:
                return reply
            if reply.status_code not in NOT_NOW or "retry-after" not in reply.headers:
                job.findings.fault(f"{method} {url}: {reply.status_code} {reply.text[:300]}")
                return None
            job.findings.count("job requests sent away")
        time.sleep(0.3)
    job.findings.fault(f"{method} {url}: no answer")
    return None


class Streamer:
    """Asks one synchronous query after the other, and reads each answer fast, slowly, or not to its end."""

    def __init__(self, url: str, truth: Truth, dice: Random, findings: Findings) -> None:
        self.url, self.truth, self.dice, self.findings = f"{url}/tap/sync", truth, dice, findings
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="streamer")

    def _run(self) -> None:
        with httpx2.Client(timeout=PATIENCE_S) as client:
            while not self.stop.is_set():
                question, manner = self.truth.ask(self.dice), self.dice.choice(("fast", "slow", "leaves"))
                try:
                    self._ask(client, question, manner)
                except httpx2.TransportError:
                    self.findings.count("streams broken off")
                    time.sleep(0.2)
                except Exception as error:
                    self.findings.fault(f"a streaming client failed: {error!r}")

    def _ask(self, client: httpx2.Client, question: Question, manner: str) -> None:
        with client.stream("POST", self.url, data=question.params, files=question.files) as reply:
            pieces = []
            for piece in reply.iter_bytes(SLOW_BYTES):
                pieces.append(piece)
                if manner == "leaves" and len(pieces) > 1:
                    self.findings.count("streams left")
                    return
                if manner == "slow" and not self.stop.is_set():
                    time.sleep(1)
        body = b"".join(pieces)
        if reply.status_code in NOT_NOW and "retry-after" in reply.headers:
            self.findings.count("streams sent away")
            time.sleep(0.2)
        elif reply.status_code != 200:
            self.findings.fault(f"sync answers {reply.status_code}: {body[:500]!r}")
        elif question.form.startswith("votable") and says_failure(body):
            self.findings.count("streams that say they failed")
        elif fault := question.fault(body):
            self.findings.fault(f"a stream that seems whole is not: {fault}; {question.adql}")
        else:
            self.findings.count("streams whole")
