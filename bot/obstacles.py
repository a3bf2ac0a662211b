"""What can keep a check from being made, and what to do about it while the source is frozen.

An error of `bot.errors` names its obstacle where it is translated, at the border to the service or the disk. A check
that cannot be made becomes a finding whose fix is the obstacle's `next_step`; docs/cannot-run.md is made from this
table and from `bot.plan.checks`, which says whom each check asks.

A next step must work during the freeze. The database refuses ordinary writes then, so no step needs one, except inside
a transaction that says READ WRITE. Settings can be changed: a bot that is stopped and started again goes on at the same
gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Asked = Literal["database", "tables", "api", "storage", "page", "stack-auth", "slack", "disk"]
"""Whom a check asks; "tables" is for reading what others own (`bot.supabase.reading`)."""

RESTART = "stop the bot (Ctrl-C) and start `cutover run` again; it goes on at this gate"


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """`shows` says what it is, as a clause. `next_step` is one or more sentences, without the "say the word again" that
    always follows.
    """

    name: str
    asked: Asked | None
    shows: str
    next_step: str


def _no_client(asked: Asked, service: str) -> Obstacle:
    return Obstacle(
        name=f"{asked}-client",
        asked=asked,
        shows=f"no client for {service} can be made with the proxy or the certificates in the bot's environment",
        next_step=f"Correct or remove the variable that the finding names, then {RESTART}.",
    )


DATABASE_AWAY = Obstacle(
    name="database-away",
    asked="database",
    shows="the database does not answer, its host name is unknown, or it ended our session",
    next_step="Check in Supabase's dashboard that the project is up, and that this machine has a network. The freeze "
    "is a setting of the database: it stays in place.",
)
DATABASE_SETTINGS = Obstacle(
    name="database-settings",
    asked="database",
    shows="the database or its pooler refuses the user, password, project or database of SUPABASE_DB_URL",
    next_step=f"Correct SUPABASE_DB_URL (somebody may have changed the password), then {RESTART}.",
)
DATABASE_UNPROVEN = Obstacle(
    name="database-unproven",
    asked="database",
    shows="the server that answers is not proven to be the project's, so the password was not sent: no encryption, "
    "another certificate, or a request for the password itself",
    next_step="Compare host, port and sslrootcert in SUPABASE_DB_URL with the dashboard (Database, Settings), correct "
    f"them, then {RESTART}. If they are right, somebody intercepts the connection: use another network.",
)
DATABASE_BARRED = Obstacle(
    name="database-barred",
    asked="database",
    shows="the pooler refuses everybody for some minutes after too many wrong passwords",
    next_step="Stop whatever else connects with an old password, and wait some minutes. The direct connection still "
    "works.",
)
DATABASE_ADDRESS = Obstacle(
    name="database-address",
    asked="database",
    shows="the database does not accept connections from this machine",
    next_step="Allow this machine's address in the dashboard (Database, Network restrictions). That writes nothing to "
    "the database.",
)
DATABASE_FULL = Obstacle(
    name="database-full",
    asked="database",
    shows="the database or its pooler has no free connection",
    next_step="Stop servers and workers of the application, or end idle sessions, which a frozen database allows: "
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' "
    "AND application_name NOT LIKE 'cutover/%';",
)
DATABASE_LOCKED = Obstacle(
    name="database-locked",
    asked="database",
    shows="another session holds a lock that blocks all reads of a table",
    next_step="Find who holds it: SELECT DISTINCT pid FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted; "
    "end it: SELECT pg_terminate_backend(PID); Both work in a frozen database.",
)
DATABASE_CANCELLED = Obstacle(
    name="database-cancelled",
    asked="database",
    shows="somebody, or a time limit of the server, cancelled our query",
    next_step="Find who cancels queries (pg_cancel_backend, a monitor of long queries) and stop it.",
)
DATABASE_RIGHTS = Obstacle(
    name="database-rights",
    asked="database",
    shows="our role has lost a permission",
    next_step="`cutover doctor` names the missing GRANT. Run it as the owner in a new session, in a transaction that "
    "says READ WRITE, or the frozen database refuses it: BEGIN READ WRITE; GRANT …; COMMIT;",
)
DATABASE_ANSWER = Obstacle(
    name="database-answer",
    asked="database",
    shows="the database answered with another error",
    next_step="Look up the code. To see the database's own message, run `cutover --debug doctor --freeze` on this "
    "machine: it changes nothing and works in a frozen database.",
)
DATABASE_SELECTION = Obstacle(
    name="database-selection",
    asked="database",
    shows="a table or schema that the run is to leave out or to take no longer exists",
    next_step="Say `abort`, which thaws Supabase. Correct export.exclude_tables and export.include_schemas, then "
    "start a new run: `cutover run --new`.",
)
TABLES_DISTURBED = Obstacle(
    name="tables-disturbed",
    asked="tables",
    shows="reading a table ran somebody else's code, which changed our session: what was read may be wrong",
    next_step="Drop or change what `foreign-code` lists for the table (see also `cutover doctor`), in a transaction "
    "that says READ WRITE, or the frozen database refuses it: BEGIN READ WRITE; DROP …; COMMIT;",
)
API_AWAY = Obstacle(
    name="api-away",
    asked="api",
    shows="the public API does not answer, or answers that it has no database",
    next_step="Check in Supabase's dashboard that the API is up, and restart it there if it is not. That does not "
    "end the freeze.",
)
API_KEY = Obstacle(
    name="api-key",
    asked="api",
    shows="the public API refuses the key (401)",
    next_step="Copy the key from Supabase's dashboard (Settings, API keys) into the setting that the finding names, "
    f"then {RESTART}.",
)
API_ANSWER = Obstacle(
    name="api-answer",
    asked="api",
    shows="what answers at SUPABASE_URL is not the project's API",
    next_step=f"Correct SUPABASE_URL, or remove the page or proxy in front of it, then {RESTART}.",
)
API_CLIENT = _no_client("api", "the public API")
STORAGE_AWAY = Obstacle(
    name="storage-away",
    asked="storage",
    shows="Storage does not answer",
    next_step="Check in Supabase's dashboard that Storage is up. This is a warning and does not block the gate.",
)
PAGE_AWAY = Obstacle(
    name="page-away",
    asked="page",
    shows="the page of the maintenance notice does not answer",
    next_step=f"Bring the page up. If freeze.notice_url is wrong, correct it, then {RESTART}.",
)
PAGE_CLIENT = _no_client("page", "the page of the maintenance notice")
STACK_AUTH_AWAY = Obstacle(
    name="stack-auth-away",
    asked="stack-auth",
    shows="Stack Auth has not answered, or has failed, for two minutes",
    next_step="Wait until its status page says that it is up, and check that this machine has a network. Users "
    "created so far stay, and no user is created twice.",
)
STACK_AUTH_LIMITED = Obstacle(
    name="stack-auth-limited",
    asked="stack-auth",
    shows="Stack Auth has limited our requests for two minutes",
    next_step="Stop whatever else calls Stack Auth with this project, and wait some minutes.",
)
STACK_AUTH_SETTINGS = Obstacle(
    name="stack-auth-settings",
    asked="stack-auth",
    shows="Stack Auth refuses the key, the project or the address",
    next_step="Put a secret server key of this project into STACK_AUTH_SECRET_KEY (project and address are in "
    f"STACK_AUTH_PROJECT_ID and STACK_AUTH_API_URL), then {RESTART}.",
)
STACK_AUTH_ANSWER = Obstacle(
    name="stack-auth-answer",
    asked="stack-auth",
    shows="what answers at STACK_AUTH_API_URL is not Stack Auth, or answers in another format",
    next_step=f"Correct STACK_AUTH_API_URL, or remove the page or proxy in front of it, then {RESTART}.",
)
STACK_AUTH_CLIENT = _no_client("stack-auth", "Stack Auth")
SLACK_AWAY = Obstacle(
    name="slack-away",
    asked="slack",
    shows="Slack does not tell whether somebody who approved may still do so",
    next_step="Wait until Slack answers again (https://slack-status.com).",
)
FILE_UNREADABLE = Obstacle(
    name="file-unreadable",
    asked="disk",
    shows="a file of the bundle is missing or cannot be read",
    next_step="Restore the file from a copy, or let the bot's user read it. Without a copy, say "
    "`thaw`: the run goes back to the freeze gate and exports again.",
)
FILE_DAMAGED = Obstacle(
    name="file-damaged",
    asked="disk",
    shows="a file of the bundle is damaged",
    next_step="Restore the file from a copy. Without one, say `thaw`: the run goes back to the freeze gate and "
    "exports again.",
)
DISK_FULL = Obstacle(
    name="disk-full",
    asked="disk",
    shows="nothing can be written to the data directory",
    next_step="Free space on the disk of the data directory, or let the bot's user write there.",
)
UNFORESEEN = Obstacle(
    name="unforeseen",
    asked=None,
    shows="anything else",
    next_step="Look for the cause in the bot's log. `status`, `hold`, `thaw` and `abort` still work.",
)

OBSTACLES: tuple[Obstacle, ...] = (
    DATABASE_AWAY,
    DATABASE_SETTINGS,
    DATABASE_UNPROVEN,
    DATABASE_BARRED,
    DATABASE_ADDRESS,
    DATABASE_FULL,
    DATABASE_LOCKED,
    DATABASE_CANCELLED,
    DATABASE_RIGHTS,
    DATABASE_ANSWER,
    DATABASE_SELECTION,
    TABLES_DISTURBED,
    API_AWAY,
    API_KEY,
    API_ANSWER,
    API_CLIENT,
    STORAGE_AWAY,
    PAGE_AWAY,
    PAGE_CLIENT,
    STACK_AUTH_AWAY,
    STACK_AUTH_LIMITED,
    STACK_AUTH_SETTINGS,
    STACK_AUTH_ANSWER,
    STACK_AUTH_CLIENT,
    SLACK_AWAY,
    FILE_UNREADABLE,
    FILE_DAMAGED,
    DISK_FULL,
    UNFORESEEN,
)
