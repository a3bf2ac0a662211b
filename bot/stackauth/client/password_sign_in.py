"""Signing in with a password, as an app's client does it: with the project's publishable key and no secret."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from bot import web
from bot.stackauth.client import responses
from bot.stackauth.client.errors import SERVICE
from bot.stackauth.client.models import decoded

_SIGN_IN = "/api/v1/auth/password/sign-in"


@dataclass(frozen=True, kw_only=True)
class SignInAnswer:
    """`user_id` is whom the service let in; else `code` is its known error, "" for a refusal without one."""

    user_id: str | None
    status: int
    code: str = ""


async def sign_in(
    base_url: str, project_id: str, publishable_key: str, *, email: str, password: str, timeout_seconds: float = 30
) -> SignInAnswer:
    """Raises RateLimited, ServiceUnreachable, ServiceRefused (a redirect) and NoClient; a refusal is an answer."""
    headers = {
        "x-stack-access-type": "client",
        "x-stack-project-id": project_id,
        "x-stack-publishable-client-key": publishable_key,
    }
    url = base_url.rstrip("/") + _SIGN_IN
    timeout = httpx.Timeout(timeout_seconds, connect=10)
    async with web.client(SERVICE, base_url, headers=headers, timeout=timeout) as client:
        try:
            answer = await client.post(url, json={"email": email, "password": password})
        except httpx.HTTPError as error:
            raise responses.failure(error, reads=True) from None
    if answer.status_code in {408, 429} or answer.status_code >= 500:
        responses.raise_for(answer, reads=True)
    user_id = _user_id(answer)
    if answer.is_success and user_id is not None:
        return SignInAnswer(user_id=user_id, status=answer.status_code)
    return SignInAnswer(user_id=None, status=answer.status_code, code=responses.error_code(answer))


def _user_id(answer: httpx.Response) -> str | None:
    try:
        body = decoded(answer)
    except (ValueError, RecursionError):
        return None
    user_id = body.get("user_id") if isinstance(body, dict) else None
    return user_id if isinstance(user_id, str) else None
