"""Which value or error a response of Stack Auth is. Nothing is sent here.

    2xx in the promised form                  the value
    429                                       RateLimited; nothing happened
    no connection                             ServiceUnreachable; nothing happened
    5xx, 408, dropped, timed out              NoAnswer for a request that changes something, ServiceUnreachable for one
                                              that reads
    a refusal of key, project or settings     ServiceRefused; the fix is for a person
    any other 4xx                             RequestRefused, by its meaning; the fix is in the request

Refusals are told apart by the service's code where there is one, else by the few plain texts that are part of its
behaviour.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import httpx

from bot import obstacles
from bot.errors import CredentialRefused, CutoverError
from bot.stackauth.client.errors import (
    NOTHING_CHANGED,
    NoAnswer,
    RateLimited,
    RequestRefused,
    TooLarge,
    refused,
    unreachable,
)
from bot.stackauth.client.models import decoded
from bot.web import AnswerTooLarge, why

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


def failure(error: httpx.HTTPError, *, reads: bool) -> CutoverError:
    """What it means that no answer came."""
    what = why(error)
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.ProxyError():
            return unreachable(what)
        case AnswerTooLarge() if reads:
            return TooLarge()
        case httpx.UnsupportedProtocol():
            return refused("The address of Stack Auth is not an http or https address", "correct STACK_AUTH_API_URL")
        case _:
            return unreachable(what) if reads else NoAnswer(what, ended=False)


def raise_for(response: httpx.Response, *, reads: bool) -> None:
    """Returns for a 2xx alone."""
    status = response.status_code
    if 200 <= status < 300:
        return
    if status == 429:
        raise RateLimited(retry_after_seconds(response.headers.get("retry-after"), response.headers.get("date")))
    if status >= 500 or status == 408:
        if reads:
            raise unreachable(f"HTTP {status}")
        # Only the service itself marks its answers; an edge that gave up says nothing about what goes on behind it.
        raise NoAnswer(f"HTTP {status}", ended=status == 500 and "x-stack-request-id" in response.headers)
    code = error_code(response)
    if code in _WRONG_KEY:
        raise CredentialRefused(
            f"Stack Auth does not accept the secret key ({code})",
            unchanged=NOTHING_CHANGED,
            do="check STACK_AUTH_SECRET_KEY: a secret server key (ssk_…) of this project that was not revoked",
            obstacle=obstacles.STACK_AUTH_SETTINGS,
        )
    if code in _WRONG_PROJECT:
        raise refused(
            f"Stack Auth does not know the project ({code})", "check STACK_AUTH_PROJECT_ID and STACK_AUTH_API_URL"
        )
    if code in _EMAIL_TAKEN:
        raise RequestRefused("email-taken", status)
    if code == "USER_NOT_FOUND":
        raise RequestRefused("not-there", status)
    if not code:
        _raise_for_plain_text(response)
    if status in {404, 405} and not code:
        raise refused(
            f"STACK_AUTH_API_URL does not lead to the users API of Stack Auth (HTTP {status})",
            "set it to the base address, without /api/v1",
        )
    if status == 401:
        raise CredentialRefused(
            "Stack Auth does not accept the secret key (HTTP 401)",
            unchanged=NOTHING_CHANGED,
            do="check STACK_AUTH_SECRET_KEY",
            obstacle=obstacles.STACK_AUTH_SETTINGS,
        )
    raise RequestRefused("not-accepted", status)


def _raise_for_plain_text(response: httpx.Response) -> None:
    """Settings of the project have no codes: these texts are what the service tells them by."""
    text = response.text[:200]
    if text.startswith("Password auth not enabled"):
        raise refused(
            "Password sign-in is off in the Stack Auth project, so it takes no password",
            "switch on e-mail and password sign-in in the project's auth methods",
        )
    if text.startswith("OTP auth not enabled"):
        raise RequestRefused("magic-link-off", response.status_code)
    if (found := _NO_PROVIDER.match(text)) is not None:
        provider = found.group(1) if re.fullmatch(r"[a-z0-9_-]+", found.group(1)) else "a provider"
        raise refused(
            f"Users sign in with {provider}, which the Stack Auth project does not have",
            "add it to the project's auth methods (shared keys are enough for now): accounts cannot be added later",
        )


def error_code(response: httpx.Response) -> str:
    """The known error's code; "" for a plain refusal."""
    try:
        body = decoded(response)
    except (ValueError, RecursionError):
        return ""
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[A-Z0-9_]{1,100}", code) else ""
