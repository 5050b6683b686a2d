"""A walk of the images of a collection: ``count`` them, ``stat`` each, or open each and read its ``heads``.

python benchmarks/baselines/walk.py count|stat|heads FOLDER
"""

import os
import sys

from benchmarks.measuring import measured

HEAD_BYTES = 64


def count(folder: str) -> int:
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            found += count(entry.path) if entry.is_dir(follow_symlinks=False) else 1
    return found


def stat(folder: str) -> int:
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += stat(entry.path)
            else:
                entry.stat()
                found += 1
    return found


def heads(folder: str) -> int:
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += heads(entry.path)
            else:
                with open(entry.path, "rb") as file:  # noqa: PTH123 - as a plain loop does
                    file.read(HEAD_BYTES)
                found += 1
    return found


WAYS = {"count": count, "stat": stat, "heads": heads}

if __name__ == "__main__":
    with measured() as figures:
        figures["n"] = WAYS[sys.argv[1]](os.path.join(sys.argv[2], "images"))  # noqa: PTH118 - as above
