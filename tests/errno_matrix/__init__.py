"""The errno matrix: each call of a whole run to the file system fails in turn. See run.py."""
