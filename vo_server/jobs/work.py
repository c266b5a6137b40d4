"""What jobs do: given by the protocols that have jobs, run by a worker."""

from collections.abc import Callable, Iterator
from typing import Protocol

from vo_server.errors import VoError
from vo_server.model.job import Job
from vo_server.model.result import Piece


class Work(Protocol):
    """What a job does, as blocking calls; ``cancel`` may come from any thread at any time."""

    content_type: str
    filename: str | None
    status: str | None
    failure: VoError | None

    @property
    def rows(self) -> int | None:
        """How many rows were written so far; None if it does not consist of rows."""

    def start(self) -> None:
        """Do all that comes before the first byte; raises VoError."""

    def chunks(self) -> Iterator[Piece]:
        """The result, piece by piece. What fails on the way stands in ``failure`` afterwards."""

    def cancel(self) -> None:
        """Stop as soon as possible."""

    def close(self) -> None:
        """Give back what was held."""

    def give_up(self) -> None:
        """It does not come to its end, cancelled or not: let others have what is held of the database."""


Perform = Callable[[Job], Work]
"""Job → its work, not yet started; raises VoError for parameters that do not fit."""
