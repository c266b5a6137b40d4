"""The documents of asynchronous jobs (UWS 1.1 §2.2)."""

from collections.abc import Iterable
from datetime import UTC, datetime

from vo_server.dali.uploads import parse_uploads
from vo_server.documents.xml import Element, add, document, serialise
from vo_server.model.job import Job

VERSION = {"version": "1.1"}
NIL = {"xsi:nil": "true"}


def job(shown: Job, url: str) -> bytes:
    """The document of a job whose address is `url`."""
    root = document("uws:job", ("xlink",), VERSION)
    add(root, "uws:jobId", shown.job_id)
    if shown.run_id is not None:
        add(root, "uws:runId", shown.run_id)
    _add_nillable(root, "ownerId", shown.owner)
    add(root, "uws:phase", shown.phase)
    _add_nillable(root, "quote", None)
    add(root, "uws:creationTime", written(shown.created))
    _add_nillable(root, "startTime", written(shown.started) if shown.started else None)
    _add_nillable(root, "endTime", written(shown.ended) if shown.ended else None)
    add(root, "uws:executionDuration", str(shown.duration_s))
    add(root, "uws:destruction", written(shown.destruction))
    _fill_parameters(add(root, "uws:parameters"), shown, url)
    _fill_results(add(root, "uws:results"), shown, url)
    if shown.error is not None:
        summary = {"type": "transient" if shown.error.transient else "fatal", "hasDetail": "true"}
        add(add(root, "uws:errorSummary", attributes=summary), "uws:message", shown.error.message)
    _add_info(root, shown)
    return serialise(root)


def jobs(shown: Iterable[Job], url: str) -> bytes:
    """The list of jobs below `url`."""
    root = document("uws:jobs", ("xlink",), VERSION)
    for one in shown:
        reference = add(root, "uws:jobref", attributes={"id": one.job_id, "xlink:href": f"{url}/{one.job_id}"})
        add(reference, "uws:phase", one.phase)
        if one.run_id is not None:
            add(reference, "uws:runId", one.run_id)
        _add_nillable(reference, "ownerId", one.owner)
        add(reference, "uws:creationTime", written(one.created))
    return serialise(root)


def parameters(shown: Job, url: str) -> bytes:
    """The parameters of the job at `url`, alone."""
    root = document("uws:parameters", ("xlink",))
    _fill_parameters(root, shown, url)
    return serialise(root)


def results(shown: Job, url: str) -> bytes:
    """The results of the job at `url`, alone."""
    root = document("uws:results", ("xlink",))
    _fill_results(root, shown, url)
    return serialise(root)


def written(time: datetime) -> str:
    """A time as UWS writes it: UTC with a Z (UWS 1.1 §2.1)."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fill_parameters(parent: Element, shown: Job, url: str) -> None:
    """The parameters as they were given, and the tables that came with the job by reference (UWS 1.1 §2.1.11)."""
    for name, value in shown.parameters:
        add(parent, "uws:parameter", value, {"id": name})
    uploads = parse_uploads(value for name, value in shown.parameters if name.upper() == "UPLOAD")
    for upload in (upload for upload in uploads if upload.part is not None):
        add(parent, "uws:parameter", f"{url}/uploads/{upload.name}", {"id": f"TAP_UPLOAD.{upload.name}", "byReference": "true"})


def _fill_results(parent: Element, shown: Job, url: str) -> None:
    if shown.result is not None:
        attributes = {
            "id": "result",
            "xlink:href": f"{url}/results/result",
            "mime-type": shown.result.content_type,
            "size": str(shown.result.size),
        }
        add(parent, "uws:result", attributes=attributes)


def _add_info(parent: Element, shown: Job) -> None:
    """How far it is: rows written, jobs that will be begun before it; and whether rows are missing, which not every format can say."""
    known = {
        "rows": shown.rows_written,
        "queuePosition": None if shown.ahead is None else shown.ahead + 1,
        "queryStatus": shown.result.status if shown.result else None,
    }
    said = {name: value for name, value in known.items() if value is not None}
    if said:
        info = add(parent, "uws:jobInfo")
        for name, value in said.items():
            add(info, name, str(value))


def _add_nillable(parent: Element, name: str, text: str | None) -> None:
    add(parent, f"uws:{name}", text, NIL if text is None else {})
