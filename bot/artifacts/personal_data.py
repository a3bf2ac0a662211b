"""Which files of ours hold the data of people (rows, hashes, addresses, ids of users), and which do not. By name.

A name is ours when our code gives it. Table files are those that metadata.json, SHA256SUMS or the draft of an export
name; where no metadata.json that can be read says which there are, every file in the form of a table's (`NAME.json`
that begins as an array of rows). Whatever else lies there is somebody else's and is left alone.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass

from bot.artifacts import files, handover, metadata
from bot.artifacts.folder import Entry, Folder
from bot.errors import CutoverError

KEPT = frozenset(
    {
        files.METADATA, files.JOURNAL, files.SUMS, files.REPORT, files.FREEZE_PRIOR, files.THAW, files.PURGE,
        files.LOCK, files.GITIGNORE,
    }
)  # fmt: skip
"""Evidence, which names and quotes staff, and what holds nothing of a person."""
HOUSEKEEPING = frozenset({files.LOCK, files.GITIGNORE})
"""What keeps others out of a directory, and goes with it."""
_OF_USERS = frozenset({files.MAPPING, files.ATTENTION, files.USERS, files.UNDO})
_FOLDERS = frozenset({files.ARCHIVE, files.PRACTICE, files.REJECTED})
_DRAFT = f"export{files.PARTIAL}"
_TABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,250}\.json")
_SCRATCH = re.compile(re.escape(files.SCRATCH) + r"[a-z0-9_]{8}")
PRACTISED = re.compile(r"[0-9]{8}T[0-9]{6}Z")
"""The folder of a practice."""
_REJECTED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,250}\.jsonl?(?:\.partial)?")


@dataclass(frozen=True, kw_only=True)
class Found:
    """`held` are files of ours with the data of people; `scratch` those of them that a process left behind;
    `irregular` have such a name and are no regular file; `strangers` are not ours, a folder with a slash behind it.
    """

    held: tuple[Entry, ...]
    scratch: tuple[Entry, ...]
    irregular: tuple[str, ...]
    strangers: tuple[str, ...]


def found_in(folder: Folder, *, all_of_it: bool = False) -> Found:
    """What lies in the folder of a run, an archived run or a practice; with `all_of_it`, for a practice, metadata.json
    counts as held too, since it is evidence of nothing.
    """
    entries = folder.entries()
    tables = _tables(folder, entries)
    held, scratch, irregular, strangers = list[Entry](), list[Entry](), list[str](), list[str]()
    for entry in entries:
        if entry.name in _FOLDERS and entry.kind == "folder":
            continue
        if _SCRATCH.fullmatch(entry.name):
            kind = scratch
        elif entry.name in KEPT or _is_kept_partial(entry.name):
            if not (all_of_it and entry.name == files.METADATA):
                continue
            kind = held
        elif entry.name in _OF_USERS | tables or _is_partial(entry.name):
            kind = held
        else:
            strangers.append(f"{entry.name}/" if entry.kind == "folder" else entry.name)
            continue
        if entry.kind == "file":
            kind.append(entry)
        else:
            irregular.append(entry.name)
    return Found(held=tuple(held), scratch=tuple(scratch), irregular=tuple(irregular), strangers=tuple(strangers))


def may_be_removed(path: str) -> bool:
    """Whether a path within a data directory, as a receipt names it, is one that a purge may ever have removed. Whoever
    made the receipt, nothing else is touched for its sake.
    """
    *folders, name = path.split("/")
    match folders:
        case []:
            return name in _OF_USERS or is_table(name) or _is_partial(name) or bool(_SCRATCH.fullmatch(name))
        case [files.PRACTICE, inner]:
            return bool(PRACTISED.fullmatch(inner)) and (name == files.METADATA or may_be_removed(name))
        case [files.REJECTED]:
            return bool(_REJECTED.fullmatch(name))
        case _:
            return False


def is_practice(folder: Folder) -> bool:
    """The folder is that of a practice, and of no run."""
    with contextlib.suppress(CutoverError):
        return folder.entry(files.JOURNAL) is None and metadata.read(folder.path / files.METADATA).practice
    return False


def is_table(name: str) -> bool:
    return bool(_TABLE.fullmatch(name)) and name not in KEPT


def rejected_in(folder: Folder) -> Found:
    """What lies in the folder of rejected rows."""
    entries = folder.entries()
    ours = [entry for entry in entries if _REJECTED.fullmatch(entry.name)]
    return Found(
        held=tuple(entry for entry in ours if entry.kind == "file"),
        scratch=(),
        irregular=tuple(entry.name for entry in ours if entry.kind != "file"),
        strangers=tuple(entry.name for entry in entries if entry not in ours),
    )


def _is_kept_partial(name: str) -> bool:
    return name.endswith(files.PARTIAL) and name.removesuffix(files.PARTIAL) in KEPT


def _is_partial(name: str) -> bool:
    stem = name.removesuffix(files.PARTIAL)
    return stem != name and (name == _DRAFT or stem in _OF_USERS or bool(_TABLE.fullmatch(stem)))


def _tables(folder: Folder, entries: list[Entry]) -> set[str]:
    named: set[str] = set()
    try:
        described = metadata.read(folder.path / files.METADATA)
        named.update(table.file for table in described.tables.values())
    except CutoverError:
        named.update(
            entry.name
            for entry in entries
            if entry.kind == "file" and folder.beginning(entry.name, len(files.ARRAY_BEGIN)) == files.ARRAY_BEGIN
        )
        named.update(_drafted(folder))
    with contextlib.suppress(CutoverError):
        named.update(handover.read(folder.path / files.SUMS).files)
    return {name for name in named if is_table(name)}


def _drafted(folder: Folder) -> set[str]:
    """What the draft of an export that was cut off names."""
    found = set()
    for line in folder.beginning(_DRAFT, 64 << 20).splitlines()[1:]:
        try:
            found.add(str(json.loads(line)["file"]))
        except (ValueError, LookupError, TypeError):
            continue
    return found
