"""Settings: the environment before `.env` before `cutover.toml`, frozen, every mistake told in one go.

Secrets and addresses of services come from the environment (or `.env`); the rest stands in `cutover.toml`, each key
of which can be overridden as `CUTOVER__SECTION__KEY`. A command names what it needs, so that `cutover freeze-sql`
asks for no Slack token. Nothing is contacted here: only forms are checked, and a value is never shown, since it may
be a secret in the wrong place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bot.errors import UsageError

_PREFIX = "CUTOVER__"

Need = Literal["slack", "source", "source_api", "target"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Slack(_Section):
    channel: Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{2,}$")] | None = None
    """The id of the one channel, not its name: a name can be given to another channel."""


class Approvers(_Section):
    users: tuple[Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,}$")], ...] = ()

    groups: tuple[Annotated[str, Field(pattern=r"^S[A-Z0-9]{2,}$")], ...] = ()
    """User groups, asked for their members at the moment somebody speaks."""
    deny_same_person: bool = False


class Run(_Section):
    start: Literal["now", "on-word"] = "now"
    ephemeral_ok: bool = False


class Checkpoint(_Section):
    approvals: Annotated[int, Field(ge=1, le=9)] = 1


class Checkpoints(_Section):
    freeze: Checkpoint = Checkpoint()
    export: Checkpoint = Checkpoint()
    users: Checkpoint = Checkpoint()


class Freeze(_Section):
    mode: Literal["people", "bot"] = "people"
    quiet_seconds: Annotated[float, Field(ge=1, le=600)] = 10
    hold_locks: bool = False
    notice_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    notice_text: str = ""


class Export(_Section):
    workers: Annotated[int, Field(ge=1, le=32)] = 4
    include_schemas: tuple[str, ...] = ()
    """Only these, when any is named; the users' tables are always exported."""
    exclude_tables: tuple[str, ...] = ()
    """As `schema.table`."""


class Users(_Section):
    mode: Literal["create", "match", "dry-run"] = "create"
    concurrency: Annotated[int, Field(ge=1, le=64)] = 16
    accept: tuple[str, ...] = ()
    retain_days: Annotated[int, Field(ge=1, le=3650)] = 90


class Window(_Section):
    minutes: Annotated[int, Field(ge=1, le=100_000)] = 480


class Reminders(_Section):
    minutes: Annotated[float, Field(gt=0)] = 15


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        case_sensitive=False,
        env_ignore_empty=True,
    )

    slack_bot_token: Annotated[SecretStr | None, Field(validation_alias="SLACK_BOT_TOKEN")] = None
    slack_app_token: Annotated[SecretStr | None, Field(validation_alias="SLACK_APP_TOKEN")] = None
    slack_signing_secret: Annotated[SecretStr | None, Field(validation_alias="SLACK_SIGNING_SECRET")] = None
    port: Annotated[int | None, Field(validation_alias="PORT", ge=1, le=65535)] = None
    slack_api_url: Annotated[str, Field(validation_alias="SLACK_API_URL")] = "https://slack.com/api/"
    supabase_db_url: Annotated[SecretStr | None, Field(validation_alias="SUPABASE_DB_URL")] = None
    supabase_url: Annotated[str | None, Field(validation_alias="SUPABASE_URL")] = None
    supabase_service_role_key: Annotated[SecretStr | None, Field(validation_alias="SUPABASE_SERVICE_ROLE_KEY")] = None
    supabase_anon_key: Annotated[SecretStr | None, Field(validation_alias="SUPABASE_ANON_KEY")] = None
    stack_auth_project_id: Annotated[str | None, Field(validation_alias="STACK_AUTH_PROJECT_ID")] = None
    stack_auth_secret_key: Annotated[SecretStr | None, Field(validation_alias="STACK_AUTH_SECRET_KEY")] = None
    stack_auth_api_url: Annotated[str, Field(validation_alias="STACK_AUTH_API_URL")] = "https://api.stack-auth.com"
    migration_data_dir: Annotated[Path, Field(validation_alias="MIGRATION_DATA_DIR")] = Path("migration-data")

    slack: Slack = Slack()
    approvers: Approvers = Approvers()
    run: Run = Run()
    checkpoints: Checkpoints = Checkpoints()
    freeze: Freeze = Freeze()
    export: Export = Export()
    users: Users = Users()
    window: Window = Window()
    reminders: Reminders = Reminders()

    SECTIONS: ClassVar[tuple[str, ...]] = (
        "slack",
        "approvers",
        "run",
        "checkpoints",
        "freeze",
        "export",
        "users",
        "window",
        "reminders",
    )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value that is set, and the database's password by itself: what no log line may contain."""
        values = (getattr(self, name) for name in type(self).model_fields)
        secrets = tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))
        dsn = self.supabase_db_url
        return secrets if dsn is None else (*secrets, *_password_in(dsn.get_secret_value()))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only `load` reads the environment and files, so that it can tell every mistake of all of them at once."""
        return (init_settings,)


def load(needs: Iterable[Need] = (), *, config: Path | None = None, directory: Path | None = None) -> Settings:
    """The settings for a command that needs these services. `directory` holds `.env` and, unless `config` names one,
    `cutover.toml`.

    Raises UsageError with every mistake in one sentence.
    """
    here = directory or Path()
    toml = config or here / "cutover.toml"
    environment = _Environment(Settings)
    mistakes: list[str] = []
    if config is not None and not config.is_file():
        mistakes.append(f"--config names {config.name}, and there is no such file")
    filed, wrong = _from_toml(toml)
    mistakes.extend(wrong)
    names, given = set(environment.env_vars), environment()
    try:
        dotenv = _DotEnv(Settings, env_file=here / ".env")
    except (ValueError, OSError) as error:
        mistakes.append(f".env cannot be read ({type(error).__name__})")
    else:
        names |= dotenv.env_vars.keys()
        given = _over(given, dotenv())
    mistakes.extend(_strangers(names))
    settings, told = _validated(_over(given, filed))
    mistakes.extend(told.values())
    # What is wrong is not missing too.
    mistakes.extend(m for m in _missing(settings, frozenset(needs)) if not m.startswith(tuple(told)))
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise UsageError(
            f"The settings have {count}: {'; '.join(mistakes)}",
            unchanged="nothing was contacted or written",
            do="mend the environment, .env or cutover.toml (cutover.example.toml shows every key)",
        )
    return settings


class _Environment(EnvSettingsSource):
    """A value that is no JSON stays the text it is, so that its mistake is told with all the others."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class _DotEnv(_Environment, DotEnvSettingsSource):
    pass


def _from_toml(toml: Path) -> tuple[dict[str, Any], list[str]]:
    """What the file gives, and what is wrong with it as a whole."""
    if not toml.is_file():
        return {}, []
    try:
        found = tomllib.loads(toml.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        place = _PLACE_IN_TOML.search(str(error))
        return {}, [f"{toml.name} is no TOML{f' ({place[0]})' if place else ''}"]
    except (ValueError, OSError) as error:
        return {}, [f"{toml.name} cannot be read ({type(error).__name__})"]
    wrong = [f"{toml.name}: [{key}] is no section" for key in found if key not in Settings.SECTIONS]
    return {key: value for key, value in found.items() if key in Settings.SECTIONS}, wrong


_PLACE_IN_TOML = re.compile(r"at line \d+, column \d+|at end of document")


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    """Both together, key by key; where both say something, `upper` counts."""
    merged = {**lower, **upper}
    for key in upper.keys() & lower.keys():
        if isinstance(upper[key], dict) and isinstance(lower[key], dict):
            merged[key] = _over(upper[key], lower[key])
    return merged


def _validated(given: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
    """The settings, those that are wrong left out; and by place what is wrong with them."""
    try:
        return Settings(**given), {}
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
    told: dict[str, str] = {}
    right: dict[str, Any] = {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}
    for problem in problems:
        section, *keys = [str(part) for part in problem["loc"]]
        place = f"{section}.{keys[0]}" if keys else section
        if place not in told:
            told[place] = _what_is_wrong(place, problem["type"], problem["msg"])
        if keys:
            right[section].pop(keys[0], None)
        else:
            right.pop(section, None)
    return Settings(**right), told


def _what_is_wrong(place: str, kind: str, said: str) -> str:
    if kind == "extra_forbidden":
        return f"{place} is no key"
    if place in _FORMS:
        return f"{place} {_FORMS[place]}"
    return f"{place}: {said[0].lower()}{said[1:]}"


_FORMS = {
    "slack.channel": "is no channel id (C0… or G0…, at the end of the channel's details)",
    "approvers.users": 'is no list of user ids (["U0…"], each from the menu of a profile)',
    "approvers.groups": 'is no list of user group ids (["S0…"], from the address of the group in Slack)',
    "freeze.notice_url": "is no http(s) address",
}


def _strangers(names: Iterable[str]) -> Iterator[str]:
    known = tuple(f"{_PREFIX}{section}__".upper() for section in Settings.SECTIONS)
    for name in sorted(name.upper() for name in names):
        if name.startswith(_PREFIX) and not name.startswith(known):
            yield f"{name} names no section"


def _missing(settings: Settings, needs: frozenset[Need]) -> Iterator[str]:
    if "slack" in needs:
        yield from _without(settings, "slack_bot_token")
        if settings.slack_app_token is None and (settings.slack_signing_secret is None or settings.port is None):
            yield "SLACK_APP_TOKEN is missing (or, for HTTP, SLACK_SIGNING_SECRET and PORT)"
        yield from _prefixed("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-")
        yield from _prefixed("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-")
        if settings.slack.channel is None:
            yield "slack.channel is missing"
        yield from _too_few(settings)
        yield from _not_web("SLACK_API_URL", settings.slack_api_url)
    if "source" in needs:
        yield from _without(settings, "supabase_db_url")
        yield from _not_dsn("SUPABASE_DB_URL", settings.supabase_db_url)
    if "source_api" in needs:
        yield from _without(settings, "supabase_url", "supabase_service_role_key")
        yield from _not_web("SUPABASE_URL", settings.supabase_url)
    if "target" in needs:
        yield from _without(settings, "stack_auth_project_id", "stack_auth_secret_key")
        yield from _not_web("STACK_AUTH_API_URL", settings.stack_auth_api_url)


def _too_few(settings: Settings) -> Iterator[str]:
    """Who may open a gate, when there are not enough to open every one. How many a group has is asked at the gate."""
    users, groups = settings.approvers.users, settings.approvers.groups
    if not users and not groups:
        yield "approvers.users and approvers.groups are empty, and without an approver no gate could ever open"
        return
    if groups:
        return
    for name, checkpoint in settings.checkpoints:
        if checkpoint.approvals > len(set(users)):
            yield f"checkpoints.{name}.approvals asks for more approvers than approvers.users names"
    if settings.approvers.deny_same_person and len(set(users)) < 2:
        yield "approvers.deny_same_person needs a second approver"


def _without(settings: Settings, *fields: str) -> Iterator[str]:
    yield from (f"{field.upper()} is missing" for field in fields if getattr(settings, field) is None)


def _prefixed(name: str, secret: SecretStr | None, prefix: str) -> Iterator[str]:
    if secret is not None and not secret.get_secret_value().startswith(prefix):
        yield f"{name} does not begin with {prefix}"


def _not_web(name: str, url: str | None) -> Iterator[str]:
    if url is None:
        return
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        yield f"{name} is no http(s) address"


def _not_dsn(name: str, secret: SecretStr | None) -> Iterator[str]:
    if secret is None:
        return
    text = secret.get_secret_value()
    if "[YOUR-PASSWORD]" in text:
        yield f"{name} still holds [YOUR-PASSWORD] in place of the database password"
        return
    try:
        parts = urlsplit(text)
        good = bool(parts.hostname and parts.username) and parts.port != 0 and parts.netloc.count("@") == 1
    except ValueError:
        good = False
    if not text.startswith(("postgresql://", "postgres://")):
        yield f"{name} does not begin with postgresql://"
    elif not good:
        yield (
            f"{name} is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
            "(in the password, write @ as %40, : as %3A, / as %2F, # as %23)"
        )


def _password_in(dsn: str) -> tuple[str, ...]:
    """The password of a connection string, as it stands there and as it is meant; () when there is none to be seen."""
    found = re.search(r"://[^:/@]*:(.*)@", dsn)
    return (found[1], unquote(found[1])) if found and found[1] else ()
