"""What a command needs, and what is wrong with a value that has the right type. Nothing is contacted.

`names` says under which of its names a setting was given, so that the sentence names what its reader has written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from bot import project_ref
from bot.loopback import is_this_machine
from bot.placeholders import is_placeholder, names_no_host
from bot.plan.compose import PlanRefused
from bot.plan.quorum import people_needed
from bot.settings.planned import plan_of
from bot.settings.shape import Settings

Need = Literal["slack", "source", "source_api", "target"]

_PUT_IN: Mapping[str, str] = {
    "SLACK_BOT_TOKEN": "the Bot User OAuth Token of the app (xoxb-…, under OAuth & Permissions)",
    "SLACK_APP_TOKEN": "an app-level token with the scope connections:write (xapp-…, under Basic Information)",
    "SLACK_SIGNING_SECRET": "the signing secret of the app (Basic Information)",
    "SUPABASE_SERVICE_ROLE_KEY": "the secret key (or legacy service_role key)",
    "SUPABASE_ANON_KEY": "the publishable key (or legacy anon key)",
    "STACK_AUTH_PROJECT_ID": "the project's id, from the address of its dashboard",
    "STACK_AUTH_SECRET_KEY": "the project's secret server key (ssk_…)",
    "STACK_AUTH_PUBLISHABLE_KEY": "the project's publishable client key (pck_…)",
    "CANARY_EMAIL": "the address of a user of Supabase made for this",
}
"""By setting, what it takes."""
_PREFIXES: Mapping[str, str] = {"SLACK_BOT_TOKEN": "xoxb-", "SLACK_APP_TOKEN": "xapp-"}
_OTHER_KEYS: Mapping[str, Mapping[str, str]] = {
    "SUPABASE_SERVICE_ROLE_KEY": {"sb_publishable_": "a publishable key"},
    "SUPABASE_ANON_KEY": {"sb_secret_": "a secret key"},
    "STACK_AUTH_SECRET_KEY": {"pck_": "a publishable client key", "sak_": "a super secret admin key"},
    "STACK_AUTH_PUBLISHABLE_KEY": {"ssk_": "a secret server key", "sak_": "a super secret admin key"},
}
"""By setting and by its beginning, which other key of the same project is not that one."""
_ROLES: Mapping[str, str] = {"SUPABASE_SERVICE_ROLE_KEY": "service_role", "SUPABASE_ANON_KEY": "anon"}
"""What a legacy key of the setting says of itself."""
_ADDRESSES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "SUPABASE_URL": (
        "https://PROJECT-REF.supabase.co",
        ("/rest/v1", "/auth/v1", "/storage/v1", "/functions/v1", "/dashboard", "/project"),
    ),
    "STACK_AUTH_API_URL": ("https://api.stack-auth.com", ("/api/v1", "/api", "/projects")),
    "SLACK_API_URL": ("https://slack.com/api/", ()),
}
"""By setting, how its address looks, and the paths that are known not to belong to it."""


def missing_or_wrong(settings: Settings, needs: frozenset[Need], names: Mapping[str, str]) -> Iterator[str]:
    """Every mistake, as a clause that begins with the setting."""
    if "slack" in needs:
        yield from _slack(settings)
    if "source" in needs:
        yield from _without(settings, "supabase_db_url")
        yield from _not_dsn(settings.supabase_db_url)
    if "source_api" in needs:
        yield from _without(settings, "supabase_url", "supabase_service_role_key")
        yield from _wrong_address("SUPABASE_URL", settings.supabase_url)
        yield from _wrong_key("SUPABASE_SERVICE_ROLE_KEY", settings.supabase_service_role_key, names)
        yield from _wrong_key("SUPABASE_ANON_KEY", settings.supabase_anon_key, names)
        yield from _several_projects(settings, names)
    if "target" in needs:
        yield from _without(settings, "stack_auth_project_id", "stack_auth_secret_key")
        yield from _placeholder("STACK_AUTH_PROJECT_ID", settings.stack_auth_project_id, names)
        yield from _wrong_address(names.get("STACK_AUTH_API_URL", "STACK_AUTH_API_URL"), settings.stack_auth_api_url)
        yield from _wrong_key("STACK_AUTH_SECRET_KEY", settings.stack_auth_secret_key, names)
        yield from _wrong_key("STACK_AUTH_PUBLISHABLE_KEY", settings.stack_auth_publishable_key, names)
        yield from _half_a_canary(settings)


def _half_a_canary(settings: Settings) -> Iterator[str]:
    if (settings.canary_email is None) != (settings.canary_password is None):
        missing, there = (
            ("CANARY_PASSWORD", "CANARY_EMAIL") if settings.canary_email else ("CANARY_EMAIL", "CANARY_PASSWORD")
        )
        yield f"{missing} is missing, and {there} is set: a canary takes both"
    yield from _wrong_key("CANARY_EMAIL", settings.canary_email, {})


def _slack(settings: Settings) -> Iterator[str]:
    yield from _without(settings, "slack_bot_token")
    if settings.slack_app_token is None and (settings.slack_signing_secret is None or settings.port is None):
        yield "SLACK_APP_TOKEN is missing (or, for HTTP, SLACK_SIGNING_SECRET and PORT)"
    yield from _wrong_key("SLACK_BOT_TOKEN", settings.slack_bot_token, {})
    yield from _wrong_key("SLACK_APP_TOKEN", settings.slack_app_token, {})
    yield from _wrong_key("SLACK_SIGNING_SECRET", settings.slack_signing_secret, {})
    if settings.slack.channel is None:
        yield "slack.channel is missing"
    elif is_placeholder(settings.slack.channel):
        yield IN_PLACE["slack.channel"]
    for name in ("users", "groups"):
        if any(is_placeholder(listed) for listed in getattr(settings.approvers, name)):
            yield IN_PLACE[f"approvers.{name}"]
    yield from _too_few(settings)
    yield from _wrong_address("SLACK_API_URL", settings.slack_api_url)


IN_PLACE: Mapping[str, str] = {
    "slack.channel": "slack.channel still holds a placeholder; put in the channel's ID, from the end of its details",
    "approvers.users": "approvers.users still holds a placeholder; put in user IDs, each from the menu of a profile",
    "approvers.groups": "approvers.groups still holds a placeholder; put in user group IDs, from the group's address",
}
"""Of a key in which a placeholder was left, by its name."""


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


# -- keys -------------------------------------------------------------------------------------------------------------


def _wrong_key(setting: str, secret: SecretStr | None, names: Mapping[str, str]) -> Iterator[str]:
    if secret is None:
        return
    value = secret.get_secret_value()
    if is_placeholder(value):
        yield from _placeholder(setting, value, names)
        return
    prefix = _PREFIXES.get(setting, "")
    if not value.startswith(prefix):
        yield f"{setting} does not begin with {prefix}; put in {_PUT_IN[setting]}"
    for beginning, what in _OTHER_KEYS.get(setting, {}).items():
        if value.startswith(beginning):
            yield f"{names.get(setting, setting)} holds {what} ({beginning}…) and takes {_PUT_IN[setting]}"
    role = project_ref.claim(value, "role")
    if setting in _ROLES and role is not None and role != _ROLES[setting]:
        what = f"the {role} key" if role in _ROLES.values() else "a key of another role"
        yield f"{names.get(setting, setting)} holds {what} and takes {_PUT_IN[setting]}"


def _placeholder(setting: str, value: str | None, names: Mapping[str, str]) -> Iterator[str]:
    if value is not None and is_placeholder(value):
        yield f"{names.get(setting, setting)} still holds a placeholder; put in {_PUT_IN[setting]}"


def _several_projects(settings: Settings, names: Mapping[str, str]) -> Iterator[str]:
    """What names a project, names one and the same."""
    keys = {
        "SUPABASE_SERVICE_ROLE_KEY": settings.supabase_service_role_key,
        "SUPABASE_ANON_KEY": settings.supabase_anon_key,
    }
    found = {"SUPABASE_DB_URL": _ref_in_dsn(settings.supabase_db_url)}
    url = settings.supabase_url or ""
    found["SUPABASE_URL"] = None if names_no_host(url) else project_ref.host_ref(url)
    for setting, key in keys.items():
        found[names.get(setting, setting)] = project_ref.claim(key.get_secret_value(), "ref") if key else None
    wrong = project_ref.disagreement({setting: ref for setting, ref in found.items() if ref is not None})
    if wrong is not None:
        yield f"{wrong[0].upper()}{wrong[1:]}; {project_ref.ONE_PROJECT}"


# -- addresses --------------------------------------------------------------------------------------------------------


def _wrong_address(name: str, url: str | None) -> Iterator[str]:
    if url is None:
        return
    looks_like, strange_paths = _ADDRESSES.get(name, _ADDRESSES["STACK_AUTH_API_URL"])
    if names_no_host(url):
        yield f"{name} still holds a placeholder; write {looks_like}"
        return
    parts = _address(url)
    if parts is None:
        yield f"{name} is not an http(s) address; write {looks_like}"
        return
    if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
        yield f"{name} is an http:// address of another machine, which would be sent the key unencrypted; write https://"
    if parts.username is not None or parts.query or parts.fragment:
        yield f"{name} holds more than an address (a user, or something behind ? or #); write {looks_like}"
    path = parts.path.rstrip("/")
    known = next((strange for strange in strange_paths if f"{path}/".startswith(f"{strange}/")), None)
    if known is not None or (path and name == "SUPABASE_URL"):
        shown = f" ({known}…)" if known is not None else ""
        yield f"{name} has a path{shown} behind the host; write the address without it, as in {looks_like}"
    if (
        name == "SUPABASE_URL"
        and (parts.hostname or "").startswith("db.")
        and project_ref.host_ref(url.replace("://db.", "://", 1))
    ):
        yield f"SUPABASE_URL names the database's host; write {looks_like}, without db. before the ref"


def _address(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if good else None


def _not_dsn(secret: SecretStr | None) -> Iterator[str]:
    if secret is None:
        return
    from bot.connection_string import check_dsn  # noqa: PLC0415  # brings psycopg along, which most commands do not need

    if (wrong := check_dsn(secret.get_secret_value())) is not None:
        yield f"SUPABASE_DB_URL {wrong}"


def _ref_in_dsn(secret: SecretStr | None) -> str | None:
    if secret is None:
        return None
    from bot.connection_string import ref_in  # noqa: PLC0415  # as above

    return ref_in(secret.get_secret_value())
