"""A request that the service answers with an error on its own line; the rest of its job goes on."""


class RequestRefused(ValueError):  # noqa: N818 - it reads as what happened
    """``code``: the HTTP status of that error."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.code = code
