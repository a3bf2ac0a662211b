"""Any state that a project may be in before it is frozen, as statements that bring it about."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from psycopg import sql

from bot.rehearsal.company import Company

_READ_ONLY = ("on", "off", "true", "FALSE", "t", "f", "yes", "NO", "1", "0")
_NAMES = (
    "default_transaction_read_only",
    "work_mem",
    "idle_session_timeout",
    "pgrst.db_pre_request",
    "pgrst.db_schemas",
    "app.settings.key",
)
_LETTERS = "abZ09_ \"'%\\:;$-=,é{}"
_STATEMENTS = {
    "database": "ALTER DATABASE {database} SET {name} = {value}",
    "role": "ALTER ROLE {role} SET {name} = {value}",
    "role in database": "ALTER ROLE {role} IN DATABASE {database} SET {name} = {value}",
}
_RIGHTS = (
    "ALTER DEFAULT PRIVILEGES FOR ROLE postgres REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT USAGE ON SCHEMAS TO anon",
    "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT EXECUTE ON FUNCTIONS TO service_role WITH GRANT OPTION",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE, CREATE ON SCHEMA public TO anon WITH GRANT OPTION",
    "GRANT EXECUTE ON FUNCTION public.answer() TO authenticator",
    "COMMENT ON SCHEMA public IS 'ours, and not to be touched'",
    'CREATE SCHEMA cutover; COMMENT ON SCHEMA cutover IS \'{{"hook" : "of another kind"}}\'',
    "GRANT CONNECT ON DATABASE {database} TO anon",
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    where: str
    role: str
    name: str
    value: str

    def statement(self, source: Company) -> sql.Composed:
        return sql.SQL(_STATEMENTS[self.where]).format(
            database=sql.Identifier(source.dbname),
            role=sql.Identifier(self.role),
            name=sql.SQL(self.name),
            value=sql.Literal(self.value),
        )


@dataclass(frozen=True, kw_only=True)
class Hook:
    """The setting's value, and what it means to the gateway: a schema ("" for none) and a function."""

    schema: str
    function: str
    exists: bool

    @property
    def value(self) -> str:
        return f"{self.schema}.{self.function}" if self.schema else self.function


@dataclass(frozen=True, kw_only=True)
class State:
    hook_here: Hook | None
    hook_everywhere: Hook | None
    settings: tuple[Setting, ...]
    roles: tuple[str, ...]
    rights: tuple[str, ...]

    @property
    def hook(self) -> Hook | None:
        """The one in force."""
        hook = self.hook_here or self.hook_everywhere
        return hook if hook is not None and hook.value else None

    def statements(self, source: Company) -> list[sql.Composable]:
        database = sql.Identifier(source.dbname)
        made: list[sql.Composable] = [sql.SQL(right).format(database=database) for right in self.rights]
        for role in self.roles:
            name = sql.Identifier(role)
            made.append(sql.SQL("CREATE ROLE {}").format(name))
            made.append(sql.SQL("GRANT {} TO authenticator").format(name))
        for hook, where in ((self.hook_here, "role in database"), (self.hook_everywhere, "role")):
            if hook is None:
                continue
            made.append(
                Setting(where=where, role="authenticator", name="pgrst.db_pre_request", value=hook.value).statement(
                    source
                )
            )
            if hook.exists and hook.value:
                made += _made(hook)
        made += [setting.statement(source) for setting in self.settings]
        return made

    def undone(self) -> Sequence[sql.Composable]:
        """What outlives the database, taken back."""
        reset = [
            sql.SQL("ALTER ROLE {} RESET {}").format(sql.Identifier(setting.role), sql.SQL(setting.name))
            for setting in self.settings
            if setting.where == "role"
        ]
        return [
            *reset,
            sql.SQL("ALTER ROLE authenticator RESET pgrst.db_pre_request"),
            *(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)) for role in self.roles),
        ]


def _made(hook: Hook) -> list[sql.Composable]:
    schema, name = sql.Identifier(hook.schema or "public"), sql.Identifier(hook.function)
    body = sql.Literal("BEGIN PERFORM set_config('test.hook', 'ran', true); END")
    return [
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO PUBLIC").format(schema),
        sql.SQL("CREATE OR REPLACE FUNCTION {}.{}() RETURNS void LANGUAGE plpgsql AS {}").format(schema, name, body),
        sql.SQL("GRANT EXECUTE ON FUNCTION {}.{}() TO PUBLIC").format(schema, name),
    ]


_names = st.text(_LETTERS, min_size=1, max_size=8) | st.text("lo", min_size=63, max_size=63)


@st.composite
def _hooks(draw: st.DrawFn) -> Hook:
    if draw(st.integers(0, 7)) == 0:
        return Hook(schema="", function="", exists=False)  # set to nothing, over one for all databases
    schema = draw(st.sampled_from(["", "public"]) | _names.map(lambda name: f"s{name}"[:63]))
    function = draw(_names)
    if schema and draw(st.booleans()):
        function = f"{function[:20]}.{draw(_names)[:20]}"  # all after the first dot is the function's name
    return Hook(schema=schema, function=function, exists=draw(st.integers(0, 4)) > 0)


@st.composite
def _settings(draw: st.DrawFn, roles: tuple[str, ...]) -> Setting:
    where = draw(st.sampled_from(sorted(_STATEMENTS)))
    role = draw(st.sampled_from(["postgres", "authenticator", "anon", "supabase_auth_admin", *roles]))
    name = draw(st.sampled_from(_NAMES))
    if name == "pgrst.db_pre_request" and role == "authenticator":
        role = "service_role"  # where the gateway does not look for it, and where it must survive all the same
    match name:
        case "default_transaction_read_only":
            value = draw(st.sampled_from(_READ_ONLY))
        case "work_mem":
            value = draw(st.sampled_from(["5MB", "64kB"]))
        case "idle_session_timeout":
            value = draw(st.sampled_from(["0", "10min"]))
        case _:
            value = draw(st.text(_LETTERS, max_size=12))
    return Setting(where=where, role=role, name=name, value=value)


@st.composite
def states(draw: st.DrawFn) -> State:
    roles = tuple(draw(st.lists(_names.map(lambda name: f"r{name}"[:63]), max_size=2, unique=True)))
    settings = draw(st.lists(_settings(roles), max_size=5))
    if draw(st.booleans()):
        settings.append(
            Setting(
                where="database", role="", name="default_transaction_read_only", value=draw(st.sampled_from(_READ_ONLY))
            )
        )
    return State(
        hook_here=draw(st.none() | _hooks()),
        hook_everywhere=draw(st.none() | _hooks()),
        settings=tuple(settings),
        roles=roles,
        rights=tuple(draw(st.lists(st.sampled_from(_RIGHTS), max_size=3, unique=True))),
    )
