"""What the design says of the layers and import-linter cannot: single modules, calls, and the length of modules.

Read from the source, without importing it, so that imports inside functions count too.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("assets", "config", "flows", "emulator", "exports", "viewer")
MAX_LINES = 350

MODULES = sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Dotted names of everything that is imported, ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers_of(package: str) -> set[str]:
    """The modules that import ``package`` or anything in it."""
    return {
        module
        for module in MODULES
        if any(name == package or name.startswith(f"{package}.") for name in imports(module))
    }


def dotted(node: ast.AST) -> str:
    """``os.environ.get`` for the expression of that name, "" for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (front := dotted(node.value)):
        return f"{front}.{node.attr}"
    return ""


def uses(module: str) -> set[str]:
    """All dotted names in a module, and all attributes by their own name."""
    nodes = list(ast.walk(tree_of(module)))
    return {dotted(node) for node in nodes} | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_only_the_ledger_gateway_uses_prefects_variables() -> None:
    calls = {
        f"{verb}_variable{rest}"
        for verb in ("create", "read", "update", "delete", "set")
        for rest in ("", "s", "_by_name")
    }
    imported = {
        module
        for module in MODULES
        if any(name.startswith("prefect") and "variable" in name.lower() for name in imports(module))
    }
    assert imported | {module for module in MODULES if uses(module) & calls} == {"flows/gateways/prefect/ledger.py"}


def test_only_the_configuration_reads_yaml_and_dotenv() -> None:
    assert importers_of("dotenv") == {"config/loading.py"}
    readers = {module for module in MODULES if uses(module) & {"yaml.load", "yaml.safe_load", "yaml.load_all"}}
    assert readers - {"emulator/rules.py"} == {"config/yaml_files.py"}, "the emulator is somebody else's"


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("config/")])
def test_the_environment_is_passed_on_and_never_read_outside_the_configuration(module: str) -> None:
    assert not uses(module) & {"os.getenv", "os.environ.get", "os.environ.items", "os.environb", "getenv"}
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Subscript) and dotted(node.value) == "os.environ":
            assert not isinstance(node.ctx, ast.Load), f"{module}:{node.lineno} reads the environment"
        if isinstance(node, ast.Compare) and any(dotted(each) == "os.environ" for each in node.comparators):
            pytest.fail(f"{module}:{node.lineno} looks into the environment")


def test_the_core_has_no_clock_no_chance_and_no_files() -> None:
    shell = {"os", "time", "random", "secrets", "uuid", "socket", "subprocess", "threading", "asyncio", "logging",
             "pathlib", "tempfile", "shutil", "io"}  # fmt: skip
    for module in MODULES:
        if module.startswith("assets/"):
            found = {name.partition(".")[0] for name in imports(module)} & shell
            assert not found, f"{module} imports {found}"
            calls = uses(module) & {"now", "utcnow", "today", "open"}
            assert not calls, f"{module} calls {calls}"


def test_hypothesis_runs_where_no_server_does() -> None:
    """It takes the random numbers that a thread of Prefect's draws meanwhile for a strategy's, and calls that flaky."""
    found = [
        path for path in (ROOT / "tests").rglob("test_*.py") if "from hypothesis import" in path.read_text("utf-8")
    ]
    apart = (ROOT / "tests" / "unit", ROOT / "tests" / "properties")
    here = Path(__file__)
    assert [path for path in found if path != here and not any(path.is_relative_to(folder) for folder in apart)] == []


@pytest.mark.parametrize("module", MODULES)
def test_only_the_command_line_prints(module: str) -> None:
    may_print = module in ("flows/cli.py", "flows/terminal/display.py") or module.startswith("flows/demo/")
    assert may_print or "print" not in uses(module)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is_and_stays_readable(module: str) -> None:
    text = (ROOT / module).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES, f"{module}: split it"
    if text.strip() and not module.endswith("__init__.py"):
        assert ast.get_docstring(tree_of(module)), f"{module}: its docstring says what belongs there"


@pytest.mark.parametrize("module", [module for module in MODULES if module.endswith("__init__.py")])
def test_packages_hold_no_wiring(module: str) -> None:
    statements = tree_of(module).body
    assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in statements)
