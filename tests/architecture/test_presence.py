"""No decision hangs on ``Path.exists`` and its kind, which take what cannot be looked at for what is not there."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = frozenset({"exists", "is_file", "is_dir", "isfile", "isdir"})
MAY = {
    # An entry of os.scandir, which tells trouble apart.
    "flows/gateways/files/image_files.py": {"is_dir", "is_file"},
    "flows/gateways/files/walking.py": {"is_dir"},
    "flows/gateways/pdf/tree.py": {"is_dir", "is_file"},
    # What cannot be looked at is left lying, or looked at again by what follows.
    "flows/gateways/files/creation.py": {"exists"},
    "flows/gateways/files/leftovers.py": {"is_file"},
    # Images are rendered anew at worst.
    "flows/gateways/pdf/page_folders.py": {"is_file", "is_dir"},
    # Either way it is an error that names the place.
    "config/schema_loader.py": {"is_file", "is_dir"},
    # They look and decide nothing.
    "flows/doctor/machine.py": {"is_dir"},
    "flows/questions/why.py": {"is_file"},
}


def test_what_cannot_be_looked_at_is_never_taken_for_what_is_not_there() -> None:
    found: dict[str, set[str]] = {}
    for path in [*(ROOT / "flows").rglob("*.py"), *(ROOT / "config").rglob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("flows/demo/"):
            continue
        calls = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS
        }
        if calls:
            found[name] = calls

    assert found == MAY
