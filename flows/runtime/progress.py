"""How far a long step is, for whoever looks at a terminal: a step tells it, and does not know whether anybody listens.
What people see in Prefect is told by `flows.runtime.telling`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]
"""(what, how many are done, of how many; 0: nobody knows). May be called from any thread."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def telling(listener: Listener) -> Iterator[None]:
    """Within the block, and in what it starts, steps are told to ``listener``."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell_step(what: str, done: int, total: int = 0) -> None:
    if (listener := _listener.get()) is not None:
        listener(what, done, total)
