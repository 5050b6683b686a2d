"""How a flow ends when a pass must stop: one line for a person, in the terminal and as the run's message in Prefect,
instead of a traceback. What is no error of ours keeps its traceback: it is a bug.
"""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

import httpx
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from assets.domain.errors import DiskError, PassBusyError, QuireError
from flows.gateways.prefect.api import engine_error
from flows.runtime.printable import printable

P = ParamSpec("P")
R = TypeVar("R")


def one_line(flow_function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Wrap a flow's function: a QuireError, or trouble with the disk, becomes the run's Failed state, which raises that
    error to whoever called; another pass that runs is nothing wrong, so the run is Completed, as Skipped, and returns
    None.

    Nothing is logged here: Prefect logs the state that a run ends in, message and all (3.9.1)."""

    @functools.wraps(flow_function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await flow_function(*args, **kwargs)
        except PassBusyError as busy:
            return cast(R, Completed(name="Skipped", message=str(busy), data=None))
        except (QuireError, OSError) as error:
            return cast(R, failed_with(told(error)))
        except httpx.HTTPError as error:
            # Prefect's engine, which asks the server for each flow within this one. Gemini's errors are others.
            return cast(R, failed_with(engine_error(error)))

    return run


def told(error: QuireError | OSError) -> QuireError:
    """``error`` as one that has a line for a person. Raises ``error`` where there is none: it is a bug."""
    if isinstance(error, QuireError):
        return error
    disk = DiskError.of(error)
    if disk is None:
        raise error
    return disk


def failed_with(error: QuireError | OSError) -> State[Any]:
    """The state of a run that ended with ``error``: Prefect logs one line of it instead of a traceback. A flow's raises
    it to whoever waits; for a task the caller does (3.9.1)."""
    return Failed(message=printable(str(told(error))), data=cast(Any, error))
