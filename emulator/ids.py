"""Names for what the service creates. They never repeat, also not after a restart with the same seed."""

import hashlib
import time

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

JOB_ID_LENGTH = 36
"""So that `batch-<job id>`, the id of a result file, is longer than the 40 characters that a file id may have."""
FILE_ID_LENGTH = 12
MAX_FILE_ID_LENGTH = 40


class IdSource:
    def __init__(self, seed: int) -> None:
        self._origin = f"{seed}:{time.time_ns()}"
        self._count = 0

    def new(self, length: int) -> str:
        """``length`` lower-case letters and digits."""
        self._count += 1
        number = int.from_bytes(hashlib.sha512(f"{self._origin}:{self._count}".encode()).digest(), "big")
        characters = []
        for _ in range(length):
            number, digit = divmod(number, len(_ALPHABET))
            characters.append(_ALPHABET[digit])
        return "".join(characters)
