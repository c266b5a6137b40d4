"""What the translator finds wrong: it knows the place in the text, the text itself is known further up."""


class MisfitError(Exception):
    """A part of a query at offset ``at`` cannot be translated; becomes a QueryMeaningError with line and column."""

    def __init__(self, message: str, at: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint
