"""The version of the files' form, which each file carries: in a JSON file as ``format``, in the metadata of a Parquet
file as ``quire.format``. A file without one is from before there were versions, and is read like version 1.

It goes up when an older Quire would misread what this one writes. A new column that may be null is no reason: it is
read as null where it is missing.
"""

from assets.domain.errors import ManifestError

NEWEST_FORMAT = 1
FORMAT = "format"
PARQUET_FORMAT = b"quire.format"


def check_format(path: object, found: object) -> None:
    """``found``: the version in the file at ``path``, None if it has none. Raises ManifestError for one that this Quire
    does not know, ValueError for what is no version."""
    if found is None:
        return
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ValueError(f"{found!r} is no version")
    if found > NEWEST_FORMAT:
        raise ManifestError(
            path, f"was written by a newer Quire (format {found}, this one knows {NEWEST_FORMAT}): upgrade Quire"
        )
