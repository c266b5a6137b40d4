"""``/files/<collection>/<path>``: the datasets themselves, whole or in ranges (RFC 9110 §14), never repacked on the way."""

from os import stat_result
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Receive, Scope, Send

from vo_server.http.errors import Dialect, guard
from vo_server.http.ranges import has_tag, is_range
from vo_server.http.threads import in_thread
from vo_server.model.media import media_type
from vo_server.query.datasets import locate, refuse_unreleased, release_of_file, resolved_path
from vo_server.services import Services

PATH = "files"


class DatasetReply(FileResponse):
    """A file with ranges, ETag and Last-Modified; 304 to a client that has it already."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        asked = Headers(scope=scope)
        if is_current(asked, self.headers["etag"], self.headers["last-modified"]):
            await NotModifiedResponse(self.headers)(scope, receive, send)
            return
        if "range" in asked and not is_range(asked["range"]):
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}
        await super().__call__(scope, receive, send)


def routes(services: Services) -> list[Route]:
    """``/files/{collection}/{path}``."""

    async def send_file(request: HttpRequest) -> Response:
        collection, path = request.path_params["collection"], request.path_params.get("path", "")
        file, status = await in_thread(lambda: public_file(services, collection, path), limiter=services.traffic.threads)
        return DatasetReply(
            file, media_type=media_type(file.name), filename=file.name, stat_result=status, content_disposition_type="inline"
        )

    endpoint = guard(send_file, Dialect.TEXT)
    return [Route(f"/{PATH}/{{collection}}{rest}", endpoint, methods=["GET"]) for rest in ("", "/{path:path}")]


def public_file(services: Services, collection: str, path: str) -> tuple[Path, stat_result]:
    """The file of a collection and what the file system says of it: NotFoundError if there is none, ForbiddenError if it is not public yet.

    The path as the file system resolves it decides: the same file has one release date under all its names.
    """
    with services.database.engine.connect() as connection:
        file, status = locate(connection, collection, path)
        refuse_unreleased(release_of_file(connection, collection, resolved_path(connection, collection, file)), services.clock())
    return file, status


def is_current(asked: Headers, etag: str, last_modified: str) -> bool:
    """Whether the client's copy is still good: by ETag, or by date if it names no ETag (RFC 9110 §13.1)."""
    same = has_tag(asked, etag)
    return asked.get("if-modified-since") == last_modified if same is None else same
