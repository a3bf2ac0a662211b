"""Names that other people's tools read, pinned: who renames one has to come here and think of them.

A name may be added (the list here grows with it); none is taken away or given another meaning.
"""

import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from pydantic import BaseModel

from bot import cli, errors
from bot.artifacts import files
from bot.plan import events
from bot.plan.gates import DEFAULT
from bot.plan.posts import PostKind
from bot.settings import Settings
from bot.slack.render.messages import render
from tests.plan.histories import PLACES, night_at


def test_the_commands_and_their_options() -> None:
    """Scripts and Procfiles call these."""
    group: Any = typer.main.get_command(cli.app)
    told = {name: {opt for p in command.params for opt in p.opts} for name, command in group.commands.items()}
    assert told == {
        "doctor": {"--config", "--freeze", "--json"},
        "practice": {"directory", "--config", "--probe-users", "--quiet"},
        "run": {"--config", "--once", "--new", "--abandon", "--log", "--quiet"},
        "status": {"--config", "--json"},
        "verify": {"directory", "--anchor", "--config", "--quiet"},
        "report": {"directory", "--config"},
        "restore-sql": {"table", "directory", "--config", "--all", "--without"},
        "freeze-sql": {"--config", "--thaw"},
        "thaw": {"--config", "--check"},
        "abort": {"--config", "--yes"},
        "undo-users": {"--config", "--yes", "--adopted-by", "--quiet"},
        "attention": {"--config", "--csv", "--reason"},
        "purge": {"--config", "--now"},
        "manifest": {"--config", "--name", "--url"},
        "rehearse": {"--auto", "--port", "--users", "--rows", "--plan"},
    }
    assert {opt for p in group.params for opt in p.opts} == {
        "--debug", "--version", "--install-completion", "--show-completion",
    }  # fmt: skip


def test_the_exit_codes() -> None:
    """By what went wrong; 0 is well and 1 a bug."""
    family = [value for value in vars(errors).values() if isinstance(value, type) and value.__module__ == "bot.errors"]
    assert {error.__name__: error.exit_code for error in family} == {
        "CutoverError": 1,
        "UsageError": 2,
        "WrongSettings": 2,
        "CheckFailed": 3,
        "RecordDamaged": 3,
        "LockHeld": 4,
        "ServiceError": 5,
        "ServiceUnreachable": 5,
        "ServiceRefused": 5,
        "CredentialRefused": 5,
        "MessageLost": 5,
        "Unreadable": 5,
        "ServiceUnintelligible": 5,
        "OutcomeUnknown": 5,
        "Interrupted": 130,
    }


def test_the_gates_their_signals_and_their_steps() -> None:
    """The three words people type, and what each gate is called in metadata."""
    assert [(n, c.name, c.signal, c.step) for n, c in enumerate(DEFAULT.gates, 1)] == [
        (1, "freeze", "frozen", "export"),
        (2, "export", "exported", "users"),
        (3, "users", "users-mapped", "handover"),
    ]


def test_the_files_of_the_data_directory() -> None:
    """What the import, an auditor and `sha256sum` look for."""
    names = {key: value for key, value in vars(files).items() if key.isupper() and isinstance(value, str)}
    assert {key: value for key, value in names.items() if not key.startswith("_")} == {
        "METADATA": "metadata.json",
        "MAPPING": "user-mapping.json",
        "ATTENTION": "user-attention.json",
        "AUTH_USERS": "auth_users.json",
        "JOURNAL": "journal.jsonl",
        "USERS": "users.jsonl",
        "UNDO": "undo.jsonl",
        "FREEZE_PRIOR": "freeze-prior.json",
        "THAW": "thaw.json",
        "SUMS": "SHA256SUMS",
        "REPORT": "report.html",
        "PURGE": "purge.json",
        "ARCHIVE": "archive",
        "PRACTICE": "practice",
        "TIMINGS": "timings.json",
        "REJECTED": "rejected",
        "LOCK": ".cutover.lock",
        "GITIGNORE": ".gitignore",
        "PARTIAL": ".partial",
        "SCRATCH": ".scratch-",
    }


def test_the_settings() -> None:
    """Every key of `cutover.toml` with its default, and every name in the environment."""
    sections: dict[str, Mapping[str, Any]] = {}
    environment: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            sections[name] = field.default.model_dump()
        else:
            environment[str(field.validation_alias)] = field.default
    assert tuple(sections) == Settings.SECTIONS
    assert sections == {
        "slack": {"channel": None},
        "approvers": {"users": (), "groups": (), "deny_same_person": False},
        "run": {"start": "now", "ephemeral_ok": False},
        "checkpoints": {
            **{name: {"approvals": 1, "checklist": {}} for name in ("environment", "readiness")},
            **{name: {"approvals": 1, "checklist": {}} for name in ("freeze", "export", "users")},
            "live": {"approvals": 1, "checklist": {}, "urls": ()},
            "stable": {"approvals": 1, "checklist": {}, "hours": 48},
        },
        "plan": {"gates": ("freeze", "export", "users"), "own": ()},
        "freeze": {"mode": "people", "quiet_seconds": 10, "hold_locks": False, "notice_url": "", "notice_text": ""},
        "export": {"workers": 4, "include_schemas": (), "exclude_tables": ()},
        "users": {"mode": "create", "concurrency": 16, "verify": "all", "accept": (), "retain_days": 90},
        "window": {"minutes": 480},
        "reminders": {"minutes": 15},
    }
    assert {name: None if default is None else str(default) for name, default in environment.items()} == {
        "SLACK_BOT_TOKEN": None,
        "SLACK_APP_TOKEN": None,
        "SLACK_SIGNING_SECRET": None,
        "PORT": None,
        "SLACK_API_URL": "https://slack.com/api/",
        "SUPABASE_DB_URL": None,
        "SUPABASE_URL": None,
        "SUPABASE_SERVICE_ROLE_KEY": None,
        "SUPABASE_ANON_KEY": None,
        "STACK_AUTH_PROJECT_ID": None,
        "STACK_AUTH_SECRET_KEY": None,
        "STACK_AUTH_API_URL": "https://api.stack-auth.com",
        "STACK_AUTH_PUBLISHABLE_KEY": None,
        "CANARY_EMAIL": None,
        "CANARY_PASSWORD": None,
        "MIGRATION_DATA_DIR": "migration-data",
    }


def test_the_events_of_the_journal() -> None:
    """An old journal is read for ever: no type goes, and none is called otherwise."""
    union = events.KINDS
    assert {event.model_fields["type"].default for event in union} == {
        "abort-asked", "abort-confirmed", "answered", "bot-left", "bot-started", "checkpoint-offered",
        "checkpoint-passed", "checkpoint-refused", "checkpoint-voided", "checklist-reminder-due", "drift-seen",
        "finding-made", "freeze-gone",
        "freeze-seen", "header-pinned", "message-heard", "post-edited", "post-intended", "post-lost", "posted",
        "reason-accepted",
        "reminder-due", "retry-asked", "run-aborted", "run-opened", "signal-accepted", "step-began", "step-ended",
        "step-failed",
        "step-reopened", "thaw-failed", "thawed", "unreadable-accepted", "user-decided", "verification-began",
        "watch-blinded", "watch-saw-again", "start-asked", "check-waived", "hold-asked", "freeze-asked",
        "freeze-applied", "freeze-failed", "thaw-asked", "thaw-confirmed", "unfrozen", "released", "window-told",
        "window-lengthened",
        "guard-taken",
        "guard-lost",
        "second-instance-seen", "second-instance-gone", "pin-given-up",
        "checks-passed", "approval-lapsed", "watch-rebased",
        "checklist-opened", "item-ticked", "item-unticked", "item-accepted",
        "retention-reminder-intended", "retention-reminder-left", "retention-reminder-given-up", "purged",
    }  # fmt: skip


_STATUSES = {
    "cutover_run": {"waiting", "running", "held", "done", "aborted", "failed"},
    "cutover_checkpoint": {"waiting", "verifying", "passed", "refused", "void"},
    "cutover_finding": {"passed", "warned", "refused"},
    "cutover_answer": {"done", "refused"},
    "cutover_summary": {"done"},
    "cutover_alarm": {"waiting", "done"},
}
_ALWAYS = {"run_id", "key", "checkpoint", "status"}
_EXPORT = {"tables", "rows", "bytes"}
_USERS = {"users", "created", "matched", "updated", "unmapped", "attention"}
_SUMMARIES = {"export": _EXPORT, "users": _USERS, "handover": _EXPORT | _USERS | {"digest"}}


@pytest.fixture(scope="module")
def posted() -> Mapping[str, list[Mapping[str, Any]]]:
    """By event type the metadata of every post, as it shows wherever a night can be."""
    told: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for place in PLACES:
        run = night_at(place).run
        for delivery in run.deliveries.values():
            metadata = render(run, delivery.post, None, (1, "a" * 64)).metadata
            told[metadata["event_type"]].append(metadata["event_payload"])
    return told


def test_the_event_types_and_their_statuses(posted: Mapping[str, list[Mapping[str, Any]]]) -> None:
    """Every type occurs, with no status but those that are promised for it."""
    assert set(get_args(PostKind)) == set(_STATUSES) == set(posted)
    for kind, payloads in posted.items():
        assert {payload["status"] for payload in payloads} <= _STATUSES[kind], kind
        assert {payload["checkpoint"] for payload in payloads} <= {"", "freeze", "export", "users"}, kind


def test_every_message_says_whose_it_is_and_where_it_is(posted: Mapping[str, list[Mapping[str, Any]]]) -> None:
    """The four names that all metadata has."""
    for kind, payloads in posted.items():
        assert all(payload.keys() >= _ALWAYS for payload in payloads), kind


def test_the_counts_in_the_metadata(posted: Mapping[str, list[Mapping[str, Any]]]) -> None:
    """A finding names its check, the summaries of export and users their counts, and the closing all and the digest."""
    assert all(payload["check"] for payload in posted["cutover_finding"])
    steps = {payload["key"].split("/")[2] for payload in posted["cutover_summary"]}
    assert steps == _SUMMARIES.keys()
    for payload in posted["cutover_summary"]:
        step = payload["key"].split("/")[2]
        assert payload.keys() >= _SUMMARIES[step], step
        assert (payload["checkpoint"] == "") == (step == "handover")


def test_the_one_door_to_the_project_knows_its_tasks() -> None:
    """A task that there is not is wrong usage: its sentence and the tasks on stderr, exit code 2."""
    root = Path(__file__).parents[2]
    done = subprocess.run([root / "dev", "foo"], capture_output=True, text=True, check=False)
    first, *usage = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert first == "dev: there is no task foo; nothing was done."
    asked = subprocess.run([root / "dev", "help"], capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stderr, asked.stdout.splitlines()) == (0, "", usage)
    assert any("./dev test" in line for line in usage)
