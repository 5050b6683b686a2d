"""The crash matrix: a pass is killed just before and just after each of its effects on the world. See run.py."""
