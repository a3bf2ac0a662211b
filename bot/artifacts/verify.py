"""A bundle checked against itself, offline: nothing is asked of Slack, Supabase or Stack Auth.

What guards what: every line of journal.jsonl guards itself and all lines before it; the closing event in the journal
guards SHA256SUMS; SHA256SUMS guards every file it names, and names a line of the journal. So one changed byte anywhere
in these contradicts something else. What the bundle cannot show by itself is that somebody made all of it anew: for
that, a journal hash given to others long ago (each checkpoint in Slack carries one) is the anchor.

Nothing is raised for damage: each is a failing finding that names file, line where there is one, and kind. A bundle
that was not handed over is checked as far as it goes, and said to be so. Checks: `journal-chain`, `users-chain`,
`undo-chain`, `handover`, `sums`, `files-whole`, `metadata`, `purge`, `unknown-files`, `anchor`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from bot.artifacts import durable, files, handover, reread
from bot.artifacts import metadata as metadata_file
from bot.artifacts.handover import Sums
from bot.artifacts.metadata import Metadata
from bot.artifacts.purged import Gone
from bot.errors import CutoverError, UsageError
from bot.journal import Line, read_chain
from bot.plan.events import CheckpointOffered, Purged, RunAborted, RunOpened, StepEnded, from_record
from bot.plan.findings import Finding, blocks, failed, passed, warned
from bot.plan.gates import DEFAULT
from bot.plan.plan import Plan
from bot.plan.results import ExportResult, HandoverResult, StepResult, UsersResult
from bot.plan.texts.amounts import counted
from bot.plan.texts.listing import listed
from bot.ports import Progress, Report

_RESTORE = "Restore the file from a copy, then verify again."
_MOST_FILES = 5
_OURS = {
    files.METADATA, files.MAPPING, files.ATTENTION, files.AUTH_USERS, files.JOURNAL, files.USERS, files.UNDO,
    files.FREEZE_PRIOR, files.THAW, files.SUMS, files.REPORT, files.ARCHIVE, files.PRACTICE, files.REJECTED,
    files.LOCK, files.GITIGNORE, files.PURGE,
}  # fmt: skip


@dataclass
class _Chain:
    """What the journal says. `damage` is the sentence on its first broken line, "" when it is whole."""

    lines: int = 0
    head: str = ""
    damage: str = ""
    torn: bool = False
    plan: Plan = DEFAULT
    results: dict[str, StepResult] = field(default_factory=dict)
    """Of the steps whose results count, by step."""
    anchored_at: int = 0
    """The line whose hash is the anchor; 0 when there is none."""
    hash_at: dict[int, str] = field(default_factory=dict)
    """Of the one line that SHA256SUMS names."""
    closed_at: int = 0
    """The line of the closing event."""
    aborted: bool = False
    purged: dict[datetime, str] = field(default_factory=dict)


def _to_nobody(progress: Progress) -> None:
    pass


def verify_bundle(directory: Path, anchor: str | None, report: Report = _to_nobody) -> list[Finding]:
    """Reads everything in the directory again and writes nothing; blocks meanwhile. `anchor` is a journal hash from a
    checkpoint's message. Raises UsageError when there is no such directory.
    """
    if not directory.is_dir():
        raise UsageError(
            f"There is no directory {directory}", unchanged="nothing was written", do="name the directory of a bundle"
        )
    anchor = anchor.strip().lower() if anchor is not None else None
    metadata, metadata_damage = _metadata(directory)
    if metadata is not None and metadata.practice and not _is_of_a_run(directory):
        return _practice(directory, metadata, anchor, report)
    gone = Gone(directory)
    sums, sums_damage = _sums(directory)
    closed = sums is not None or bool(sums_damage)
    chain = _read_journal(directory, anchor, named=sums.journal_line if sums else 0, closed=closed)
    found = [*_journal(chain), *_users(directory, closed=closed), *_undo(directory)]
    found += _handover(chain, sums, sums_damage)
    if metadata_damage:
        found.append(failed("metadata", metadata_damage, _RESTORE))
    if metadata is not None:
        found += _metadata_bound(directory, metadata, chain)
    # A witness that has changed itself accuses nobody: files are compared only with what is intact.
    sums = sums if _agrees(sums, chain) else None
    metadata = metadata if _is_as_written(directory, sums, chain) else None
    if sums is not None:
        found += reread.listed_files(directory, sums, metadata, report, gone)
    elif metadata is not None:
        found += reread.exported_files(directory, metadata, report, gone)
    found += gone.findings(chain.purged)
    found += _unknown_files(directory, chain, metadata, sums)
    found.append(_anchor(chain, anchor, whole=not blocks(found)))
    return found


def _is_of_a_run(directory: Path) -> bool:
    return any((directory / name).exists() for name in (files.JOURNAL, files.SUMS))


def _practice(directory: Path, metadata: Metadata, anchor: str | None, report: Report) -> list[Finding]:
    """No run is behind it, so no journal vouches for it: what there is, is held against metadata.json alone."""
    nothing = _Chain()
    found = [
        *_metadata_bound(directory, metadata, nothing),
        *reread.exported_files(directory, metadata, report, Gone(directory)),
    ]
    found += _unknown_files(directory, nothing, metadata, None)
    return [*found, _anchor(nothing, anchor, whole=not blocks(found))]


# -- reading ----------------------------------------------------------------------------------------------------------


def _sums(directory: Path) -> tuple[Sums | None, str]:
    """SHA256SUMS, or what is wrong with it; neither when it is not there."""
    if not (directory / files.SUMS).exists():
        return None, ""
    try:
        return handover.read(directory / files.SUMS), ""
    except CutoverError as error:
        return None, f"{error.happened}."


def _metadata(directory: Path) -> tuple[Metadata | None, str]:
    if not (directory / files.METADATA).exists():
        return None, ""
    try:
        return metadata_file.read(directory / files.METADATA), ""
    except CutoverError as error:
        return None, f"{error.happened}."


def _read_journal(directory: Path, anchor: str | None, *, named: int, closed: bool) -> _Chain:
    chain, size = _Chain(), 0
    try:
        for line in read_chain(directory / files.JOURNAL, torn_tail_allowed=not closed):
            chain.lines, chain.head = line.n, line.hash
            size += line.size
            if line.hash == anchor:
                chain.anchored_at = line.n
            if line.n == named:
                chain.hash_at[named] = line.hash
            # Parsing only the few lines that matter keeps a journal of a million lines a matter of seconds.
            if any(kind in line.content for kind in _THAT_MATTER):
                _note(chain, line)
        chain.torn = size < (directory / files.JOURNAL).lstat().st_size
    except CutoverError as error:
        chain.damage = f"{error.happened}."
    except OSError:
        chain.damage = f"{files.JOURNAL} is missing or cannot be read."
    return chain


_THAT_MATTER = (b'"run-opened"', b'"step-ended"', b'"checkpoint-offered"', b'"run-aborted"', b'"purged"')


def _note(chain: _Chain, line: Line) -> None:
    """What a step left; a gate offered anew takes back the results of its own step and of all later ones."""
    try:
        event = from_record(line.record())
    except ValidationError:
        chain.damage = f"Line {line.n} of {files.JOURNAL} is not an event of a run, although its hash is right."
        return
    if isinstance(event, RunOpened):
        chain.plan = event.plan
    elif isinstance(event, StepEnded):
        chain.results[event.step] = event.result
        if isinstance(event.result, HandoverResult):
            chain.closed_at = line.n
    elif isinstance(event, RunAborted):
        chain.aborted = True
    elif isinstance(event, Purged):
        chain.purged[event.began_at] = event.digest
    elif isinstance(event, CheckpointOffered):
        done = {gate.step for gate in chain.plan.before(event.checkpoint)}
        chain.results = {step: result for step, result in chain.results.items() if step in done}


def _agrees(sums: Sums | None, chain: _Chain) -> bool:
    """False for sums that the journal contradicts; a journal that cannot be read to its end contradicts nothing."""
    closing = chain.results.get("handover")
    return sums is not None and not (isinstance(closing, HandoverResult) and closing.digest != sums.digest)


def _is_as_written(directory: Path, sums: Sums | None, chain: _Chain) -> bool:
    """False for a metadata.json that SHA256SUMS or the journal contradicts."""
    export = chain.results.get("export")
    told = {sums.files.get(files.METADATA)} if sums else {export.sha256} if isinstance(export, ExportResult) else set()
    path = directory / files.METADATA
    return path.exists() and (not told or _sha256(path) in told)


def _sha256(path: Path) -> str:
    """ "" for what cannot be read, which is then the sum of nothing that anybody vouches for."""
    try:
        return durable.sha256_of(path)
    except (CutoverError, OSError):
        return ""


# -- judging ----------------------------------------------------------------------------------------------------------


def _journal(chain: _Chain) -> Iterator[Finding]:
    if chain.damage:
        yield failed("journal-chain", chain.damage, _RESTORE)
    elif not chain.lines:
        yield failed("journal-chain", f"{files.JOURNAL} is empty.", _RESTORE)
    elif chain.torn:
        intact = f"the hash chain before it is intact ({counted(chain.lines, 'line')})"
        why = f"A crash cut off the last line of {files.JOURNAL}; {intact}."
        yield warned(
            "journal-chain", why, "Start `cutover run`: it drops that line and continues. Nothing was based on it."
        )
    else:
        yield passed(
            "journal-chain", f"{files.JOURNAL}: hash chain intact ({counted(chain.lines, 'line')}); head {chain.head}."
        )


def _users(directory: Path, *, closed: bool) -> Iterator[Finding]:
    path = directory / files.USERS
    if path.exists():
        lines, damage = _chain_beside(path, closed=closed)
        yield failed("users-chain", damage, _RESTORE) if damage else passed("users-chain", _intact(path, lines))


def _undo(directory: Path) -> Iterator[Finding]:
    path = directory / files.UNDO
    if path.exists():
        lines, damage = _chain_beside(path, closed=False)
        yield failed("undo-chain", damage, _RESTORE) if damage else passed("undo-chain", _intact(path, lines))


def _intact(path: Path, lines: int) -> str:
    return f"{path.name}: hash chain intact ({counted(lines, 'line')})."


def _chain_beside(path: Path, *, closed: bool) -> tuple[int, str]:
    """How many lines it has, and what is wrong with them as a sentence, "" when nothing is."""
    n = 0
    try:
        for line in read_chain(path, torn_tail_allowed=not closed):
            n = line.n
    except CutoverError as error:
        return n, f"{error.happened}."
    except OSError:
        return n, f"{path.name} cannot be read."
    return n, ""


def _handover(chain: _Chain, sums: Sums | None, sums_damage: str) -> Iterator[Finding]:
    closing = chain.results.get("handover")
    assert closing is None or isinstance(closing, HandoverResult)
    if sums_damage:
        yield failed("sums", sums_damage, _RESTORE)
    users = chain.results.get("users")
    if closing is None and sums is None:
        if isinstance(users, UsersResult) and users.dry_run:
            yield warned(
                "handover",
                "This is a dry run, which has no handover. Everything present was checked.",
                "To create the users, start a new run: `cutover run --new`.",
            )
        elif chain.aborted and not sums_damage:
            yield warned(
                "handover",
                "The run was aborted, so there is no handover. Everything present was checked.",
                "To open the next run: `cutover run --new`.",
            )
        elif not sums_damage:
            yield warned(
                "handover", "The handover is not done yet. Everything present was checked.", "Finish the run first."
            )
        return
    if closing is None:
        yield failed(
            "handover",
            f"{files.SUMS} exists, but {files.JOURNAL} has no closing event: the handover was interrupted, or the "
            "journal has lost lines at its end.",
            f"Start `cutover run` to finish the handover, or restore {files.JOURNAL} from a copy.",
        )
        return
    if sums is None:
        if not sums_damage:
            yield failed("sums", f"{files.SUMS} is missing, although the bundle was handed over.", _RESTORE)
        return
    if sums.digest != closing.digest:
        why = f"{files.SUMS} differs from the digest in the journal's closing event."
        yield failed("sums", why, _RESTORE)
    elif chain.hash_at.get(sums.journal_line) != sums.journal_hash:
        why = f"{files.SUMS} and {files.JOURNAL} disagree about the hash of line {sums.journal_line}."
        yield failed("sums", why, _RESTORE)
    else:
        matches = f"{files.SUMS} matches the journal's closing event (line {chain.closed_at:,}): digest {sums.digest}."
        yield passed("sums", f"{matches} {_after_the_closing(chain.lines - chain.closed_at)}")


def _after_the_closing(lines: int) -> str:
    """What follows the closing event says what happened later; only the chain guards it."""
    if not lines:
        return "No line follows it."
    return f"{lines:,} {'line follows' if lines == 1 else 'lines follow'} it, guarded by the hash chain alone."


def _metadata_bound(directory: Path, metadata: Metadata, chain: _Chain) -> Iterator[Finding]:
    """Also before the handover the journal knows the two files that name or bind all others."""
    if metadata.practice:
        why = "This is a practice export of the live source. It belongs to no run and is not for import."
        yield warned("metadata", why, "Delete it after the practice: it contains every row.")
    result = chain.results.get("export")
    if isinstance(result, ExportResult) and _sha256(directory / files.METADATA) != result.sha256:
        why = f"{files.METADATA} is not the file that the export wrote: SHA-256 mismatch."
        yield failed("metadata", why, _RESTORE)
    result = chain.results.get("users")
    mapping = directory / files.MAPPING
    if isinstance(result, UsersResult) and mapping.exists() and _sha256(mapping) != result.mapping_sha256:
        why = f"{files.MAPPING} is not the file that the users step wrote: SHA-256 mismatch."
        yield failed("metadata", why, _RESTORE)


def _unknown_files(directory: Path, chain: _Chain, metadata: Metadata | None, sums: Sums | None) -> Iterator[Finding]:
    """Nothing is called unknown while what would know it is damaged or gone."""
    if metadata is None and sums is None and chain.results:
        return
    known = _OURS | set(sums.files if sums else ())
    if metadata is not None:
        known |= {table.file for table in metadata.tables.values()}
    if unknown := sorted(path.name for path in directory.iterdir() if path.name not in known):
        why = f"Files in the directory that are not part of the bundle: {listed(unknown, _MOST_FILES)}."
        yield warned("unknown-files", why, "Do not import them: nothing verifies them.")


def _anchor(chain: _Chain, anchor: str | None, *, whole: bool) -> Finding:
    if anchor is None:
        if whole:
            return passed("anchor", "The bundle is consistent. It was not compared with Slack.")
        return warned("anchor", "Not compared with Slack.", "Pass a checkpoint's journal hash: --anchor HASH.")
    if chain.anchored_at:
        return passed("anchor", f"The anchor matches line {chain.anchored_at:,} of {files.JOURNAL}.")
    return failed(
        "anchor",
        f"The anchor matches no line of {files.JOURNAL}: the message was about another journal.",
        "Compare the hash with the message letter by letter. If it is right, this bundle is from another night.",
    )
