"""The configuration knows the manifest's columns by heart: it must not import what makes them."""

from assets.manifest import manifest_schema
from config.values import TAKEN_NAMES


def test_the_taken_names_are_those_of_the_manifest() -> None:
    assert {*manifest_schema(()).names, "document"} == {*TAKEN_NAMES, "page"}
