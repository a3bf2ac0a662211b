"""What an answer of Stack Auth means. Nothing is sent here.

    2xx in the promised form                  the value
    429                                       RateLimited; nothing happened
    no connection                             ServiceUnreachable; nothing happened
    5xx, 408, dropped, timed out              OutcomeUnknown for a request that changes something, ServiceUnreachable
                                              for one that reads
    a refusal of key, project or settings     ServiceRefused; the fix is for a person
    any other 4xx                             RequestRefused, by its meaning; the fix is in the request

Refusals are told apart by the service's code where there is one, else by the few plain texts that are part of its
behaviour. No text of an answer, no address and no hash ever stands in an exception: not even a cause is kept, since
an HTTP library's exception carries the request.
"""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx
import orjson
from pydantic import BaseModel, ConfigDict

from bot import obstacles
from bot.errors import (
    CredentialRefused,
    CutoverError,
    OutcomeUnknown,
    ServiceRefused,
    ServiceUnintelligible,
    ServiceUnreachable,
)
from bot.web import LARGEST_ANSWER, AnswerTooLarge, Service, why

_NOTHING = "nothing was changed by this request"
SERVICE = Service(
    "Stack Auth",
    "STACK_AUTH_API_URL",
    unchanged=_NOTHING,
    no_client=obstacles.STACK_AUTH_CLIENT,
    redirect=obstacles.STACK_AUTH_ANSWER,
)

_EMAIL_TAKEN = {"USER_EMAIL_ALREADY_EXISTS", "CONTACT_CHANNEL_ALREADY_USED_FOR_AUTH_BY_SOMEONE_ELSE"}
_WRONG_PROJECT = {"CURRENT_PROJECT_NOT_FOUND", "ACCESS_TYPE_WITHOUT_PROJECT_ID", "BRANCH_DOES_NOT_EXIST"}
_WRONG_KEY = {
    "INVALID_SECRET_SERVER_KEY",
    "SERVER_AUTHENTICATION_REQUIRED",
    "INSUFFICIENT_ACCESS_TYPE",
    "ACCESS_TYPE_REQUIRED",
    "PROJECT_KEY_WITHOUT_ACCESS_TYPE",
    "INVALID_ACCESS_TYPE",
}
_NO_PROVIDER = re.compile(r"OAuth provider (\S{1,64}) not found")

Meaning = Literal["email-taken", "magic-link-off", "not-there", "not-accepted"]


class RateLimited(ServiceUnreachable):
    """Too many requests, and nothing happened. `retry_after` is in seconds, None when the service did not say."""

    def __init__(self, retry_after: float | None) -> None:
        happened, do = "Stack Auth asks for fewer requests (429)", "wait a minute, then go on"
        super().__init__(happened, unchanged=_NOTHING, do=do, obstacle=obstacles.STACK_AUTH_LIMITED)
        self.retry_after = retry_after


class RequestRefused(ServiceRefused):
    """This request was understood and refused; another one may pass."""

    def __init__(self, meaning: Meaning, status: int) -> None:
        super().__init__(
            f"Stack Auth refused a request ({status}, {meaning})",
            unchanged=_NOTHING,
            do="look at the user that it was about",
            obstacle=obstacles.STACK_AUTH_ANSWER,
        )
        self.meaning: Meaning = meaning


class NoAnswer(OutcomeUnknown):
    """Something that changes a user was sent, and no answer came that can be trusted.

    `ended` is True when the service itself said that it had failed, so that nothing can still be under way there.
    """

    def __init__(self, what: str, *, ended: bool) -> None:
        super().__init__(
            f"Stack Auth did not say what became of a request ({what})",
            unchanged="whether it had its effect is not known",
            do="go on: the bot looks at the service's own list before it sends anything again",
        )
        self.ended = ended


class TooLarge(ServiceUnintelligible):
    """An answer of which no more is read than may be one."""


class OauthAccount(BaseModel):
    """`id` names the provider as the project does; `account_id` is the provider's id of the person."""

    model_config = ConfigDict(frozen=True)

    id: str
    account_id: str
    email: str | None = None


class User(BaseModel):
    """What the service tells of a user, as far as we build on it. Times are milliseconds since 1970, its own clock."""

    model_config = ConfigDict(frozen=True)

    id: str
    signed_up_at_millis: int
    primary_email: str | None
    primary_email_verified: bool
    primary_email_auth_enabled: bool
    display_name: str | None
    profile_image_url: str | None
    has_password: bool
    otp_auth_enabled: bool
    client_metadata: Any
    server_metadata: Any
    oauth_providers: tuple[OauthAccount, ...]
    is_anonymous: bool
    requires_totp_mfa: bool = False
    last_active_at_millis: int = 0
    restricted_by_admin: bool = False
    restricted_by_admin_reason: str | None = None
    selected_team_id: str | None = None
    selected_team: Any = None

    @property
    def has_personal_team(self) -> bool:
        """As the service makes it at sign-up, where the project says so: named after the user, and selected."""
        name = self.selected_team.get("display_name") if isinstance(self.selected_team, dict) else None
        whose = self.display_name or self.primary_email
        return bool(name == ("Personal Team" if whose is None else f"{whose}'s Team"))


class _Enabled(BaseModel):
    id: str


class _Config(BaseModel):
    credential_enabled: bool
    magic_link_enabled: bool
    enabled_oauth_providers: tuple[_Enabled, ...]


class Project(BaseModel):
    """What the project lets people sign in with. Source: packages/stack-shared/src/interface/crud/projects.ts."""

    model_config = ConfigDict(frozen=True)

    config: _Config

    @property
    def takes_passwords(self) -> bool:
        return self.config.credential_enabled

    @property
    def takes_magic_links(self) -> bool:
        return self.config.magic_link_enabled

    @property
    def providers(self) -> frozenset[str]:
        return frozenset(provider.id for provider in self.config.enabled_oauth_providers)


class Pagination(BaseModel):
    next_cursor: str | None


class Page(BaseModel):
    items: tuple[User, ...]
    pagination: Pagination


def retry_after_seconds(value: str | None, answered_at: str | None) -> float | None:
    """Of a Retry-After header: seconds, or an HTTP date, counted from the same answer's Date so that our clock does
    not matter. None when it does not say.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at, now = parsedate_to_datetime(value), parsedate_to_datetime(answered_at or "")
            seconds = (at - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return seconds if 0 <= seconds < float("inf") else None


def user_in(response: httpx.Response, *, reads: bool) -> User:
    try:
        return User.model_validate(_json(response))
    except (ValueError, RecursionError):
        if reads:
            raise unintelligible("a user") from None
        raise NoAnswer("an answer in another form than promised", ended=True) from None


def page_in(response: httpx.Response) -> Page:
    try:
        return Page.model_validate(_json(response))
    except (ValueError, RecursionError):
        raise unintelligible("a list of users") from None


def project_in(response: httpx.Response) -> Project:
    try:
        return Project.model_validate(_json(response))
    except (ValueError, RecursionError):
        raise unintelligible("a project") from None


def _json(response: httpx.Response) -> Any:
    """People write their own metadata: pydantic's parser, a little faster still, gives up at 200 levels."""
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:  # which also refuses half a surrogate pair, though it is JSON
        return json.loads(response.content)


def failure(error: httpx.HTTPError, *, reads: bool) -> CutoverError:
    """What it means that no answer came."""
    what = why(error)
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.ProxyError():
            return _unreachable(what)
        case AnswerTooLarge() if reads:
            return TooLarge(
                f"Stack Auth gave an answer that is larger than {LARGEST_ANSWER >> 20} MiB",
                unchanged=_NOTHING,
                do="check that STACK_AUTH_API_URL is Stack Auth and not a page in front of it",
                obstacle=obstacles.STACK_AUTH_ANSWER,
            )
        case httpx.UnsupportedProtocol():
            return _refused("The address of Stack Auth is no http or https address", "correct STACK_AUTH_API_URL")
        case _:
            return _unreachable(what) if reads else NoAnswer(what, ended=False)


def raise_for(response: httpx.Response, *, reads: bool) -> None:
    """Returns for a 2xx alone."""
    status = response.status_code
    if 200 <= status < 300:
        return
    if status == 429:
        raise RateLimited(retry_after_seconds(response.headers.get("retry-after"), response.headers.get("date")))
    if status >= 500 or status == 408:
        if reads:
            raise _unreachable(f"HTTP {status}")
        # Only the service itself marks its answers; an edge that gave up says nothing about what goes on behind it.
        raise NoAnswer(f"HTTP {status}", ended=status == 500 and "x-stack-request-id" in response.headers)
    code = _code(response)
    if code in _WRONG_KEY:
        raise CredentialRefused(
            f"Stack Auth does not accept the secret key ({code})",
            unchanged=_NOTHING,
            do="check STACK_AUTH_SECRET_KEY: a secret server key (ssk_…) of this project that was not revoked",
            obstacle=obstacles.STACK_AUTH_SETTINGS,
        )
    if code in _WRONG_PROJECT:
        raise _refused(
            f"Stack Auth does not know the project ({code})", "check STACK_AUTH_PROJECT_ID and STACK_AUTH_API_URL"
        )
    if code in _EMAIL_TAKEN:
        raise RequestRefused("email-taken", status)
    if code == "USER_NOT_FOUND":
        raise RequestRefused("not-there", status)
    if not code:
        _raise_for_plain_text(response)
    if status in {404, 405} and not code:
        raise _refused(
            f"What answers at the address of Stack Auth is not its users API (HTTP {status})",
            "check STACK_AUTH_API_URL: the base address, without /api/v1",
        )
    if status == 401:
        raise CredentialRefused(
            "Stack Auth does not accept the secret key (HTTP 401)",
            unchanged=_NOTHING,
            do="check STACK_AUTH_SECRET_KEY",
            obstacle=obstacles.STACK_AUTH_SETTINGS,
        )
    raise RequestRefused("not-accepted", status)


def _raise_for_plain_text(response: httpx.Response) -> None:
    """Settings of the project have no codes: these texts are what the service tells them by."""
    text = response.text[:200]
    if text.startswith("Password auth not enabled"):
        raise _refused(
            "Password sign-in is off in the Stack Auth project, and without it no password can be carried over",
            "switch on e-mail and password sign-in in the project's auth methods",
        )
    if text.startswith("OTP auth not enabled"):
        raise RequestRefused("magic-link-off", response.status_code)
    if (found := _NO_PROVIDER.match(text)) is not None:
        provider = found.group(1) if re.fullmatch(r"[a-z0-9_-]+", found.group(1)) else "that is asked for"
        raise _refused(
            f"The sign-in provider {provider} is not set up in the Stack Auth project, and users sign in with it",
            "add it to the project's auth methods (shared keys will do for now): an identity cannot be added later",
        )


def _code(response: httpx.Response) -> str:
    """The known error's code; "" for a plain refusal."""
    try:
        body = _json(response)
    except (ValueError, RecursionError):
        return ""
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[A-Z0-9_]{1,100}", code) else ""


def _unreachable(what: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"Stack Auth could not be reached ({what})",
        unchanged=_NOTHING,
        do="check the network, STACK_AUTH_API_URL and the service's status page",
        obstacle=obstacles.STACK_AUTH_AWAY,
    )


def _refused(happened: str, do: str) -> ServiceRefused:
    return ServiceRefused(happened, unchanged=_NOTHING, do=do, obstacle=obstacles.STACK_AUTH_SETTINGS)


def unintelligible(what: str) -> ServiceUnintelligible:
    return ServiceUnintelligible(
        f"Stack Auth answered something else than {what}",
        unchanged=_NOTHING,
        do="check that STACK_AUTH_API_URL is Stack Auth and not a page in front of it",
        obstacle=obstacles.STACK_AUTH_ANSWER,
    )
