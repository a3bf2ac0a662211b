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
    """`shows` says how it comes about, as a clause. `next_step` is one or more sentences without "say the word
    again", which follows whatever it was.
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
    shows="the database does not answer, its host name is not known, or it ended our session",
    next_step="Look in Supabase's dashboard whether the project is up, and whether this machine has a network. The "
    "freeze is a setting of the database and outlives both.",
)
DATABASE_SETTINGS = Obstacle(
    name="database-settings",
    asked="database",
    shows="the database or its pooler does not take what SUPABASE_DB_URL says: user, password, project or database",
    next_step=f"Correct SUPABASE_DB_URL (somebody may have set a new password), then {RESTART}.",
)
DATABASE_UNPROVEN = Obstacle(
    name="database-unproven",
    asked="database",
    shows="whoever answers does not prove to be the project's server, so the password was not given: no encryption, "
    "another certificate, or a question for the password itself",
    next_step="Compare host, port and sslrootcert in SUPABASE_DB_URL with the dashboard (Database, Settings), correct "
    f"them, then {RESTART}. If they are right, somebody is in between: connect this machine by another network.",
)
DATABASE_BARRED = Obstacle(
    name="database-barred",
    asked="database",
    shows="the pooler lets nobody in for some minutes, since wrong passwords came too often",
    next_step="Stop whatever else connects with an old password, and wait some minutes. The direct connection is not "
    "barred.",
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
    shows="the database or its pooler has no connection left",
    next_step="Stop servers and workers of the application, or end what is idle, which a frozen database allows: "
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' "
    "AND application_name NOT LIKE 'cutover/%';",
)
DATABASE_LOCKED = Obstacle(
    name="database-locked",
    asked="database",
    shows="another session holds a lock that keeps everybody from reading a table",
    next_step="Find who holds it: SELECT DISTINCT pid FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted; "
    "end it: SELECT pg_terminate_backend(PID); both work in a frozen database.",
)
DATABASE_CANCELLED = Obstacle(
    name="database-cancelled",
    asked="database",
    shows="somebody or a time limit of the server cancelled our question",
    next_step="Find out who cancels queries (pg_cancel_backend, a monitor of long queries) and let ours be.",
)
DATABASE_RIGHTS = Obstacle(
    name="database-rights",
    asked="database",
    shows="our role has lost a right that it had",
    next_step="`cutover doctor` names the missing GRANT. Run it as the owner in a new session, in a transaction that "
    "says READ WRITE, because the frozen database refuses it otherwise: BEGIN READ WRITE; GRANT …; COMMIT;",
)
DATABASE_ANSWER = Obstacle(
    name="database-answer",
    asked="database",
    shows="the database answered with an error that is none of the others",
    next_step="Look the code up, and ask on this machine what the database says: `cutover --debug doctor --freeze`. It "
    "changes nothing and works in a frozen database.",
)
DATABASE_SELECTION = Obstacle(
    name="database-selection",
    asked="database",
    shows="a table or schema that the run was opened to leave out or to take is not there any more",
    next_step="Say `abort`, which thaws Supabase, then open the next run with `cutover run --new` and lists "
    "(export.exclude_tables, export.include_schemas) that name what is there.",
)
TABLES_DISTURBED = Obstacle(
    name="tables-disturbed",
    asked="tables",
    shows="code of somebody else, run by reading a table, changed our session, so that what was read may be wrong",
    next_step="Drop or change what `foreign-code` lists for the table (`cutover doctor` asks it too), in a transaction "
    "that says READ WRITE, because the frozen database refuses it otherwise: BEGIN READ WRITE; DROP …; COMMIT;",
)
API_AWAY = Obstacle(
    name="api-away",
    asked="api",
    shows="the public API does not answer, or answers that it has no database",
    next_step="Look in Supabase's dashboard whether the API is up, and restart the project's API there if it is not. "
    "That does not end the freeze.",
)
API_KEY = Obstacle(
    name="api-key",
    asked="api",
    shows="the public API does not take the key (401)",
    next_step="Copy the key from Supabase's dashboard (Settings, API keys) into the setting that the finding names, "
    f"then {RESTART}.",
)
API_ANSWER = Obstacle(
    name="api-answer",
    asked="api",
    shows="what answers at SUPABASE_URL is not the project's API",
    next_step=f"Correct SUPABASE_URL, or take away the page or proxy in front of it, then {RESTART}.",
)
API_CLIENT = _no_client("api", "the public API")
STORAGE_AWAY = Obstacle(
    name="storage-away",
    asked="storage",
    shows="Storage does not answer",
    next_step="Look in Supabase's dashboard whether Storage is up. This is a warning and does not block the gate.",
)
PAGE_AWAY = Obstacle(
    name="page-away",
    asked="page",
    shows="the page of the maintenance notice does not answer",
    next_step="Bring the page up. Where freeze.notice_url is wrong, correct it, then " + RESTART + ".",
)
PAGE_CLIENT = _no_client("page", "the page of the maintenance notice")
STACK_AUTH_AWAY = Obstacle(
    name="stack-auth-away",
    asked="stack-auth",
    shows="Stack Auth does not answer, or fails, for two minutes",
    next_step="Wait until its status page says that it is up, and see that this machine has a network. Users created "
    "so far stay, and nothing is created twice.",
)
STACK_AUTH_LIMITED = Obstacle(
    name="stack-auth-limited",
    asked="stack-auth",
    shows="Stack Auth asks for fewer requests for two minutes",
    next_step="Stop whatever else calls Stack Auth with this project, and wait some minutes.",
)
STACK_AUTH_SETTINGS = Obstacle(
    name="stack-auth-settings",
    asked="stack-auth",
    shows="Stack Auth does not take key, project or address",
    next_step="Put a secret server key of this project into STACK_AUTH_SECRET_KEY (project and address are in "
    f"STACK_AUTH_PROJECT_ID and STACK_AUTH_API_URL), then {RESTART}.",
)
STACK_AUTH_ANSWER = Obstacle(
    name="stack-auth-answer",
    asked="stack-auth",
    shows="what answers at STACK_AUTH_API_URL is not Stack Auth, or answers in another form",
    next_step=f"Correct STACK_AUTH_API_URL, or take away the page or proxy in front of it, then {RESTART}.",
)
STACK_AUTH_CLIENT = _no_client("stack-auth", "Stack Auth")
SLACK_AWAY = Obstacle(
    name="slack-away",
    asked="slack",
    shows="Slack does not say whether somebody who approved may still open the gate",
    next_step="Wait until Slack answers again (status.slack.com).",
)
FILE_UNREADABLE = Obstacle(
    name="file-unreadable",
    asked="disk",
    shows="a file of the bundle is not there or the disk does not give it",
    next_step="Put the file back from a copy, or give the bot's user the right to read it. Without a copy, say "
    "`thaw`: the run goes back to the freeze gate and exports again.",
)
FILE_DAMAGED = Obstacle(
    name="file-damaged",
    asked="disk",
    shows="a file of the bundle is not in the form that was written",
    next_step="Put the file back from a copy. Without one, say `thaw`: the run goes back to the freeze gate and "
    "exports again.",
)
DISK_FULL = Obstacle(
    name="disk-full",
    asked="disk",
    shows="nothing can be written in the data directory",
    next_step="Make room on the disk of the data directory, or give the bot's user the right to write there.",
)
UNFORESEEN = Obstacle(
    name="unforeseen",
    asked=None,
    shows="anything that is none of the above",
    next_step="Look into the bot's log for the cause. `status`, `hold`, `thaw` and `abort` work meanwhile.",
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
