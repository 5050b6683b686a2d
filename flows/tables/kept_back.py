"""Records that the plan would send and that must not go: for each a reason, and what a person can do. Looked for before
anything is uploaded, so that trouble of one page keeps back that page, and what waits for it, and nothing else.
"""

import pyarrow as pa

from assets.context import ContextMode
from assets.domain.errors import ManifestError
from flows.gateways.files.storage import Storage


def kept_back(storage: Storage, rows: pa.Table, mode: ContextMode) -> dict[str, str]:
    """Record key -> reason, of those of ``rows`` that must not be sent now. Raises ManifestError, OSError."""
    reasons: dict[str, str] = {}
    results = storage.results()
    for key, before in zip(rows["record_key"].to_pylist(), rows["predecessor"].to_pylist(), strict=True):
        if storage.read_result(key) is not None:
            # No claim would take it, and each pass would upload its image again.
            reasons[key] = (
                f"{storage.result_path(key)} is there, but the folders' names are written otherwise than the record's: "
                "write them alike"
            )
        elif mode.waits_for_result and before is not None:
            try:
                results.get(before)
            except ManifestError as error:
                reasons[key] = f"the result of the page before cannot go along: {error}"
    return reasons
