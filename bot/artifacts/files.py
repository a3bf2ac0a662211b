"""The names of the files in a data directory, and the form of a table's file."""

from __future__ import annotations

from bot import directory_lock

METADATA = "metadata.json"
MAPPING = "user-mapping.json"
ATTENTION = "user-attention.json"
AUTH_USERS = "auth_users.json"
JOURNAL = "journal.jsonl"
USERS = "users.jsonl"
UNDO = "undo.jsonl"
FREEZE_PRIOR = "freeze-prior.json"
THAW = "thaw.json"
SUMS = "SHA256SUMS"
REPORT = "report.html"
PURGE = "purge.json"
ARCHIVE = "archive"
PRACTICE = "practice"
TIMINGS = "timings.json"
REJECTED = "rejected"
"""Rows that an import refuses, a file for each table. Nothing writes them yet; they already have their date."""
LOCK = directory_lock.LOCK
PARTIAL = ".partial"
SCRATCH = ".scratch-"
"""How the files begin that are to live as long as a process."""
GITIGNORE = ".gitignore"

ARRAY_BEGIN = b"[\n"
ARRAY_END = b"]\n"
"""A table's file is `ARRAY_BEGIN`, the rows, `ARRAY_END`; each row is a line, all but the last with a comma at its end.
An empty table is `ARRAY_BEGIN + ARRAY_END`."""

RESERVED = frozenset({METADATA, MAPPING, ATTENTION, FREEZE_PRIOR, THAW, PURGE})
"""JSON files of ours that no table's file may be called like, in any case."""
