"""What a part is told on its standard input."""

FULL, ROOM = b"f", b"r"
"""The disk under its SQLite file is full; it has room again."""
