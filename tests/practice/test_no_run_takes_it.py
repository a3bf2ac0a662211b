"""A practice is of no run: verify says what it is, and nothing of a night takes it for an export."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import durable, files, handover, mapping, metadata
from bot.artifacts.durable import sha256_of
from bot.artifacts.files import FREEZE_PRIOR, METADATA
from bot.artifacts.verify import verify_bundle
from bot.errors import RecordDamaged
from bot.plan import events as e
from bot.plan.findings import Verdict, blocks
from bot.plan.results import ExportResult
from bot.plan.run import Run
from bot.record import EventRecord
from bot.rehearsal.company import Company
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.step import UsersStep
from bot.supabase.database import Database
from bot.supabase.export import Export, finished
from tests.plan.histories import result_of
from tests.practice.conftest import Taken, cutover, environment

FROZEN_AT = "2026-01-02T03:00:00+00:00"
Copied = Callable[[str], Path]


def run_of(taken: Taken) -> Run:
    """A run that bears the practice's own id, behind gate `freeze`: as near as one could come by forging."""
    at = datetime.fromisoformat(FROZEN_AT)
    opened = e.RunOpened(
        at=at,
        run_id=taken.metadata.run_id,
        parties=e.Parties(source_ref="r", source_database="d", target_project="p"),
        channel="C1",
        approvers=("U1",),
        retain_days=90,
    )
    return Run(opened=opened, last_at=at, facts={"freeze": {"frozenAt": FROZEN_AT, "lsn": "0/1", "xmax": 7}})


def never(*_: object) -> None:
    raise AssertionError("nothing is to be reported")


class NoClock:
    def now(self) -> datetime:
        raise AssertionError("nobody is to ask for the time")


# -- verify -----------------------------------------------------------------------------------------------------------


def test_verify_says_that_it_is_a_practice(taken: Taken) -> None:
    """0, since nothing is damaged; a warning, since nobody may import it."""
    code, out, _ = cutover(taken.here, {}, "verify", str(taken.directory))
    assert (code, out) == (
        0,
        """\
warn  metadata  This is a practice export of the live source. It belongs to no run and is not for import.
      → Delete it after the practice: it contains every row.
pass  files-whole  51 exported files match metadata.json: 3,539 rows.
pass  anchor  The bundle is consistent. It was not compared with Slack.
""",
    )


def test_with_an_anchor_it_is_refused(taken: Taken) -> None:
    """Whoever compares it with a night's message learns that it is not that night's bundle."""
    found = {finding.check: finding.verdict for finding in verify_bundle(taken.directory, "a" * 64)}
    assert found == {"metadata": Verdict.WARN, "files-whole": Verdict.PASS, "anchor": Verdict.FAIL}


def test_the_data_directory_beside_it_is_not_accused(taken: Taken, tmp_path: Path) -> None:
    """A run's own bundle may have practices and their timings next to it."""
    EventRecord.open(taken.data).close()
    try:
        assert "unknown-files" not in {finding.check for finding in verify_bundle(taken.data, None)}
    finally:
        (taken.data / files.JOURNAL).unlink()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda d: (d / "orders.json").write_bytes((d / "orders.json").read_bytes()[:-4]), "orders.json"),
        (lambda d: (d / "orders.json").unlink(), "orders.json"),
        (lambda d: _edit(d, '"practice":true', '"practice":false'), "journal.jsonl"),
    ],
)
def test_a_damaged_practice_and_one_that_denies_it_are_refused(
    copied: Copied, damage: Callable[[Path], object], why: str
) -> None:
    """A changed file is named; without the mark it is a run's bundle, and a run's has a journal."""
    directory = copied("damaged")
    damage(directory)
    found = verify_bundle(directory, None)
    assert blocks(found)
    assert any(why in finding.evidence for finding in found if finding.verdict is Verdict.FAIL)


def test_over_a_runs_export_it_is_found_out(taken: Taken, copied: Copied) -> None:
    """Where the journal knows of an export, the practice's metadata.json is not that export's."""
    directory, at = copied("a run"), run_of(taken).opened.at
    result = ExportResult(
        tables=1, rows=1, bytes=1, auth_users=1, sha256="0" * 64, taken_at=at, largest=(), left_out={},
        storage_objects=0, storage_bytes=0, duration_ms=1,
    )  # fmt: skip
    record = EventRecord.open(directory)
    for event in (run_of(taken).opened, e.StepEnded(at=at, step="export", result=result)):
        record.append([event])
    record.close()
    failing = [finding for finding in verify_bundle(directory, None) if finding.verdict is Verdict.FAIL]
    assert [(f.check, "metadata.json is not the file that the export wrote" in f.evidence) for f in failing] == [
        ("metadata", True)
    ]


# -- a night ----------------------------------------------------------------------------------------------------------


def test_run_refuses_a_data_directory_that_holds_one(
    company: Company, copied: Copied, contents: Callable[[Path], Any]
) -> None:
    """Before anybody is asked, with 2 and one sentence; nothing is opened, moved or removed."""
    directory = copied("data")
    before = contents(directory)
    everything = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-1",
        "SLACK_API_URL": "http://127.0.0.1:1/api/",
        "SUPABASE_URL": "http://127.0.0.1:1",
        "SUPABASE_SERVICE_ROLE_KEY": "k",
        "STACK_AUTH_PROJECT_ID": "p-1",
        "STACK_AUTH_SECRET_KEY": "ssk_1",
        "CUTOVER__SLACK__CHANNEL": "C0CUTOVER",
        "CUTOVER__APPROVERS__USERS": '["U0ADA"]',
        "MIGRATION_DATA_DIR": str(directory),
    }
    assert cutover(directory.parent, environment(company, **everything), "run") == (
        2,
        "",
        f"cutover: {directory} holds a practice, which was taken from the living source; nothing was started and "
        "nothing was moved; give the run a directory of its own in MIGRATION_DATA_DIR.\n",
    )
    assert contents(directory) == before


def test_the_export_does_not_find_its_result_in_one(taken: Taken, copied: Copied) -> None:
    """Neither as it is nor with a forged mark, be the run's id the practice's own."""
    directory, at = copied("forged"), datetime.fromisoformat(FROZEN_AT)
    assert not list(finished(directory, taken.metadata.run_id, at))
    _edit(directory, '"practice":true', '"practice":false')
    assert not list(finished(directory, taken.metadata.run_id, at))


async def test_the_export_takes_all_anew_and_puts_it_aside(taken: Taken, copied: Copied, database: Company) -> None:
    """No file of the practice becomes one of the run: all that the new metadata.json names was written now."""
    directory, run = copied("put aside"), run_of(taken)
    (directory / "orders.json").write_bytes(b"[\n]\n")  # were it kept, this would show
    export = Export(Database(database.dsn), directory, workers=2, tool_version="9")
    result = await export(run, lambda progress: None)
    found = metadata.read(directory / METADATA)
    assert (found.practice, found.snapshot.taken_at) == (False, result.taken_at)
    assert found.tables["orders"].row_count == taken.metadata.tables["orders"].row_count > 0
    [aside] = (directory / "archive").iterdir()
    assert metadata.read(aside / METADATA).practice
    assert (aside / "orders.json").read_bytes() == b"[\n]\n"


async def test_the_users_step_creates_nobody_from_one(taken: Taken, copied: Copied) -> None:
    """It refuses before the first request, and leaves no file."""
    directory = copied("users")
    before = sorted(path.name for path in directory.iterdir())
    exported = result_of("export").model_copy(update={"sha256": sha256_of(directory / METADATA)})
    forged = replace(run_of(taken), results={"export": exported})
    async with StackAuth("http://127.0.0.1:1", "p", "ssk_1") as service:
        step = UsersStep(directory, service, concurrency=1, clock=NoClock())
        with pytest.raises(RecordDamaged) as refused:
            await step(forged, never)
    assert str(refused.value) == (
        "metadata.json belongs to a practice, not to this run; no user was created; put back the files that this run "
        "exported."
    )
    assert sorted(path.name for path in directory.iterdir()) == before


def test_the_handover_closes_none(taken: Taken, copied: Copied) -> None:
    """Even with a mapping of its own beside it."""
    directory, run = copied("closed"), run_of(taken)
    counts = mapping.Counts(users=0, created=0, matched=0, updated=0, unmapped=0, attention=0)
    head = mapping.Head(
        generated_at=run.opened.at,
        retain_until=mapping.retain_until(run.opened.at, 90),
        run_id=run.run_id,
        export_sha256=sha256_of(directory / METADATA),
        counts=counts,
    )
    mapping.write_attention(directory / files.ATTENTION, [])
    mapping.write(directory / files.MAPPING, head, [], [])
    durable.rewrite(directory / FREEZE_PRIOR, b"{}\n")
    with pytest.raises(RecordDamaged, match=re.escape("do not both belong to run")):
        list(handover.hand_over(directory, run, (1, "a" * 64)))
    assert not (directory / files.SUMS).exists()


def _edit(directory: Path, before: str, after: str) -> None:
    """metadata.json with one thing changed in it."""
    path = directory / METADATA
    key, old = json.loads("{" + before + "}").popitem()
    document = json.loads(path.read_text())
    assert document[key] == old
    document |= json.loads("{" + after + "}")
    path.write_text(json.dumps(document))
