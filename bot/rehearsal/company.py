"""A young company's Supabase in an embedded server: the platform's schemas and roles, some forty tables, its users.

    company = build(server)                    # in the database `postgres`
    psycopg.connect(company.dsn)               # as the project's owner, who is no superuser

    template = build(server, dbname="template_of_company")
    copy = template.clone("test_17")           # 50 ms; roles are the cluster's, so the copies share them
    copy.drop()

The rows follow from the seed, byte for byte (except the marks below, there is nothing to recognise a person by: all is
made up). The SQL is in `sql/`, in the order of the files' numbers, and readable in psql.

Every secret and every piece of a person carries a mark, so that a test can search logs, Slack and pages for a leak:
MARKS has them all. The password of every role is the server's own.
"""

from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg import sql

from bot.rehearsal.postgres import EmbeddedPostgres

PLANTED_EMAIL_MARK = "@people.example"
"""Ends every e-mail address but those that Auth itself has obscured."""
PLANTED_PHONE_MARK = "49155501"
"""Begins every phone number."""
PLANTED_HASH_MARK = "PLANTEDhash"
"""In the salt of every password hash, of whatever kind."""
PLANTED_TOTP_MARK = "PLANTEDTOTP"
"""Begins every TOTP secret (base32)."""
PLANTED_TOKEN_MARK = "planted-token-"
"""Begins every one-time and refresh token."""
PLANTED_ROW_MARK = "planted-row-secret-"
"""Begins the secrets in the company's own rows (public.api_keys) and in the vault."""
CANARY_EMAIL = "canary" + PLANTED_EMAIL_MARK
CANARY_PASSWORD = "planted-canary-password"
"""Of the one user whose hash is that of a password."""
MARKS = (
    CANARY_PASSWORD,
    PLANTED_EMAIL_MARK,
    PLANTED_PHONE_MARK,
    PLANTED_HASH_MARK,
    PLANTED_TOTP_MARK,
    PLANTED_TOKEN_MARK,
    PLANTED_ROW_MARK,
)

_ROLES = "10_roles"
_FILES = ("20_auth", "30_platform", "40_tables", "50_users", "60_rows")


@dataclass(frozen=True, kw_only=True)
class Company:
    """One such database and the ways into it."""

    server: EmbeddedPostgres
    dbname: str

    @property
    def dsn(self) -> str:
        """Return what a customer is given as SUPABASE_DB_URL: the role postgres, owner but not superuser."""
        return self.server.dsn(self.dbname, "postgres")

    @property
    def admin_dsn(self) -> str:
        """Return the platform's superuser, whom no customer has."""
        return self.server.dsn(self.dbname, self.server.superuser)

    @property
    def authenticator_dsn(self) -> str:
        """Return the REST gateway's role."""
        return self.server.dsn(self.dbname, "authenticator")

    @property
    def auth_dsn(self) -> str:
        """Return the Auth service's role."""
        return self.server.dsn(self.dbname, "supabase_auth_admin")

    @property
    def storage_dsn(self) -> str:
        """Return the Storage service's role."""
        return self.server.dsn(self.dbname, "supabase_storage_admin")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must never be seen outside: MARKS and the password in every DSN."""
        return (*MARKS, self.server.password)

    def clone(self, dbname: str) -> "Company":
        """Copy the database; nobody may be connected to this one meanwhile."""
        _create_database(self.server, dbname, template=self.dbname)
        return Company(server=self.server, dbname=dbname)

    def drop(self) -> None:
        """Remove the database and what was set for it, ending its sessions."""
        statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.dbname))
        with psycopg.connect(self.server.dsn("template1", self.server.superuser), autocommit=True) as session:
            session.execute(statement)


def build(
    server: EmbeddedPostgres, *, users: int = 500, rows: int = 20_000, seed: int = 1, dbname: str = "postgres"
) -> Company:
    """Fill a database (made if it is not there) with `users` people and about `rows` rows in the company's own tables.

    Below 44 users not every kind of user is there. The roles are made if the server has none yet.
    """
    company = Company(server=server, dbname=dbname)
    settings = {
        "password": server.password,
        "seed": str(seed),
        "users": str(users),
        "rows": str(rows),
        "email_mark": PLANTED_EMAIL_MARK,
        "phone_mark": PLANTED_PHONE_MARK,
        "hash_mark": PLANTED_HASH_MARK,
        "totp_mark": PLANTED_TOTP_MARK,
        "token_mark": PLANTED_TOKEN_MARK,
        "row_mark": PLANTED_ROW_MARK,
    }
    if dbname != "postgres":
        _create_database(server, dbname, template="template0")
    with psycopg.connect(company.admin_dsn, autocommit=True, application_name="rehearsal") as session:
        for name, value in settings.items():
            session.execute("SELECT set_config(%s, %s, false)", [f"company.{name}", value])
        # Ours to make, so no time limit of a hosted project, and no parallel plan, which would order rows by luck.
        session.execute("SET statement_timeout = 0; SET max_parallel_workers_per_gather = 0; SET timezone = 'UTC'")
        session.execute(_statements(_ROLES))
        # PostgreSQL lets only an owner make schemas, and the roles have to be there before one can be the owner.
        session.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(dbname)))
        for file in _FILES:
            session.execute(_statements(file))
        # So that autovacuum finds nothing to do in the middle of a night and moves no counter.
        session.execute("VACUUM (ANALYZE)")
    return company


def _statements(file: str) -> bytes:
    return resources.files("bot.rehearsal").joinpath("sql", f"{file}.sql").read_bytes()


def _create_database(server: EmbeddedPostgres, dbname: str, *, template: str) -> None:
    names = {"name": sql.Identifier(dbname), "template": sql.Identifier(template)}
    # Files copied whole: a quarter of the time that copying page by page through the log takes.
    create = sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy").format(**names)
    own = sql.SQL("ALTER DATABASE {name} OWNER TO postgres").format(**names)
    with psycopg.connect(server.dsn("template1", server.superuser), autocommit=True) as session:
        session.execute(create)
        if session.execute("SELECT to_regrole('postgres') IS NOT NULL").fetchone() == (True,):
            session.execute(own)
