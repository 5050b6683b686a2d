"""Questions write nothing, by no way that they take through the rooms below them.

Read from the source: what a question uses of ours is followed from function to function, down to the gateways, where
each method that writes is known by what it does to the disk or by its port. A function with a parameter ``write``
writes unless it is called with ``write=False``.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATEWAYS = "flows.gateways."
ON_DISK = frozenset(
    {"write_text", "write_bytes", "write_table", "unlink", "mkdir", "makedirs", "rename", "rmdir", "rmtree", "touch"}
    | {"hardlink_to", "symlink_to", "fsync"}
)
THROUGH_PORTS = frozenset(
    {
        "transaction",
        "set_active",
        "apply_counts",
        "set_views",
        "remove_counts",
        "note_submissions",
        "create_home",
        "rebuild",
        "hold",
    }
    | {"upload", "delete_file", "create_job", "cancel_job", "delete_job", "materialize", "publish", "upload_marks"}
)
QUESTIONS = sorted(f"flows.questions.{path.stem}" for path in (ROOT / "flows" / "questions").glob("[!_]*.py"))

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """``definitions``: what stands at its top; ``imported``: name -> dotted name, of what is ours."""

    definitions: Mapping[str, Definition]
    imported: Mapping[str, str]


@cache
def module_of(name: str) -> Module | None:
    path = ROOT / f"{name.replace('.', '/')}.py"
    if not name.startswith("flows.") or not path.is_file():
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    definitions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "flows"
        for alias in node.names
    }
    return Module(definitions, imported)


def names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} | {
        each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)
    }


@cache
def writers() -> frozenset[str]:
    """The names of all that writes: functions and methods of the gateway of files, and what the ports call so."""
    functions = [
        (node.name, names_in(node))
        for path in (ROOT / "flows" / "gateways" / "files").glob("*.py")
        if path.stem != "upload_marks"  # words such as count and remove: marks are told by their own name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    found = ON_DISK | {"replace_file", "create_file"}
    while more := {name for name, used in functions if used & found} - found:
        found |= more
    return frozenset(found - {"rename"} | THROUGH_PORTS)  # pandas renames columns


def may_write(definition: Definition) -> bool:
    """Whether it is for the caller to say if it writes."""
    return not isinstance(definition, ast.ClassDef) and "write" in {each.arg for each in definition.args.kwonlyargs}


def default_writes(definition: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    at = [each.arg for each in definition.args.kwonlyargs].index("write")
    default = definition.args.kw_defaults[at]
    return not (isinstance(default, ast.Constant) and default.value is False)


def named_in(module: Module, home: str, node: ast.AST) -> tuple[str, str] | None:
    """(module, name) of what an expression names, if it is of ours and stands at the top of a module."""
    if isinstance(node, ast.Name):
        if node.id in module.definitions:
            return home, node.id
        where, _, name = module.imported.get(node.id, "").rpartition(".")
        return (where, name) if where else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in module.imported:
        return module.imported[node.value.id], node.attr
    return None


def writes_of(home: str, name: str, seen: set[tuple[str, str]]) -> Iterator[str]:
    """``module.function: what it uses that writes``, for a function or a class and all that it uses of ours."""
    module = module_of(home)
    if (home, name) in seen or module is None or name not in module.definitions or home.startswith(GATEWAYS):
        return
    seen.add((home, name))
    definition = module.definitions[name]
    for node in ast.walk(definition):
        if isinstance(node, ast.Attribute) and node.attr in writers() and not may_write(definition):
            yield f"{home}.{name}: {ast.unparse(node)}"
        if isinstance(node, ast.Name | ast.Attribute) and (target := named_in(module, home, node)) is not None:
            if target[0].startswith(GATEWAYS) and target[1] in writers():
                yield f"{home}.{name}: {ast.unparse(node)}"
            yield from writes_of(*target, seen)
        if isinstance(node, ast.Call):
            for each in (node.func, *node.args):
                target = named_in(module, home, each)
                if target is not None and writes_when_called(target, node, definition):
                    yield f"{home}.{name}: {ast.unparse(node)}"


def writes_when_called(target: tuple[str, str], call: ast.Call, caller: Definition) -> bool:
    module = module_of(target[0])
    definition = module.definitions.get(target[1]) if module is not None else None
    if definition is None or isinstance(definition, ast.ClassDef) or not may_write(definition):
        return False
    said = next((each.value for each in call.keywords if each.arg == "write"), None)
    if said is None:
        return default_writes(definition)
    if isinstance(said, ast.Name) and said.id == "write" and may_write(caller):
        return False
    return not (isinstance(said, ast.Constant) and said.value is False)


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_write_nothing(question: str) -> None:
    module, seen = module_of(question), set[tuple[str, str]]()
    assert module is not None

    found = sorted({each for name in module.definitions for each in writes_of(question, name, seen)})

    assert found == [], f"{question} writes by way of these"


@pytest.mark.parametrize("flow", ["flows.poll", "flows.scan", "flows.submit", "flows.operate", "flows.prune"])
def test_what_writes_is_found_out(flow: str) -> None:
    module = module_of(flow)
    assert module is not None

    assert any(True for name in module.definitions for _ in writes_of(flow, name, set()))
