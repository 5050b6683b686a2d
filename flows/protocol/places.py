"""Whether there is a place for what will be answered: looked at before anything is uploaded, since what is sent then is
paid for.
"""

from assets.domain.errors import DiskError
from flows.gateways.files.storage import Storage
from flows.gateways.files.trial import free_bytes, try_write

RECORD_BYTES = 32_768
"""What a record may need in each of our folders until its batch is closed: its line in the result file and its result,
twice what an answer of 4,000 tokens has."""


def try_folders(storage: Storage) -> None:
    """Write a trial file into each folder that we write to. Raises OSError."""
    for folder in storage.own_folders():
        try_write(folder)


def check_room(storage: Storage, records: int) -> None:
    """Raise DiskError unless the answers of ``records``, those in flight and those that are about to be, have room.
    Raises OSError."""
    for folder in (storage.output_results, storage.manifests):
        free, needed = free_bytes(folder), records * RECORD_BYTES
        if free < needed:
            raise DiskError.no_room(
                folder, f"{records:,} records may need {needed / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free"
            )
