"""Signing in with a password, as an app's client does it: with the project's publishable key and no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx

from bot import web
from bot.stackauth.client import responses

_SIGN_IN = "/api/v1/auth/password/sign-in"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """`user_id` is whom the service let in; else `code` is its known error, "" for a refusal without one."""

    user_id: str | None
    status: int
    code: str = ""


async def sign_in(
    base_url: str, project_id: str, publishable_key: str, *, email: str, password: str, timeout_seconds: float = 30
) -> Answered:
    """Raises RateLimited, ServiceUnreachable, ServiceRefused (a redirect) and NoClient; a refusal is an answer."""
    headers = {
        "x-stack-access-type": "client",
        "x-stack-project-id": project_id,
        "x-stack-publishable-client-key": publishable_key,
    }
    url = base_url.rstrip("/") + _SIGN_IN
    timeout = httpx.Timeout(timeout_seconds, connect=10)
    async with web.client(responses.SERVICE, base_url, headers=headers, timeout=timeout) as client:
        try:
            answer = await client.post(url, json={"email": email, "password": password})
        except httpx.HTTPError as error:
            raise responses.failure(error, reads=True) from None
    if answer.status_code in {408, 429} or answer.status_code >= 500:
        responses.raise_for(answer, reads=True)
    told = _object(answer)
    user_id, code = told.get("user_id"), told.get("code")
    if answer.is_success and isinstance(user_id, str):
        return Answered(user_id=user_id, status=answer.status_code)
    known = isinstance(code, str) and re.fullmatch(r"[A-Z0-9_]{1,100}", code)
    return Answered(user_id=None, status=answer.status_code, code=str(code) if known else "")


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
