"""Mistakes that people make in settings and connections, each with what `cutover run` says of it.

docs/mistakes.md is made of this table, and tests/mistakes/test_each_mistake.py makes each of them. In a value, words in
capitals mean what the test puts there: `SOURCE` for host and port of the database, and those of `Stand` below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Stand = Literal["", "unknown issuer", "another name", "expired"]
"""Which certificate the server `POOLER` shows, if any."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """`given` are variables beside all that is right, None for one that is not set; `toml` and `dotenv` are "
    "the lines of
    `cutover.toml` and `.env`. `says` is the whole sentence; of settings, each mistake without its full stop.
    """

    name: str
    says: str | tuple[str, ...]
    code: int = 2
    given: Mapping[str, str | None] = field(default_factory=dict)
    toml: str = ""
    dotenv: str = ""
    options: tuple[str, ...] = ()
    answers: str = ""
    """What the server `POOLER` answers to whoever connects, as an error of PostgreSQL's protocol."""
    shows: Stand = ""


_PROJECT = "https://PROJECT-REF.supabase.co"
_SERVICE_KEY = "the secret key (or legacy service_role key)"
_ENCODED = "in a password, write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F, % as %25"
_POOLED = "aws-0-eu-west-1.pooler.supabase.com"

NOTHING_SET: tuple[str, ...] = (
    "SLACK_BOT_TOKEN is missing",
    "SLACK_APP_TOKEN is missing (or, for HTTP, SLACK_SIGNING_SECRET and PORT)",
    "slack.channel is missing",
    "approvers.users and approvers.groups are empty, and without an approver no gate could ever open",
    "SUPABASE_DB_URL is missing",
    "SUPABASE_URL is missing",
    "SUPABASE_SERVICE_ROLE_KEY is missing",
    "STACK_AUTH_PROJECT_ID is missing",
    "STACK_AUTH_SECRET_KEY is missing",
)
_ALL = (
    *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SUPABASE_DB_URL", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"),
    *("SUPABASE_ANON_KEY", "STACK_AUTH_PROJECT_ID", "STACK_AUTH_SECRET_KEY", "STACK_AUTH_PUBLISHABLE_KEY"),
    *("CANARY_EMAIL", "CANARY_PASSWORD", "CUTOVER__SLACK__CHANNEL", "CUTOVER__APPROVERS__USERS"),
)


def _dsn(dsn: str) -> Mapping[str, str]:
    return {"SUPABASE_DB_URL": dsn}


_SETTINGS = (
    Mistake(name="nothing is set", given=dict.fromkeys(_ALL), says=NOTHING_SET),
    Mistake(
        name="a key of the file is misspelt",
        toml='[slack]\nchanel = "C0CUTOVER"',
        says=("Unknown setting `slack.chanel`; did you mean `slack.channel`?",),
    ),
    Mistake(
        name="a variable is misspelt",
        given={"CUTOVER__EXPORT__WORKER": "4"},
        says=("Unknown setting `CUTOVER__EXPORT__WORKER`; did you mean `CUTOVER__EXPORT__WORKERS`?",),
    ),
    Mistake(
        name="a variable has one underscore for two",
        given={"CUTOVER_EXPORT_WORKERS": "4"},
        says=("Unknown setting `CUTOVER_EXPORT_WORKERS`; did you mean `CUTOVER__EXPORT__WORKERS`?",),
    ),
    Mistake(
        name="a secret's name is misspelt",
        given={"SLACK_BOT_TOKEN": None},
        dotenv="SLACK_BOT_TOKN=xoxb-1",
        says=("SLACK_BOT_TOKEN is missing, and `SLACK_BOT_TOKN` is set; did you mean `SLACK_BOT_TOKEN`?",),
    ),
    Mistake(
        name="a secret is put into the file",
        toml='[slack]\nbot_token = "xoxb-1"',
        says=("Unknown setting `slack.bot_token`; did you mean `SLACK_BOT_TOKEN`?",),
    ),
    Mistake(
        name="the file is not TOML",
        toml="[export]\nworkers = four",
        says=("cutover.toml is not valid TOML at line 2, column 11",),
    ),
    Mistake(
        name="a line of `.env` is no assignment",
        dotenv="# the tokens\nSLACK_BOT_TOKEN: xoxb-1",
        says=(".env is not valid at line 2",),
    ),
    Mistake(
        name="`--config` names no file",
        options=("--config", "gone.toml"),
        says=("--config names gone.toml, and there is no such file",),
    ),
    Mistake(
        name="a placeholder is left in a token",
        given={"SLACK_BOT_TOKEN": "xoxb-…"},
        says=(
            "SLACK_BOT_TOKEN still holds a placeholder; put in the Bot User OAuth Token of the app (xoxb-…, "
            "under OAuth "
            "& Permissions)",
        ),
    ),
    Mistake(
        name="a placeholder is left for the channel",
        toml='[slack]\nchannel = "C0…"',
        given={"CUTOVER__SLACK__CHANNEL": None},
        says=("slack.channel still holds a placeholder; put in the channel's ID, from the end of its details",),
    ),
    Mistake(
        name="a placeholder is left for a key",
        given={"SUPABASE_SERVICE_ROLE_KEY": "<your key>", "STACK_AUTH_SECRET_KEY": "changeme"},
        says=(
            f"SUPABASE_SERVICE_ROLE_KEY still holds a placeholder; put in {_SERVICE_KEY}",
            "STACK_AUTH_SECRET_KEY still holds a placeholder; put in the project's secret server key (ssk_…)",
        ),
    ),
    Mistake(
        name="the tokens are in each other's place",
        given={"SLACK_BOT_TOKEN": "xapp-1-A1-2-pl4nted", "SLACK_APP_TOKEN": "xoxb-1-2-pl4nted"},
        says=(
            "SLACK_BOT_TOKEN does not begin with xoxb-; put in the Bot User OAuth Token of the app (xoxb-…, "
            "under OAuth "
            "& Permissions)",
            "SLACK_APP_TOKEN does not begin with xapp-; put in an app-level token with the scope connections:write "
            "(xapp-…, under Basic Information)",
        ),
    ),
    Mistake(
        name="the channel is given by its name",
        given={"CUTOVER__SLACK__CHANNEL": "#cutover"},
        says=("slack.channel is not a channel ID (C0… or G0…, at the end of the channel's details)",),
    ),
    Mistake(
        name="approvers are given by their names",
        given={"CUTOVER__APPROVERS__USERS": "ada, grace"},
        says=('approvers.users is not a list of user IDs (["U0…"], each from the menu of a profile)',),
    ),
    Mistake(
        name="a gate needs more approvers than there are",
        given={"CUTOVER__CHECKPOINTS__USERS__APPROVALS": "3"},
        says=("checkpoints.users.approvals asks for more approvers than approvers.users names",),
    ),
    Mistake(
        name="a number is out of bounds",
        given={"CUTOVER__EXPORT__WORKERS": "0"},
        says=("export.workers must be a whole number from 1 to 32",),
    ),
    Mistake(
        name="a number is none",
        given={"CUTOVER__WINDOW__MINUTES": "eight hours"},
        says=("window.minutes must be a whole number from 1 to 100000",),
    ),
    Mistake(
        name="the publishable key is in the place of the secret one",
        given={"SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_pl4nted"},
        says=(f"SUPABASE_SERVICE_ROLE_KEY holds a publishable key (sb_publishable_…) and takes {_SERVICE_KEY}",),
    ),
    Mistake(
        name="the legacy anon key is in the place of service_role's",
        given={"SUPABASE_SERVICE_ROLE_KEY": "ANON-KEY"},
        says=(f"SUPABASE_SERVICE_ROLE_KEY holds the anon key and takes {_SERVICE_KEY}",),
    ),
    Mistake(
        name="a key is of another project",
        given={"SUPABASE_SERVICE_ROLE_KEY": "KEY-OF-ANOTHER-PROJECT"},
        says=(
            "The settings name different Supabase projects (SUPABASE_SERVICE_ROLE_KEY says anotherprojectabcdef, "
            "SUPABASE_ANON_KEY says rehearsalcompanyabcd); take connection string, URL and keys from one project",
        ),
    ),
    Mistake(
        name="two names of one setting disagree",
        given={"HEXCLAVE_PROJECT_ID": "another"},
        says=("STACK_AUTH_PROJECT_ID and HEXCLAVE_PROJECT_ID are the same setting and disagree; keep one of them",),
    ),
    Mistake(
        name="half a canary",
        given={"CANARY_PASSWORD": None},
        says=("CANARY_PASSWORD is missing, and CANARY_EMAIL is set: a canary takes both",),
    ),
    Mistake(
        name="SUPABASE_URL has a path",
        given={"SUPABASE_URL": "https://rehearsalcompanyabcd.supabase.co/rest/v1"},
        says=(f"SUPABASE_URL has a path (/rest/v1…) behind the host; write the address without it, as in {_PROJECT}",),
    ),
    Mistake(
        name="SUPABASE_URL is the dashboard's address",
        given={"SUPABASE_URL": "https://supabase.com/dashboard/project/rehearsalcompanyabcd"},
        says=(
            f"SUPABASE_URL has a path (/dashboard…) behind the host; write the address without it, as in {_PROJECT}",
        ),
    ),
    Mistake(
        name="SUPABASE_URL is the database's host",
        given={"SUPABASE_URL": "https://db.rehearsalcompanyabcd.supabase.co"},
        says=(f"SUPABASE_URL names the database's host; write {_PROJECT}, without db. before the ref",),
    ),
    Mistake(
        name="a key would travel unencrypted",
        given={"SUPABASE_URL": "http://supabase.example.com"},
        says=(
            "SUPABASE_URL is an http:// address of another machine, which would be sent the key unencrypted; write "
            "https://",
        ),
    ),
)
_CONNECTION_STRING = (
    Mistake(
        name="a password with @, / and #",
        given=_dsn("postgresql://postgres:pl4nted@ss/w#pl4nted@SOURCE/postgres"),
        says=(f"SUPABASE_DB_URL holds a password with an @ or a / that is not percent-encoded ({_ENCODED})",),
    ),
    Mistake(
        name="a password with %",
        given=_dsn("postgresql://postgres:pl4nted100%@SOURCE/postgres"),
        says=("SUPABASE_DB_URL holds a % without two hex digits behind it; write % as %25, also in a password",),
    ),
    Mistake(
        name="the password's placeholder is left in",
        given=_dsn("postgresql://postgres:[YOUR-PASSWORD]@db.rehearsalcompanyabcd.supabase.co:5432/postgres"),
        says=("SUPABASE_DB_URL still holds [YOUR-PASSWORD] in place of the database password",),
    ),
    Mistake(
        name="`pgbouncer=true`, as Prisma takes it",
        given=_dsn("postgresql://postgres:pl4nted@SOURCE/postgres?pgbouncer=true"),
        says=("SUPABASE_DB_URL holds pgbouncer=…, which is a parameter of Prisma and not of PostgreSQL; remove it",),
    ),
    Mistake(
        name="`schema=public`, as Prisma takes it",
        given=_dsn("postgresql://postgres:pl4nted@SOURCE/postgres?schema=public"),
        says=("SUPABASE_DB_URL holds schema=…, which is a parameter of Prisma and not of PostgreSQL; remove it",),
    ),
    Mistake(
        name="`sslmode=no-verify`, as node-postgres takes it",
        given=_dsn("postgresql://postgres:pl4nted@SOURCE/postgres?sslmode=no-verify"),
        says=(
            "SUPABASE_DB_URL holds a value of sslmode that PostgreSQL does not know; it takes disable, allow, prefer, "
            "require, verify-ca, verify-full",
        ),
    ),
    Mistake(
        name="the certificate's file is not there",
        given=_dsn("postgresql://postgres:pl4nted@SOURCE/postgres?sslmode=verify-full&sslrootcert=/missing.crt"),
        says=(
            "SUPABASE_DB_URL names a file in sslrootcert that does not exist; download the certificate from the "
            "dashboard (Database, Settings, SSL Configuration)",
        ),
    ),
    Mistake(
        name="the pooler's transaction-mode port",
        given=_dsn(f"postgresql://postgres.rehearsalcompanyabcd:pl4nted@{_POOLED}:6543/postgres"),
        says=(
            "SUPABASE_DB_URL leads to a pooler in transaction mode, where settings, locks and snapshots do not hold; "
            "take the direct connection or the session-mode pooler (port 5432) from the dashboard",
        ),
    ),
    Mistake(
        name="the direct connection's user at the pooler",
        given=_dsn(f"postgresql://postgres:pl4nted@{_POOLED}:5432/postgres"),
        says=(
            "SUPABASE_DB_URL leads to Supabase's pooler, where the user is postgres.PROJECT-REF, and names a user "
            "without the ref",
        ),
    ),
    Mistake(
        name="the pooler's user at the direct host",
        given=_dsn(
            "postgresql://postgres.rehearsalcompanyabcd:pl4nted@db.rehearsalcompanyabcd.supabase.co:5432/postgres"
        ),
        says=(
            "SUPABASE_DB_URL leads to the project's direct host, where the user is postgres, and names the pooler's "
            "user postgres.REF",
        ),
    ),
    Mistake(
        name="another kind of address",
        given=_dsn("https://rehearsalcompanyabcd.supabase.co"),
        says=("SUPABASE_DB_URL does not begin with postgresql://",),
    ),
)
_IPV4 = (
    "take the connection string of the session-mode pooler (port 5432) from the dashboard, since it has IPv4, "
    "or switch on the project's IPv4 add-on."
)
_SIZES = (
    "nothing was changed; end sessions that are not needed or raise the pool size in the dashboard (Database, "
    "Settings), and try again."
)
_ANEW = "download the project's certificate anew from the dashboard (Database, Settings, SSL Configuration)"
_PW = "postgresql://postgres:pl4nted@"
_DATABASE = (
    Mistake(
        name="nothing listens there",
        code=5,
        given=_dsn(f"{_PW}CLOSED-PORT/postgres"),
        says="nothing listens at the host and port of SUPABASE_DB_URL (connection refused); nothing was changed; check "
        "both, and that the database is up, then try again.",
    ),
    Mistake(
        name="the host's name is not known",
        code=5,
        given=_dsn(f"{_PW}NOWHERE:5432/postgres"),
        says="the host name of the source database in SUPABASE_DB_URL is not known; nothing was changed; copy the "
        "connection string from the dashboard again; in a password, write @ as %40 and / as %2F, or a piece of it is "
        "taken for the host.",
    ),
    Mistake(
        name="the direct host, from a machine without IPv6",
        code=5,
        given=_dsn(f"{_PW}db.rehearsalcompanyabcd.supabase.co:5432/postgres?hostaddr=NO-ROUTE"),
        says="the source database could not be reached: this machine has no IPv6 route, and the project's direct host "
        f"has an IPv6 address alone; nothing was changed; {_IPV4}",
    ),
    Mistake(
        name="something drops what is sent",
        code=5,
        given=_dsn(f"{_PW}SILENT-SERVER/postgres?connect_timeout=2"),
        says="the source database could not be reached: it did not answer in time; nothing was changed; check that the "
        "project is up, that SUPABASE_DB_URL names it, and that nothing on the way (network restrictions, a firewall) "
        "drops connections; then try again.",
    ),
    Mistake(
        name="a web server listens there",
        code=5,
        given=_dsn(f"{_PW}WEB-SERVER/postgres"),
        says="what answers at the host and port of SUPABASE_DB_URL is not PostgreSQL; nothing was changed; "
        "correct host "
        "and port; Supabase's database and its session-mode pooler listen on port 5432.",
    ),
    Mistake(
        name="the password is wrong",
        code=5,
        given=_dsn(f"{_PW}SOURCE/postgres"),
        says="the database refused user and password; nothing was changed; check both in SUPABASE_DB_URL; the "
        "dashboard "
        "can set a new database password.",
    ),
    Mistake(
        name="there is no password",
        code=5,
        given=_dsn("postgresql://postgres@SOURCE/postgres"),
        says="the database asks for a password, and SUPABASE_DB_URL holds none; nothing was changed; add it behind the "
        "user: postgresql://USER:PASSWORD@….",
    ),
    Mistake(
        name="the database does not exist",
        given=_dsn("postgresql://postgres:KNOWN-SECRET@SOURCE/production"),
        says="the database named in the connection string does not exist; nothing was changed; check "
        "SUPABASE_DB_URL; a "
        "Supabase project's database is called postgres.",
    ),
    Mistake(
        name="the role may not log in",
        code=5,
        given=_dsn("postgresql://sleeper:pl4nted@SOURCE/postgres"),
        says="the role named in SUPABASE_DB_URL may not log in; nothing was changed; write the user postgres; behind "
        "the pooler, postgres.PROJECT-REF.",
    ),
    Mistake(
        name="no connection is left",
        code=5,
        given=_dsn("postgresql://crowded:pl4nted@SOURCE/postgres"),
        says="the database has no connection left; nothing was changed; end sessions that are not needed, or raise the "
        "limit, and try again.",
    ),
    Mistake(
        name="the database is starting",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslmode=disable"),
        answers="the database system is starting up",
        says="the database is starting up and takes no connections yet; nothing was changed; wait a minute, then try "
        "again.",
    ),
    Mistake(
        name="the database is shutting down",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslmode=disable"),
        answers="the database system is shutting down",
        says="the database is shutting down; nothing was changed; wait until the project is up again in the dashboard, "
        "then try again.",
    ),
)
_TLS = (
    Mistake(
        name="the server has no TLS",
        code=5,
        given=_dsn("postgresql://postgres:KNOWN-SECRET@SOURCE-FROM-ELSEWHERE/postgres"),
        says="the server offers no encryption, so the password was not sent; nothing was changed; check host and port "
        "in SUPABASE_DB_URL: Supabase always offers it, and somebody may be in between; for a server of your own, add "
        "sslmode=disable.",
    ),
    Mistake(
        name="the pooler wants TLS",
        given=_dsn(f"{_PW}POOLER/postgres?sslmode=disable"),
        answers="(ESSLREQUIRED) SSL connection is required",
        says="the pooler takes encrypted connections alone, and SUPABASE_DB_URL asks for none; nothing was changed; "
        "remove sslmode from SUPABASE_DB_URL, or write sslmode=require.",
    ),
    Mistake(
        name="the certificate is of another authority",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslrootcert=SUPABASES.crt"),
        shows="unknown issuer",
        says="the server's certificate is not signed by the one in sslrootcert, so the password was not sent; nothing "
        f"was changed; {_ANEW}; without sslrootcert in SUPABASE_DB_URL, look for ~/.postgresql/root.crt; if it is "
        "right, somebody is in between.",
    ),
    Mistake(
        name="the certificate is for another host",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslrootcert=SHOWN.crt"),
        shows="another name",
        says="the server's certificate is for another host name, so the password was not sent; nothing was changed; "
        "take the host name from the dashboard; if it is right, somebody is in between.",
    ),
    Mistake(
        name="the certificate has expired",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslrootcert=SHOWN.crt"),
        shows="expired",
        says="the server's certificate, or the one in sslrootcert, has expired, so the password was not sent; nothing "
        f"was changed; {_ANEW}, and check this machine's clock.",
    ),
)
_POOLER = (
    Mistake(
        name="the pooler does not know the project",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslmode=disable"),
        answers="(ENOTFOUND) tenant/user postgres.abc not found",
        says="the pooler does not know this project or user; nothing was changed; write the user as "
        "postgres.PROJECT-REF and take the pooler's host from the dashboard.",
    ),
    Mistake(
        name="all sessions of the pooler are taken",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslmode=disable"),
        answers="(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15",
        says=f"the pooler has no session left; {_SIZES}",
    ),
    Mistake(
        name="the pooler gets no connection from the database",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslmode=disable"),
        answers="(ECHECKOUTTIMEOUT) unable to check out connection from the pool after 60000ms in Session mode",
        says=f"the pooler got no connection from the database in time; {_SIZES}",
    ),
    Mistake(
        name="this machine's address is not allowed",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslmode=disable"),
        answers="(EADDRNOTALLOWED) address not in tenant allow_list: {192, 0, 2, 1}",
        says="the project's network restrictions do not let this machine's address in; nothing was changed; add the "
        "address in the dashboard (Database, Settings, Network Restrictions).",
    ),
    Mistake(
        name="wrong passwords came too often",
        code=5,
        given=_dsn(f"{_PW}POOLER/postgres?sslmode=disable"),
        answers="(ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked",
        says="the pooler lets nobody in for some minutes, since wrong passwords came too often; nothing was changed; "
        "correct the password in SUPABASE_DB_URL and in whatever else connects with an old one, then wait some "
        "minutes; "
        "the direct connection is not held up.",
    ),
)
_API_AWAY = "nothing was changed; check SUPABASE_URL and that the project is up, then try again."
_SERVICES = (
    Mistake(
        name="nobody is at SUPABASE_URL",
        code=5,
        given={"SUPABASE_URL": "http://CLOSED-PORT"},
        says=f"the Supabase API could not be reached (connection refused); {_API_AWAY}",
    ),
    Mistake(
        name="the host of SUPABASE_URL is not known",
        code=5,
        given={"SUPABASE_URL": "https://NOWHERE"},
        says=f"the Supabase API could not be reached (its host name is not known); {_API_AWAY}",
    ),
    Mistake(
        name="the certificate at SUPABASE_URL is nobody's",
        code=5,
        given={"SUPABASE_URL": "https://TLS-SERVER"},
        says=f"the Supabase API could not be reached (its certificate is not trusted); {_API_AWAY}",
    ),
    Mistake(
        name="https:// to a server without TLS",
        code=5,
        given={"SUPABASE_URL": "https://WEB-SERVER"},
        says=f"the Supabase API could not be reached (what answers does not speak TLS); {_API_AWAY}",
    ),
    Mistake(
        name="SUPABASE_URL leads to another service",
        code=5,
        given={"SUPABASE_URL": "http://WEB-SERVER"},
        says="what answers at SUPABASE_URL is not a project's API; nothing was changed; set it to the project's "
        "address "
        f"from the dashboard, {_PROJECT}, and remove a page or proxy in front of it.",
    ),
    Mistake(
        name="the secret key is wrong",
        code=5,
        given={"SUPABASE_SERVICE_ROLE_KEY": "pl4nted"},
        says="the Supabase API refused the key in SUPABASE_SERVICE_ROLE_KEY (401); nothing was changed; copy "
        "the secret "
        "key (or legacy service_role key) of this project from Supabase's dashboard (Settings, API keys).",
    ),
    Mistake(
        name="the publishable key is wrong",
        code=5,
        given={"SUPABASE_ANON_KEY": "pl4nted"},
        says="the Supabase API refused the key in SUPABASE_ANON_KEY (401); nothing was changed; copy the publishable "
        "key (or legacy anon key) of this project from Supabase's dashboard (Settings, API keys).",
    ),
    Mistake(
        name="Stack Auth's secret server key is wrong",
        code=5,
        given={"STACK_AUTH_SECRET_KEY": "ssk_pl4nted"},
        says="Stack Auth does not accept the secret key (INVALID_SECRET_SERVER_KEY); nothing was changed by this "
        "request; check STACK_AUTH_SECRET_KEY: a secret server key (ssk_…) of this project that was not revoked.",
    ),
    Mistake(
        name="Stack Auth does not know the project",
        code=5,
        given={"STACK_AUTH_PROJECT_ID": "00000000-0000-4000-8000-000000000000"},
        says="Stack Auth does not know the project (CURRENT_PROJECT_NOT_FOUND); nothing was changed by this request; "
        "check STACK_AUTH_PROJECT_ID and STACK_AUTH_API_URL.",
    ),
    Mistake(
        name="nobody is at STACK_AUTH_API_URL",
        code=5,
        given={"STACK_AUTH_API_URL": "http://CLOSED-PORT"},
        says="Stack Auth could not be reached (connection refused); nothing was changed by this request; check the "
        "network, STACK_AUTH_API_URL and the service's status page.",
    ),
    Mistake(
        name="STACK_AUTH_API_URL leads to another service",
        code=5,
        given={"STACK_AUTH_API_URL": "http://WEB-SERVER"},
        says="STACK_AUTH_API_URL does not lead to the users API of Stack Auth (HTTP 404); nothing was changed by this "
        "request; set it to the base address, without /api/v1.",
    ),
)
_NO_SLACK = "nothing was changed in Slack; check the network and https://slack-status.com, then try again."
_SLACK = (
    Mistake(
        name="the bot's token is wrong",
        code=5,
        given={"SLACK_BOT_TOKEN": "xoxb-pl4nted"},
        says="Slack does not accept SLACK_BOT_TOKEN (invalid_auth); nothing was changed in Slack; set SLACK_BOT_TOKEN "
        "to the Bot User OAuth Token of the app (xoxb-…, under OAuth & Permissions).",
    ),
    Mistake(
        name="the app's token is wrong",
        code=5,
        given={"SLACK_APP_TOKEN": "xapp-pl4nted"},
        says="Slack does not accept SLACK_APP_TOKEN (invalid_auth); nothing was changed in Slack; set SLACK_APP_TOKEN "
        "to an app-level token with the scope connections:write (xapp-…, under Basic Information, App-Level Tokens).",
    ),
    Mistake(
        name="there is no such channel",
        code=5,
        given={"CUTOVER__SLACK__CHANNEL": "C0GONE"},
        says="The channel in slack.channel does not exist for the bot (channel_not_found); nothing was changed in "
        "Slack; set slack.channel to the id of the run's channel, and type /invite @cutover in it if it is private.",
    ),
    Mistake(
        name="the bot was not invited",
        code=5,
        given={"CUTOVER__SLACK__CHANNEL": "C0UNINVITED"},
        says="The bot is not in the channel of the run (not_in_channel); nothing was changed in Slack; type /invite "
        "@cutover in the channel.",
    ),
    Mistake(
        name="nobody is at SLACK_API_URL",
        code=5,
        given={"SLACK_API_URL": "http://CLOSED-PORT/api/"},
        says=f"Slack could not be reached when it was asked to tell who I am (connection refused); {_NO_SLACK}",
    ),
    Mistake(
        name="Slack's host name is not known",
        code=5,
        given={"SLACK_API_URL": "https://NOWHERE/api/"},
        says=f"Slack could not be reached when it was asked to tell who I am (its host name is not known); {_NO_SLACK}",
    ),
)
MISTAKES: Mapping[str, tuple[Mistake, ...]] = {
    "Settings": _SETTINGS,
    "The connection string": _CONNECTION_STRING,
    "On the way to the database, and at its door": _DATABASE,
    "TLS": _TLS,
    "Supabase's pooler": _POOLER,
    "The services": _SERVICES,
    "Slack": _SLACK,
}
"""By where they are made."""
