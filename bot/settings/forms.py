"""What a command needs, and what is wrong with a value that has the right type. Nothing is contacted.

`names` says under which of its names a setting was given, so that the sentence names what its reader has written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.loopback import is_this_machine
from bot.plan.compose import PlanRefused
from bot.plan.quorum import people_needed
from bot.settings.planned import plan_of
from bot.settings.shape import Settings

Need = Literal["slack", "source", "source_api", "target"]


def missing_or_wrong(settings: Settings, needs: frozenset[Need], names: Mapping[str, str]) -> Iterator[str]:
    """Every mistake, as a clause that begins with the setting."""
    if "slack" in needs:
        yield from _slack(settings)
    if "source" in needs:
        yield from _without(settings, "supabase_db_url")
        yield from _not_dsn("SUPABASE_DB_URL", settings.supabase_db_url)
    if "source_api" in needs:
        yield from _without(settings, "supabase_url", "supabase_service_role_key")
        yield from _not_web("SUPABASE_URL", settings.supabase_url)
        yield from _another_key("SUPABASE_SERVICE_ROLE_KEY", settings.supabase_service_role_key, names)
        yield from _another_key("SUPABASE_ANON_KEY", settings.supabase_anon_key, names)
    if "target" in needs:
        yield from _without(settings, "stack_auth_project_id", "stack_auth_secret_key")
        yield from _not_web(names.get("STACK_AUTH_API_URL", "STACK_AUTH_API_URL"), settings.stack_auth_api_url)
        yield from _another_key("STACK_AUTH_SECRET_KEY", settings.stack_auth_secret_key, names)
        yield from _another_key("STACK_AUTH_PUBLISHABLE_KEY", settings.stack_auth_publishable_key, names)
        yield from _half_a_canary(settings)


def _half_a_canary(settings: Settings) -> Iterator[str]:
    if (settings.canary_email is None) != (settings.canary_password is None):
        missing, there = (
            ("CANARY_PASSWORD", "CANARY_EMAIL") if settings.canary_email else ("CANARY_EMAIL", "CANARY_PASSWORD")
        )
        yield f"{missing} is missing, and {there} is set: a canary takes both"


def _slack(settings: Settings) -> Iterator[str]:
    yield from _without(settings, "slack_bot_token")
    if settings.slack_app_token is None and (settings.slack_signing_secret is None or settings.port is None):
        yield "SLACK_APP_TOKEN is missing (or, for HTTP, SLACK_SIGNING_SECRET and PORT)"
    yield from _prefixed("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-")
    yield from _prefixed("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-")
    if settings.slack.channel is None:
        yield "slack.channel is missing"
    yield from _too_few(settings)
    yield from _not_web("SLACK_API_URL", settings.slack_api_url)


def _too_few(settings: Settings) -> Iterator[str]:
    """Who may open a gate, when there are not enough to open every one. How many a group has is asked at the gate."""
    users, groups = settings.approvers.users, settings.approvers.groups
    if not users and not groups:
        yield "approvers.users and approvers.groups are empty, and without an approver no gate could ever open"
        return
    if groups:
        return
    there = len(set(users))
    try:
        plan = plan_of(settings)
    except PlanRefused:  # which is said by itself
        return
    approvals = {gate.name: settings.checkpoints.each[gate.name].approvals for gate in plan.gates}
    alone = [name for name, needed in approvals.items() if needed > there]
    yield from (f"checkpoints.{name}.approvals asks for more approvers than approvers.users names" for name in alone)
    needed = people_needed(plan, approvals, deny_same_person=settings.approvers.deny_same_person)
    if needed > there and not alone:
        yield (
            f"approvers.users names {_people(there)}, and with approvers.deny_same_person the gates together take "
            f"{needed}, since whoever opens all the others may not open the last"
        )


def _people(count: int) -> str:
    return "one person" if count == 1 else f"{count} people"


def _without(settings: Settings, *fields: str) -> Iterator[str]:
    yield from (f"{field.upper()} is missing" for field in fields if getattr(settings, field) is None)


def _prefixed(name: str, secret: SecretStr | None, prefix: str) -> Iterator[str]:
    if secret is not None and not secret.get_secret_value().startswith(prefix):
        yield f"{name} does not begin with {prefix}"


_SECRET = "the secret key (or legacy service_role key)"  # noqa: S105
_PUBLISHABLE = "the publishable key (or legacy anon key)"
_SERVER = "the project's secret server key (ssk_…)"
_CLIENT = "the project's publishable client key (pck_…)"
_OTHERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "SUPABASE_SERVICE_ROLE_KEY": (_SECRET, {"sb_publishable_": "a publishable key"}),
    "SUPABASE_ANON_KEY": (_PUBLISHABLE, {"sb_secret_": "a secret key"}),
    "STACK_AUTH_SECRET_KEY": (_SERVER, {"pck_": "a publishable client key", "sak_": "a super secret admin key"}),
    "STACK_AUTH_PUBLISHABLE_KEY": (
        _CLIENT,
        {"ssk_": "a secret server key", "sak_": "a super secret admin key"},
    ),
}
"""By setting, what it takes, and by its beginning which other key of the same project is not that one."""


def _another_key(setting: str, secret: SecretStr | None, names: Mapping[str, str]) -> Iterator[str]:
    takes, others = _OTHERS[setting]
    for beginning, what in others.items():
        if secret is not None and secret.get_secret_value().startswith(beginning):
            yield f"{names.get(setting, setting)} holds {what} ({beginning}…) and takes {takes}"


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
    elif parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
        yield f"{name} is an http:// address of another machine, which would be sent the key unencrypted; write https://"


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
