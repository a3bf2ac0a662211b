"""What can be set: every key with its form and its default. Nothing is read here."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.home import at_home
from bot.plan.compose import DEFAULT_NAMES

PREFIX = "CUTOVER__"


class InAnOpenRun(Enum):
    """What a change of a setting does to a run that is open when the bot starts again."""

    KEPT = "the run keeps its own"
    STRICTER = "both count, the stricter"
    SAME = "refused unless it is the same"
    NOW = "counts from this start on"


_Secret = SecretStr | None

_KEPT, _STRICTER, _SAME, _NOW = InAnOpenRun.KEPT, InAnOpenRun.STRICTER, InAnOpenRun.SAME, InAnOpenRun.NOW

OFTEN = "0 (never) or a number from 0.01 to 525,600"
_LEAST_OFTEN = 0.01
"""Minutes."""


def _often(minutes: float) -> float:
    if 0 < minutes < _LEAST_OFTEN:
        raise ValueError(OFTEN)
    return minutes


NEVER_LEFT_OUT = {"auth.users": "no user can be created", "auth.identities": "nobody keeps an account at a provider"}
"""By table, what comes of a night without it."""


def _without_people(tables: tuple[str, ...]) -> tuple[str, ...]:
    for table, consequence in NEVER_LEFT_OUT.items():
        if table in tables:
            raise PydanticCustomError("said", f"names {table}, without which {consequence}; remove it from the list")
    return tables


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Slack(_Section):
    channel: Annotated[Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{2,}$")] | None, _SAME] = None
    """The id of the one channel, not its name: a name can be given to another channel."""


class Approvers(_Section):
    users: Annotated[tuple[Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,}$")], ...], _STRICTER] = ()
    groups: Annotated[tuple[Annotated[str, Field(pattern=r"^S[A-Z0-9]{2,}$")], ...], _STRICTER] = ()
    """User groups, asked for their members at the moment somebody speaks."""
    deny_same_person: Annotated[bool, _STRICTER] = False


class Run(_Section):
    start: Annotated[Literal["now", "on-word"], _KEPT] = "now"
    ephemeral_ok: Annotated[bool, _NOW] = False


class Url(_Section):
    """An address that must answer with this status, and with this text where one is given."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$", description="an http(s) address")]
    status: Annotated[int, Field(ge=100, le=599)] = 200
    text: str = ""


def _read(value: object) -> object:
    """From the environment it comes as JSON."""
    return json.loads(value) if isinstance(value, str) else value


Checklist = Annotated[
    dict[str, Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=20), BeforeValidator(_read)
]


class Checkpoint(_Section):
    approvals: Annotated[int, Field(ge=1, le=9), _STRICTER] = 1
    checklist: Annotated[Checklist, Field(description="table of key and text, up to 20"), _KEPT] = {}
    """By key, what people tick before the checkpoint is put on offer."""


class Live(Checkpoint):
    urls: Annotated[
        tuple[Url, ...], Field(description="list of tables: url, status, text"), BeforeValidator(_read), _NOW
    ] = ()
    """What must answer, asked from here."""


class Stable(Checkpoint):
    hours: Annotated[int, Field(ge=0, le=8760), _NOW] = 48
    """How long the new system must have been live."""


class Checkpoints(BaseModel):
    """By the name of the gate; a team's own gates are further keys."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Checkpoint]

    environment: Checkpoint = Checkpoint()
    readiness: Checkpoint = Checkpoint()
    freeze: Checkpoint = Checkpoint()
    export: Checkpoint = Checkpoint()
    users: Checkpoint = Checkpoint()
    live: Live = Live()
    stable: Stable = Stable()

    @property
    def each(self) -> Mapping[str, Checkpoint]:
        """Own gates too; one that is not named has what every gate has."""
        return defaultdict(Checkpoint, self)


class OwnGate(_Section):
    name: str
    after: str
    signal: str
    claim: str
    title: Annotated[str, Field(max_length=60)] = ""
    checklist: Checklist = {}


class Plan(_Section):
    gates: Annotated[tuple[str, ...], _KEPT] = DEFAULT_NAMES
    own: Annotated[
        tuple[OwnGate, ...],
        Field(description="list of tables: name, after, signal, claim, title, checklist"),
        _KEPT,
    ] = ()


class Freeze(_Section):
    mode: Annotated[Literal["people", "bot"], _KEPT] = "people"
    quiet_seconds: Annotated[float, Field(ge=1, le=600), _NOW] = 10
    hold_locks: Annotated[bool, _KEPT] = False
    notice_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$"), _NOW] = ""
    notice_text: Annotated[str, _NOW] = ""


class Export(_Section):
    workers: Annotated[int, Field(ge=1, le=32), _NOW] = 4
    include_schemas: Annotated[tuple[str, ...], _KEPT] = ()
    """Only these, when any is named; the users' tables are always exported."""
    exclude_tables: Annotated[tuple[str, ...], AfterValidator(_without_people), _KEPT] = ()
    """As `schema.table`."""


class Users(_Section):
    mode: Annotated[Literal["create", "match", "dry-run"], _KEPT] = "create"
    concurrency: Annotated[int, Field(ge=1, le=64), _NOW] = 16
    verify: Annotated[Literal["all", "sample"], _KEPT] = "all"
    """Whether everybody is compared field by field, or 1,000 and everyone matched, updated or listed."""
    accept: Annotated[tuple[str, ...], _KEPT] = ()
    retain_days: Annotated[int, Field(ge=1, le=3650), _KEPT] = 90


class Window(_Section):
    minutes: Annotated[int, Field(ge=1, le=100_000), _KEPT] = 480


class Reminders(_Section):
    minutes: Annotated[float, Field(ge=0, le=525_600, description=OFTEN), AfterValidator(_often), _NOW] = 15


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        case_sensitive=False,
        env_ignore_empty=True,
    )

    slack_bot_token: Annotated[_Secret, Field(validation_alias="SLACK_BOT_TOKEN"), _NOW] = None
    slack_app_token: Annotated[_Secret, Field(validation_alias="SLACK_APP_TOKEN"), _NOW] = None
    slack_signing_secret: Annotated[_Secret, Field(validation_alias="SLACK_SIGNING_SECRET"), _NOW] = None
    port: Annotated[int | None, Field(validation_alias="PORT", ge=1, le=65535), _NOW] = None
    slack_api_url: Annotated[str, Field(validation_alias="SLACK_API_URL"), _NOW] = "https://slack.com/api/"
    supabase_db_url: Annotated[_Secret, Field(validation_alias="SUPABASE_DB_URL"), _SAME] = None
    supabase_url: Annotated[str | None, Field(validation_alias="SUPABASE_URL"), _SAME] = None
    supabase_service_role_key: Annotated[
        SecretStr | None, Field(validation_alias="SUPABASE_SERVICE_ROLE_KEY"), _NOW
    ] = None
    supabase_anon_key: Annotated[_Secret, Field(validation_alias="SUPABASE_ANON_KEY"), _NOW] = None
    stack_auth_project_id: Annotated[str | None, Field(validation_alias="STACK_AUTH_PROJECT_ID"), _SAME] = None
    stack_auth_secret_key: Annotated[_Secret, Field(validation_alias="STACK_AUTH_SECRET_KEY"), _NOW] = None
    stack_auth_api_url: Annotated[str, Field(validation_alias="STACK_AUTH_API_URL"), _NOW] = (
        "https://api.stack-auth.com"
    )
    stack_auth_publishable_key: Annotated[_Secret, Field(validation_alias="STACK_AUTH_PUBLISHABLE_KEY"), _NOW] = None
    canary_email: Annotated[_Secret, Field(validation_alias="CANARY_EMAIL"), _NOW] = None
    """Secret like the password, since it is a person's for all we know."""
    canary_password: Annotated[_Secret, Field(validation_alias="CANARY_PASSWORD"), _NOW] = None
    migration_data_dir: Annotated[
        Path, AfterValidator(at_home), Field(validation_alias="MIGRATION_DATA_DIR"), _SAME
    ] = Path("migration-data")

    slack: Slack = Slack()
    approvers: Approvers = Approvers()
    run: Run = Run()
    checkpoints: Checkpoints = Checkpoints()
    plan: Plan = Plan()
    freeze: Freeze = Freeze()
    export: Export = Export()
    users: Users = Users()
    window: Window = Window()
    reminders: Reminders = Reminders()

    OTHER_NAMES: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "SUPABASE_SECRET_KEY": "SUPABASE_SERVICE_ROLE_KEY",
            "SUPABASE_PUBLISHABLE_KEY": "SUPABASE_ANON_KEY",
            "HEXCLAVE_PROJECT_ID": "STACK_AUTH_PROJECT_ID",
            "HEXCLAVE_SECRET_SERVER_KEY": "STACK_AUTH_SECRET_KEY",
            "HEXCLAVE_API_URL": "STACK_AUTH_API_URL",
        }
    )
    """By the services' newer name for it, the name of a setting."""

    SECTIONS: ClassVar[tuple[str, ...]] = (
        "slack",
        "approvers",
        "run",
        "checkpoints",
        "plan",
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


def _password_in(dsn: str) -> tuple[str, ...]:
    """The password of a connection string, as it is there and as it is meant; () when there is none to be seen."""
    if (found := re.search(r"://[^:/@]*:(.*)@", dsn)) is not None:
        return (found[1], unquote(found[1])) if found[1] else ()
    pair = re.search(r"\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))", dsn)
    written = (pair[1] or pair[2] or "") if pair is not None else ""
    return (written, re.sub(r"\\(.)", r"\1", written)) if written else ()


def secret(value: SecretStr | None) -> str:
    """What is in it; "" where it is not set."""
    return value.get_secret_value() if value is not None else ""
