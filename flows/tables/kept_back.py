"""Records that the plan would send and that must not go: for each a reason, and what a person can do. Looked for before
anything is uploaded, so that trouble of one page keeps back that page, and what waits for it, and nothing else.
"""

import asyncio
import errno
import os
from collections.abc import Mapping

import pyarrow as pa

from assets.domain.errors import DiskError, ManifestError, PromptError
from assets.requests import RequestTemplate, request_texts
from flows.gateways.files.presence import is_there
from flows.gateways.files.storage import Storage
from flows.runtime.logs import logger
from flows.runtime.passes import Pass


def kept_back(storage: Storage, rows: pa.Table, template: RequestTemplate) -> dict[str, str]:
    """Record key -> reason, of those of ``rows`` that must not be sent now. Raises ManifestError, OSError."""
    reasons: dict[str, str] = {}
    columns = (rows[name].to_pylist() for name in ("record_key", "predecessor", "takes_image"))
    for key, before, takes_image in zip(*columns, strict=True):
        if (trouble := trouble_with_place(storage, key)) is not None:
            reasons[key] = trouble
        elif storage.done_among([key]):
            # No claim would take it, and each pass would upload its image again.
            reasons[key] = (
                f"{storage.result_path(key)} is there, but the folders' names are written otherwise than the record's: "
                "write them alike"
            )
        elif (
            template.context_mode.waits_for_result
            and not takes_image
            and before is not None
            and storage.read_result(before) is not None
        ):
            trouble = trouble_with_context(storage, key, before, template)
            if trouble is not None:
                reasons[key] = trouble
    return reasons


def trouble_with_place(storage: Storage, key: str) -> str | None:
    """Why the result of a record could not be written where it belongs, as far as its folder tells. None: it can.
    Raises OSError."""
    try:
        path = storage.result_path(key)
        storage.read_result(key)
    except ManifestError as error:
        return str(error)
    except NotADirectoryError as error:
        return str(DiskError.of(error) or error)
    folder = next(each for each in path.parents if is_there(each))
    if not os.access(folder, os.W_OK | os.X_OK):
        return str(DiskError(folder, errno.EACCES, os.strerror(errno.EACCES)))
    return None


def trouble_with_context(storage: Storage, key: str, before: str, template: RequestTemplate) -> str | None:
    """Why the result of the page before, which is there, cannot go along: it is no JSON, or the prompt cannot be
    rendered with it. None: it can. Raises OSError."""
    try:
        list(request_texts([key], [before], template=template, previous_results=storage.results()))
    except (ManifestError, PromptError) as error:
        return f"the result of the page before cannot go along: {error}"
    return None


async def note_kept_back(p: Pass, kept: Mapping[str, str]) -> None:
    """For `quire status`, which looks at no folder of a page."""
    p.lease.check()
    try:
        await asyncio.to_thread(p.services.storage.stuck.write_pages, kept)
    except OSError as error:
        logger().warning("stuck.json is behind, a later pass catches up: %s", error)
