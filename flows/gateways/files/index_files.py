"""The files of ``manifests/index``: what was seen of trees, so that a pass looks again only at what changed. All of it
is derived and may be deleted at any time: a file that is missing, damaged or of another Quire is none, and then
everything is looked at.
"""

import zlib
from pathlib import Path

import pyarrow as pa

from flows.gateways.files.atomic import naming, replace_file

FORM = b"quire index 1 "
_HEAD_BYTES = len(FORM) + 9


def read_index(path: Path, schema: pa.Schema) -> pa.Table | None:
    """The table with its metadata; None where there is none that can be believed. Raises OSError, but for a file that
    is not there."""
    try:
        with naming(path):
            content = path.read_bytes()
    except FileNotFoundError:
        return None
    head, body = content[:_HEAD_BYTES], memoryview(content)[_HEAD_BYTES:]
    # Arrow believes what it reads: a damaged length would crash the process.
    if head != _head_of(body):
        return None
    with pa.ipc.open_file(pa.py_buffer(body)) as file:
        table = file.read_all()
    return table if table.schema.remove_metadata() == schema.remove_metadata() else None


def write_index(path: Path, table: pa.Table) -> None:
    """Raises OSError."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table.combine_chunks())
    body = memoryview(sink.getvalue())

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(_head_of(body))
            file.write(body)

    replace_file(path, write)


def _head_of(body: memoryview) -> bytes:
    return b"%b%08x\n" % (FORM, zlib.crc32(body))
