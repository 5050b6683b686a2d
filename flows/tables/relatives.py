"""What shares the caps of a collection: its runs that compare settings, which are small collections of their own below
its manifests. Each counts the spending of all.
"""

from pathlib import Path

from flows.gateways.files.runs import Runs
from flows.gateways.files.storage import Storage


def relatives(storage: Storage) -> list[Storage]:
    """All others that spend from the same caps. Raises ManifestError, OSError."""
    owner = storage.runs.owner()
    folders = [owner, *Runs(owner).side_folders()]
    return [side_storage(storage, each) for each in folders if each != storage.manifests]


def side_storage(storage: Storage, manifests: Path) -> Storage:
    """The files of a side, or of another relative, for reading."""
    return Storage(
        root=storage.root,
        manifests=manifests,
        output_results=manifests / "results",
        document_fields=storage.document_fields,
    )
