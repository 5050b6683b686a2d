"""Lets pyarrow do without pandas, which it imports with the first list that becomes an array (pyarrow 26): a quarter of
a second and 55 MB in each process, for nothing that a pass needs. Where pandas is there already, as in a notebook, it
stays; and it can be imported later on.
"""

import sys

import pyarrow as pa


class _NoPandas:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError(name)


def look_away() -> None:
    """pyarrow looks for pandas once, and remembers what it found."""
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
