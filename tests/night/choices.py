"""What a night can be set to: every setting with some of its values, what the night meets, and where it is played.

`FACTORS` has them all; `MOVES` says which settings each moves, and `FIXED` why the others stay as they are, so that a
new setting is in one of the two. `IMPOSSIBLE` are pairs that no night can have, each with its reason.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

import bot
from bot.plan.compose import DEFAULT_NAMES
from bot.plan.gates import DEFAULT
from bot.plan.quorum import people_needed
from bot.rehearsal.night import NOTICE_TEXT, Night
from bot.settings.shape import Checkpoints
from bot.stackauth.users.reasons import REASONS
from tests import clusters
from tests.night.pairs import Choice, Row

ANOTHER = 65534
"""A user id that is not root's, and may be nobody's."""
GROUP = "S0GATES"
SIGNING_SECRET = "a-signing-secret-of-no-value-elsewhere"

FACTORS: Mapping[str, Sequence[str]] = {
    "transport": ("socket", "http"),
    "voice": ("typed", "buttons", "commands"),
    "told in": ("environment", "file"),
    "names of keys": ("ours", "the services'"),
    "approvers": ("people", "group", "both"),
    "approvals freeze": ("1", "2", "3"),
    "approvals export": ("1", "2", "3"),
    "approvals users": ("1", "2", "3"),
    "same person": ("allowed", "denied"),
    "start": ("now", "on-word"),
    "ends": ("once", "stays"),
    "freeze": ("people", "bot"),
    "guard": ("off", "on"),
    "quiet seconds": ("1", "3"),
    "notice": ("shown", "none"),
    "anon key": ("set", "none"),
    "canary": ("set", "none"),
    "workers": ("1", "4", "32"),
    "selection": ("all", "schemas", "tables", "both"),
    "users": ("create", "match", "dry-run"),
    "concurrency": ("1", "16"),
    "accepted": ("ahead", "in the night"),
    "retention": ("1", "90", "3650"),
    "window": ("480", "1"),
    "reminders": ("0", "0.05", "15"),
    "source": ("small", "large", "empty"),
    "names": ("plain", "odd"),
    "locale": ("C", "C.UTF-8", "tr_TR.UTF-8", "de_DE.ISO-8859-1"),
    "umask": ("022", "000"),
    "user": ("ours", "another"),
}
IMPOSSIBLE: Mapping[frozenset[Choice], str] = {
    frozenset({("canary", "set"), ("source", "empty")}): "the canary is one of the source's users, and there is none",
}
MOVES: Mapping[str, Sequence[str]] = {
    "transport": ("slack_app_token", "slack_signing_secret", "port"),
    "names of keys": ("supabase_service_role_key", "stack_auth_project_id", "stack_auth_secret_key"),
    "approvers": ("approvers.users", "approvers.groups"),
    "approvals freeze": ("checkpoints.freeze.approvals",),
    "approvals export": ("checkpoints.export.approvals",),
    "approvals users": ("checkpoints.users.approvals",),
    "same person": ("approvers.deny_same_person",),
    "start": ("run.start",),
    "freeze": ("freeze.mode",),
    "guard": ("freeze.hold_locks",),
    "quiet seconds": ("freeze.quiet_seconds",),
    "notice": ("freeze.notice_url", "freeze.notice_text"),
    "anon key": ("supabase_anon_key",),
    "canary": ("canary_email", "canary_password", "stack_auth_publishable_key"),
    "workers": ("export.workers",),
    "selection": ("export.include_schemas", "export.exclude_tables"),
    "users": ("users.mode",),
    "concurrency": ("users.concurrency",),
    "accepted": ("users.accept",),
    "retention": ("users.retain_days",),
    "window": ("window.minutes",),
    "reminders": ("reminders.minutes",),
    "names": ("migration_data_dir",),
}
FIXED: Mapping[str, str] = {
    "slack_bot_token": "there is one bot",
    "slack_api_url": "it leads to the stand-in",
    "slack.channel": "there is one channel",
    "supabase_db_url": "it leads to the night's own server",
    "supabase_url": "it leads to the stand-in",
    "stack_auth_api_url": "it leads to the stand-in",
    **dict.fromkeys(
        [
            "plan.gates",
            "plan.own",
            *(f"checkpoints.{gate}.checklist" for gate in Checkpoints.model_fields),
            *(f"checkpoints.{gate}.approvals" for gate in Checkpoints.model_fields if gate not in DEFAULT_NAMES),
            "checkpoints.live.urls",
            "checkpoints.stable.hours",
        ],
        "other plans have nights of their own, in test_other_plans.py",
    ),
    "users.verify": "a night has fewer users than a sample",
    "run.ephemeral_ok": "what a test leaves need not last, and its directory may be on a file system that does not",
}
ODD_SCHEMA = 'Ümzüge "24"; --'
_ODD_TABLES = (
    "Robert'); DROP TABLE students; --",
    "../../etc/passwd",
    "café ☕ 表",
    "CON",
    "line\nbreak",
    "journal",
    "user-mapping",
    "İstanbul \u0131I",
    "n" * 63,
)
_SECTIONS = {
    "schemas": {"include_schemas": ["billing", ODD_SCHEMA]},
    "tables": {"exclude_tables": ["notifications", "billing.payments", "auth.mfa_factors", f"{ODD_SCHEMA}.journal"]},
    "both": {"include_schemas": ["public"], "exclude_tables": ["public.messages"]},
}
_MEMBERS = ("U0ONE", "U0TWO", "U0THREE", "U0FOUR", "U0FIVE", "U0SIX")


_READS = "import bot.cli, psycopg, pydantic_core, importlib.metadata as m; assert m.version('cutover')"
"""Our code, and packages that are built for one Python alone; `import bot.app` takes as long as a night's start."""


@functools.cache
def interpreter_for_another() -> str:
    """What another user may start Python by, with our packages in its path; "" when there is nothing, or when we may
    not become another.
    """
    if os.geteuid() != 0:
        return ""
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{same}", f"/usr/local/bin/{same}"):
        command = [python, "-c", _READS]
        try:
            tried = subprocess.run(
                command,
                env=_python_path(),
                cwd="/",
                user=ANOTHER,
                group=ANOTHER,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    return ""


def _python_path() -> dict[str, str]:
    packages = [path for path in sys.path if path.endswith("site-packages")]
    return {"PYTHONPATH": os.pathsep.join([str(Path(bot.__file__).parents[1]), *packages])}


def not_here() -> dict[Choice, str]:
    """Values that this machine cannot play, and why."""
    lacking: dict[Choice, str] = {}
    if not interpreter_for_another():
        lacking["user", "another"] = (
            "only root may become another user, who must be able to read Python and its packages"
        )
    if shutil.which("localedef") is None:
        for name in ("tr_TR.UTF-8", "de_DE.ISO-8859-1"):
            lacking["locale", name] = "there is no localedef to make it with"
    return lacking


def approvals(row: Row) -> dict[str, int]:
    return {gate: int(row[f"approvals {gate}"]) for gate in ("freeze", "export", "users")}


def approvers(row: Row) -> tuple[str, ...]:
    """By id, as many as the night cannot do without."""
    return _MEMBERS[: people_needed(DEFAULT, approvals(row), deny_same_person=row["same person"] == "denied")]


def included(row: Row) -> list[str]:
    return list(_SECTIONS.get(row["selection"], {}).get("include_schemas", []))[: None if row["names"] == "odd" else 1]


def excluded(row: Row) -> list[str]:
    names = list(_SECTIONS.get(row["selection"], {}).get("exclude_tables", []))
    return [name for name in names if row["names"] == "odd" or not name.startswith(ODD_SCHEMA)]


def settings(row: Row, night: Night, room: Path, port: int) -> tuple[dict[str, str], Sequence[str]]:
    """For the environment, and for the command line. The night's world must be there."""
    sections = _sections(row, night)
    by_variable = {
        f"CUTOVER__{section}__{key}".replace(".", "__").upper(): value if isinstance(value, str) else json.dumps(value)
        for section, keys in sections.items()
        for key, value in keys.items()
    }
    told = _keys(row, night, port)
    if row["told in"] == "environment":
        return {**told, **by_variable}, ()
    config = room / "of the night.toml"
    config.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
            for section, keys in sections.items()
        ),
        encoding="utf-8",
    )
    return {**told, **dict.fromkeys(by_variable, "")}, ("--config", str(config))


def _sections(row: Row, night: Night) -> dict[str, dict[str, Any]]:
    listed = approvers(row)
    alone = {"people": listed, "group": (), "both": listed[::2]}[row["approvers"]]
    shown = row["notice"] == "shown"
    return {
        "slack": {"channel": night.slack.channel.id},
        "approvers": {
            "users": list(alone),
            "groups": [] if row["approvers"] == "people" else [GROUP],
            "deny_same_person": row["same person"] == "denied",
        },
        "run": {"start": row["start"], "ephemeral_ok": True},
        **{f"checkpoints.{gate}": {"approvals": needed} for gate, needed in approvals(row).items()},
        "freeze": {
            "mode": row["freeze"],
            "hold_locks": row["guard"] == "on",
            "quiet_seconds": int(row["quiet seconds"]),
            "notice_url": night.notice.url if shown else "",
            "notice_text": NOTICE_TEXT if shown else "",
        },
        "export": {
            "workers": int(row["workers"]),
            "include_schemas": included(row),
            "exclude_tables": excluded(row),
        },
        "users": {
            "mode": row["users"],
            "concurrency": int(row["concurrency"]),
            "accept": sorted(REASONS) if row["accepted"] == "ahead" else [],
            "retain_days": int(row["retention"]),
        },
        "window": {"minutes": int(row["window"])},
        "reminders": {"minutes": float(row["reminders"])},
    }


_OTHER_NAMES = {
    "SUPABASE_SERVICE_ROLE_KEY": "SUPABASE_SECRET_KEY",
    "STACK_AUTH_PROJECT_ID": "HEXCLAVE_PROJECT_ID",
    "STACK_AUTH_SECRET_KEY": "HEXCLAVE_SECRET_SERVER_KEY",
    "STACK_AUTH_API_URL": "HEXCLAVE_API_URL",
}


def _keys(row: Row, night: Night, port: int) -> dict[str, str]:
    told = {}
    if row["transport"] == "http":
        told |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": SIGNING_SECRET, "PORT": str(port)}
    if row["anon key"] == "none":
        told["SUPABASE_ANON_KEY"] = ""
    if row["canary"] == "none":
        told |= {"CANARY_EMAIL": "", "CANARY_PASSWORD": "", "STACK_AUTH_PUBLISHABLE_KEY": ""}
    if row["names of keys"] == "the services'":
        usual = night.environment
        told |= {other: usual[name] for name, other in _OTHER_NAMES.items()} | dict.fromkeys(_OTHER_NAMES, "")
    return told


def process(row: Row) -> dict[str, Any]:
    """How the bot is started."""
    started: dict[str, Any] = {"umask": int(row["umask"], 8)}
    if row["user"] == "another":
        started |= {"user": ANOTHER, "group": ANOTHER, "extra_groups": []}
    return started


def environment(row: Row) -> dict[str, str]:
    return _python_path() if row["user"] == "another" else {}


# -- what the night meets ---------------------------------------------------------------------------------------------


def size(row: Row) -> dict[str, int]:
    return clusters.NIGHT if row["source"] == "large" else clusters.SMALL_NIGHT


def prepare(row: Row, night: Night) -> list[str]:
    """Fills the source and the target as the row says; the Supabase ids of people who are in the target already."""
    with psycopg.connect(night.company.admin_dsn, autocommit=True) as platform:
        if row["names"] == "odd":
            platform.execute(_odd_names().encode())
            platform.execute("NOTIFY pgrst, 'reload schema'")  # as the platform does after any DDL
        if row["source"] == "empty":
            tables = platform.execute(
                "SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relkind IN ('r', 'p')"
                " AND relnamespace::regnamespace::text IN ('public', 'billing', 'auth', 'storage', %s)"
                " AND relname !~ 'migrations$'",
                [f'"{ODD_SCHEMA.replace(chr(34), chr(34) * 2)}"'],
            ).fetchone()
            assert tables is not None
            platform.execute(f"TRUNCATE {tables[0]} CASCADE".encode())
        platform.execute("VACUUM (ANALYZE)")
        if row["users"] != "match" or row["source"] == "empty":
            return []
        found = platform.execute(
            "SELECT id::text, email FROM auth.users AS u WHERE email_confirmed_at IS NOT NULL AND deleted_at IS NULL"
            " AND NOT is_sso_user AND NOT is_anonymous AND banned_until IS NULL AND email ~ '^[!-~]+$'"
            " AND (SELECT count(*) FROM auth.users AS twin WHERE lower(twin.email) = lower(u.email)) = 1"
            " ORDER BY id LIMIT 4"
        ).fetchall()
    for _, email in found:
        person = {"primary_email": email, "primary_email_verified": True, "primary_email_auth_enabled": True}
        night.stack.add_user(person)
    assert len(found) == 4
    return [id_ for id_, _ in found]


def _odd_names() -> str:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    odd = quoted(ODD_SCHEMA)
    columns = '"a""b" integer PRIMARY KEY, "new\nline" text, "SELECT" jsonb, "İ/\u0131" uuid'
    row = "(1, E'\"\\n\\\\', '{\"\": [null]}', NULL)"
    made = [f"{quoted('public')}.{quoted(name)}" for name in _ODD_TABLES] + [f"{odd}.{quoted('journal')}", f"{odd}._"]
    return f"SET ROLE postgres; CREATE SCHEMA {odd};" + "".join(
        f"CREATE TABLE {name} ({columns}); INSERT INTO {name} VALUES {row};" for name in made
    )
