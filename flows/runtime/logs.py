"""Where the flows log: into the flow run when there is one, else to the ``quire`` logger."""

import logging
from collections.abc import Iterable, Mapping
from logging import LoggerAdapter
from typing import Any

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from flows.runtime.printable import printable


class PrintableLogger(LoggerAdapter[Any]):
    """Whatever stands in a line, a terminal prints it and obeys none of it."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        safe = (each if isinstance(each, int | float) else printable(str(each)) for each in args)
        super().log(level, msg, *safe, **kwargs)


def logger() -> PrintableLogger:
    """The logger of the current run. What a line a page would be is for DEBUG only: Prefect's log API takes each line
    as a row of its database."""
    try:
        return PrintableLogger(get_run_logger())
    except MissingContextError:
        return PrintableLogger(logging.getLogger("quire"))


def warn_once(told: set[str], lines: Iterable[str]) -> None:
    """Each line that is not in ``told`` yet, which it is then."""
    for line in lines:
        if line not in told:
            told.add(line)
            logger().warning("%s", line)


MAX_LINES = 20


def warn_of_each(reasons: Mapping[str, str], what: str, *, level: int = logging.WARNING) -> None:
    """A line for each record key and its reason, MAX_LINES of them at most; one more tells how many are left out."""
    for key, reason in list(reasons.items())[:MAX_LINES]:
        logger().log(level, "%s: %s: %s", what, key, reason)
    if len(reasons) > MAX_LINES:
        logger().log(level, "%s: %d more pages", what, len(reasons) - MAX_LINES)
