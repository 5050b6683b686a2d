"""Assets and the graph they make: ``@asset``, checks and order. Knows nothing of what any asset holds, nor of Prefect
(`flows.runtime.mirror` turns the graph into Prefect's).

An asset is a plain function. Its positional parameters name its upstream assets, its keyword-only parameters are
settings and facts that the shell passes in: that is the whole declaration, so it cannot disagree with the code.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Generic, ParamSpec, TypeVar

from assets.domain.errors import AssetCheckError

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Check(Generic[R]):
    """A promise of an asset. ``holds`` returns None, or what is wrong in a few words."""

    name: str
    holds: Callable[[R], str | None]


@dataclass(frozen=True)
class Asset(Generic[P, R]):
    """A declared asset: call it like the function it is.

    ``observed``: made outside (a tree of files, Gemini, what the last pass left); its function, if it is ever called,
    only gives what was observed its shape.
    """

    name: str
    function: Callable[P, R]
    upstream: tuple[str, ...]
    checks: tuple[Check[Any], ...]
    description: str
    observed: bool

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function, then every check. Raises AssetCheckError."""
        value = self.function(*args, **kwargs)
        for check in self.checks:
            problem = check.holds(value)
            if problem is not None:
                raise AssetCheckError(self.name, check.name, problem)
        return value


def asset(*, checks: Iterable[Check[Any]] = (), observed: bool = False) -> Callable[[Callable[P, R]], Asset[P, R]]:
    """Declare a function as an asset of the same name; the first line of its docstring describes it."""

    def declare(function: Callable[P, R]) -> Asset[P, R]:
        parameters = inspect.signature(function).parameters.values()
        upstream = tuple(p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY)
        description = (inspect.getdoc(function) or "").partition("\n")[0]
        return Asset(function.__name__, function, upstream, tuple(checks), description, observed)

    return declare


class AssetGraph(Mapping[str, Asset[..., Any]]):
    """Named assets in data-flow order. Raises ValueError for an unknown upstream, a name used twice or a cycle."""

    def __init__(self, assets: Iterable[Asset[..., Any]]) -> None:
        by_name: dict[str, Asset[..., Any]] = {}
        for each in assets:
            if each.name in by_name:
                raise ValueError(f"two assets are called {each.name}")
            by_name[each.name] = each
        for each in by_name.values():
            unknown = [name for name in each.upstream if name not in by_name]
            if unknown:
                raise ValueError(f"asset {each.name} depends on {unknown[0]}, which is no asset")
        try:
            order = TopologicalSorter({name: each.upstream for name, each in by_name.items()}).static_order()
            self._assets = {name: by_name[name] for name in order}
        except CycleError as error:
            raise ValueError(f"the assets {error.args[1]} depend on each other in a circle") from None

    def __getitem__(self, name: str) -> Asset[..., Any]:
        return self._assets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._assets)

    def __len__(self) -> int:
        return len(self._assets)

    def edges(self) -> set[tuple[str, str]]:
        """All (upstream, downstream) pairs."""
        return {(name, each.name) for each in self._assets.values() for name in each.upstream}
