"""Whether the canary signs in at Supabase with its password.

The canary is a user of the source made for this, whose password is in the settings. It signs in here days before the
night, and at Stack Auth once the users are there (`bot.stackauth.canary`): together these prove that a carried hash is
the hash of the password that people know.

Signing in writes in schema auth: a session, its tokens, the time of the last sign-in. So only `doctor` asks this, and
never while the source is frozen; the session is ended again. Neither address nor password is in a sentence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from bot import web
from bot.errors import CutoverError, ServiceUnreachable
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.database import Database
from bot.supabase.freeze.kit import GATE
from bot.supabase.freeze.layers import Layers, read_layers
from bot.web import Service

_CHECK = "canary-signs-in"
_SERVICE = Service("Supabase Auth", "SUPABASE_URL", unchanged="nothing was changed")
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_AGAIN = "Then run `cutover doctor` again."
_REFUSED: Mapping[str, tuple[str, str]] = {
    "invalid_credentials": (
        "Supabase does not accept the canary's address and password.",
        f"Correct CANARY_EMAIL and CANARY_PASSWORD, or set a new password for the canary in Supabase. {_AGAIN}",
    ),
    "email_not_confirmed": (
        "The canary's address is not confirmed, so Supabase lets nobody sign in with it.",
        f"Confirm the canary's address in Supabase, or choose a user whose address is confirmed. {_AGAIN}",
    ),
    "user_banned": (
        "The canary is banned in Supabase, so it cannot sign in.",
        f"Lift the canary's ban in Supabase, or choose another user. {_AGAIN}",
    ),
    "captcha_failed": (
        "Supabase asks for a captcha at each sign-in, which only a person can answer.",
        "Sign in as the canary in your app by hand, or switch the captcha off while `cutover doctor` runs.",
    ),
    "email_provider_disabled": (
        "Sign-in by e-mail and password is off in the Supabase project.",
        "Remove CANARY_EMAIL and CANARY_PASSWORD, if nobody signs in with a password; else switch it on.",
    ),
}
_BEFORE_AUTH = {502, 503, 504, *range(520, 528)}
"""What is in front of Auth says so when Auth does not answer."""
_LIMITED = {"over_request_rate_limit", "429"}


@dataclass(frozen=True, kw_only=True)
class Canary:
    """`anon_key` is "" where none is set."""

    email: str
    password: str
    url: str
    anon_key: str


def is_tried(canary: Canary | None) -> bool:
    """Whether there is what signing in takes; then the database is asked whether it is frozen."""
    return canary is not None and bool(canary.anon_key)


async def signs_in(database: Database, canary: Canary | None) -> AsyncIterator[Finding]:
    """The finding `canary-signs-in` of `doctor`. Raises ServiceError when Auth cannot be asked."""
    if canary is None:
        yield warned(
            _CHECK,
            "Not tried: no canary is set, so nothing will prove that people sign in with their old password.",
            "Make a user in Supabase for this, then set CANARY_EMAIL, CANARY_PASSWORD and STACK_AUTH_PUBLISHABLE_KEY.",
        )
        return
    if not canary.anon_key:
        fix = f"Set SUPABASE_ANON_KEY to the publishable key (or legacy anon key). {_AGAIN}"
        yield warned(_CHECK, "Not tried at Supabase: signing in takes the public key, which is not set.", fix)
        return
    try:
        async with database.session("doctor") as session:
            frozen = _is_frozen(await read_layers(session))
    except CutoverError as error:
        yield failed(_CHECK, f"Not tried, since whether Supabase is frozen is not known: {error.happened}.", error.do)
        return
    if frozen:
        fix = "Nothing: at the users gate the canary signs in at Stack Auth."
        yield warned(_CHECK, "Not tried at Supabase: it is frozen, and signing in writes.", fix)
        return
    yield await _tried(canary)


def _is_frozen(layers: Layers) -> bool:
    """Whatever is left of a freeze counts as one."""
    noted = layers.noted is not None and not layers.thawed
    return layers.sessions_frozen or layers.hook == GATE or noted


async def _tried(canary: Canary) -> Finding:
    headers = {"apikey": canary.anon_key}
    asked = {"email": canary.email, "password": canary.password}
    try:
        async with web.client(_SERVICE, canary.url, timeout=_TIMEOUT, headers=headers) as client:
            base = canary.url.rstrip("/") + "/auth/v1"
            answer = await client.post(f"{base}/token", params={"grant_type": "password"}, json=asked)
            body = _object(answer)
            if answer.is_success and isinstance(token := body.get("access_token"), str):
                await _sign_out(client, base, token)
                return _signed_in(body)
    except httpx.HTTPError as error:
        raise _away(web.why(error)) from error
    if answer.status_code in _BEFORE_AUTH:
        raise _away(f"HTTP {answer.status_code}")
    return _refused(answer.status_code, body)


def _away(why: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"Supabase Auth could not be reached ({why})",
        unchanged=_SERVICE.unchanged,
        do="look in the dashboard whether Auth is up, then run `cutover doctor` again",
    )


async def _sign_out(client: httpx.AsyncClient, base: str, token: str) -> None:
    """Ends the session that was made. Failing, it ends by itself."""
    try:
        await client.post(f"{base}/logout", params={"scope": "local"}, headers={"authorization": f"Bearer {token}"})
    except httpx.HTTPError:
        return


def _signed_in(body: Mapping[str, Any]) -> Finding:
    user = body.get("user")
    factors = user.get("factors") if isinstance(user, dict) else None
    if any(isinstance(factor, dict) and factor.get("status") == "verified" for factor in factors or ()):
        return passed(
            _CHECK,
            "The canary signs in at Supabase with its password. It has a second factor, so Stack Auth will ask for a "
            "code after the right password.",
        )
    return passed(_CHECK, "The canary signs in at Supabase with its password.")


def _refused(status: int, body: Mapping[str, Any]) -> Finding:
    code = _code(status, body)
    if code in _LIMITED:
        fix = f"Wait some minutes. {_AGAIN}"
        return warned(_CHECK, "Not tried at Supabase: it asks for fewer sign-ins now.", fix)
    if code in _REFUSED:
        return failed(_CHECK, *_REFUSED[code])
    if status == 401:
        fix = f"Copy the publishable key (or legacy anon key) of this project into SUPABASE_ANON_KEY. {_AGAIN}"
        return failed(_CHECK, "Supabase does not accept the key in SUPABASE_ANON_KEY.", fix)
    fix = f"Look into the logs of Auth in the dashboard. {_AGAIN}"
    return failed(_CHECK, f"Supabase did not sign the canary in ({status}, {code}).", fix)


def _code(status: int, body: Mapping[str, Any]) -> str:
    """As newer and older versions of Auth name it; the status where they do not."""
    for key in ("error_code", "code", "error"):
        if isinstance(code := body.get(key), str) and code.replace("_", "").isalnum() and len(code) <= 60:
            return "invalid_credentials" if code == "invalid_grant" else code
    return str(status)


def _object(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
