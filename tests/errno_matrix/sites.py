"""From where in the product a call to the file system comes: the frames of `assets`, `flows` and `config` that led to
it, those of the task that handed it to a thread among them."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import anyio.to_thread

Site = tuple[str, ...]

_ROOT = Path(__file__).parents[2]
_PRODUCT = tuple(f"{_ROOT / name}/" for name in ("assets", "flows", "config"))
_TASK: ContextVar[Site] = ContextVar("the frames of the task that waits for this thread", default=())


def call_site() -> Site:
    """``file:line`` of each such frame, the outermost first, each once: how deep a walk has come tells nothing."""
    frames = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(_PRODUCT):
            frames.append(f"{frame.f_code.co_filename.removeprefix(f'{_ROOT}/')}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(dict.fromkeys((*_TASK.get(), *reversed(frames))))


@contextmanager
def seen_into_threads() -> Iterator[None]:
    """For the time of a block, what is handed to a thread knows by whom."""
    places: tuple[tuple[Any, str], ...] = ((asyncio, "to_thread"), (anyio.to_thread, "run_sync"))
    before = [(module, name, getattr(module, name)) for module, name in places]
    for module, name, call in before:
        setattr(module, name, _handed(call))
    try:
        yield
    finally:
        for module, name, call in before:
            setattr(module, name, call)


def _handed(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    async def handed(*arguments: Any, **options: Any) -> Any:
        token = _TASK.set(call_site())
        try:
            return await call(*arguments, **options)
        finally:
            _TASK.reset(token)

    return handed
