"""Result files that are kept, until nobody needs them any more. They are written in `settlement`."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from flows.runtime.logs import logger
from flows.runtime.passes import Pass
from flows.tables.derived import submissions_table

MAX_REMOVED = 1_000
"""In one pass: what there is more waits for the next one."""


def remove_old_raw(p: Pass) -> None:
    """Remove what belongs to a submission that was closed ``safety.keep_raw_days`` ago. A file that no outcomes are
    known of stays: its settlement may have been broken off, or it is not ours. Raises ManifestError."""
    storage = p.services.storage
    names = storage.raw.names()
    if not names:
        return
    kept_since = p.services.now() - timedelta(days=p.services.settings.safety.keep_raw_days)
    closed = submissions_table(storage, ["submission_id", "closed_at"], write=False)
    is_old = pc.less_equal(closed["closed_at"], pa.scalar(kept_since, closed.schema.field("closed_at").type))
    old = set(closed.filter(is_old)["submission_id"].to_pylist())
    for name in [name for name in names if name in old][:MAX_REMOVED]:
        p.lease.check()
        try:
            storage.raw.remove_raw(name)
        except OSError as error:
            logger().warning("An old result file could not be removed, a later pass tries again: %s", error)
            return
