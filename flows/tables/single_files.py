"""Derived tables as earlier versions kept them, each in a single file: taken over as the first part, so that an upgrade
does not read all that ever was settled."""

import json

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import ManifestError
from assets.history import is_plain
from assets.places import PLACE, with_places
from flows.gateways.files.parts import GOES_BY
from flows.gateways.files.presence import is_there
from flows.gateways.files.storage import Storage


def from_single_file(storage: Storage, name: str, schema: pa.Schema) -> tuple[pa.Table, set[str]] | None:
    """Its rows, in the form that they have in parts, and the outcomes files that it goes by. None where there is no
    such file, or it cannot be used: then the table is made anew. Raises OSError."""
    if not is_there(storage.derived_path(name)):
        return None
    then = pa.schema([field for field in schema if field.name not in PLACE])
    try:
        table = storage.read_derived(name, then)
        goes_by = set(json.loads((table.schema.metadata or {})[GOES_BY]))
    except (ManifestError, KeyError, ValueError, TypeError):
        return None
    table = table.replace_schema_metadata(None)
    if name == "history":
        table = table.filter(pc.invert(is_plain(table)))
    return (with_places(table).cast(schema) if len(then) < len(schema) else table), goes_by


def single_file_goes_by(storage: Storage, name: str) -> set[str]:
    """The outcomes files that it goes by; none where it cannot be used. One column, so that it tells in whatever form
    it is. Raises OSError."""
    column = pa.schema([pa.field("submission_id", pa.string(), nullable=False)])
    found = from_single_file(storage, name, column)
    return set() if found is None else found[1]
