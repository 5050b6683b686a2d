"""How a flow ends when a pass must stop: one line for a person, in the terminal and as the run's message in Prefect,
instead of a traceback. What is no error of ours keeps its traceback: it is a bug.
"""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from prefect.states import Completed, Failed

from assets.domain.errors import PassBusyError, QuireError
from flows.runtime.printable import printable

P = ParamSpec("P")
R = TypeVar("R")


def one_line(flow_function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Wrap a flow's function: a QuireError becomes the run's Failed state, which raises that error to whoever called;
    another pass that runs is nothing wrong, so the run is Completed, as Skipped, and returns None.

    Nothing is logged here: Prefect logs the state that a run ends in, message and all (3.9.1)."""

    @functools.wraps(flow_function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await flow_function(*args, **kwargs)
        except PassBusyError as busy:
            return cast(R, Completed(name="Skipped", message=str(busy), data=None))
        except QuireError as error:
            return cast(R, Failed(message=printable(str(error)), data=cast(Any, error)))

    return run
