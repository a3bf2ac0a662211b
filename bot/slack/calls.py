"""The only way to Slack's Web API: how it is called, what its errors mean to us, and who we are there.

Every call goes through `asked` (reads; nothing can have changed) or `done` (writes). A write has three outcomes:

    done       Slack says ok
    refused    Slack names an error that it gives before it does anything        -> Refused (ServiceRefused)
    unknown    no answer, a broken one, or trouble on Slack's side, once sent    -> OutcomeUnknown

Not sent at all is ServiceUnreachable. Only what Slack rate-limits is sent again, by the library's own handler, since
a 429 says that nothing was done; the library's default handler would repeat a post that had been stored already.
Foreign error texts are dropped: an error's name is a code, and the sentences are ours.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot import web
from bot.errors import OutcomeUnknown, ServiceError, ServiceRefused, ServiceUnintelligible, ServiceUnreachable
from bot.slack.manifest import lacking
from bot.slack.payloads import AuthTest, Bot, Conversation

_TRY_AGAIN = "check the network and https://slack-status.com, then try again"
_NOTHING_CHANGED = "nothing was changed in Slack"
_Shape = TypeVar("_Shape", bound=BaseModel)


class _Discreet(logging.Filter):
    """What Slack's libraries say, without tokens, tickets, bodies of requests or traces. Neither the end of a
    connection that was closed on purpose nor that we gave Bolt a client instead of a token is worth a line.
    """

    _SECRET = re.compile(r"xox[a-z]-[\w-]+|xapp-[\w-]+|ticket=[^\s&'\"]+|v0=[0-9a-f]+")
    _NOISE = ("ConnectionClosedOK", "`token` will be unused")
    _LONGEST = 300

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            said = f"{said} [{record.exc_info[0].__name__}]"
        record.msg, record.args = self._SECRET.sub("[removed]", said)[: self._LONGEST], ()
        record.exc_info = record.exc_text = None
        return not any(noise in said for noise in self._NOISE)


LIBRARY_LOG = logging.getLogger("cutover.slack.library")
"""Where Bolt and slack_sdk log. The level is its own, not the root's: below WARNING they print whole frames."""
LIBRARY_LOG.setLevel(logging.WARNING)
LIBRARY_LOG.addFilter(_Discreet())


class Troubled(OutcomeUnknown):
    """Slack answered that it is in trouble; `code` is its name for that. Nobody knows whether the write was done."""

    def __init__(self, code: str, happened: str, *, unchanged: str, do: str) -> None:
        super().__init__(happened, unchanged=unchanged, do=do)
        self.code = code


class Refused(ServiceRefused):
    """`code` is Slack's name for the error."""

    def __init__(self, code: str, happened: str, *, do: str) -> None:
        super().__init__(happened, unchanged=_NOTHING_CHANGED, do=do)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who the bot is in its workspace. `scopes` are those of its token, empty when Slack did not list them."""

    team: str
    bot_user: str
    bot_id: str
    scopes: frozenset[str]
    lacks: tuple[str, ...] = ()
    """What it cannot be used for, for want of a scope that a night can do without."""
    enterprise: str = ""
    """The organisation that the workspace belongs to, of an Enterprise Grid; "" where there is none."""
    app_id: str = ""
    """"" when Slack did not tell."""
    channel: str = ""
    """How people call the channel it was asked about, with its #."""

    @property
    def homes(self) -> frozenset[str]:
        """The workspace, and the organisation that it belongs to: what is of either is ours."""
        return frozenset({self.team, self.enterprise} - {""})


async def asked(call: Awaitable[AsyncSlackResponse], to: str, *, token: str = "SLACK_BOT_TOKEN") -> Mapping[str, Any]:  # noqa: S107
    """The answer of a call that changes nothing. `to` completes "Slack was asked to …"; `token` is the setting that
    holds the token it is made with.
    """
    return _fields(await _answer(call, to, token, writes=False))


async def done(call: Awaitable[AsyncSlackResponse], to: str) -> Mapping[str, Any]:
    """The answer of a call that changes something. Raises OutcomeUnknown when nobody knows whether it did."""
    return _fields(await _answer(call, to, "SLACK_BOT_TOKEN", writes=True))


async def identify(
    client: AsyncWebClient, *, channel: str, app_token: str | None, groups: Sequence[str] = ()
) -> Identity:
    """Proves, before anything is heard or said, that tokens, scopes and channel are right. `app_token` is None in
    HTTP mode; `groups` are the approvers' user groups, whose members take a scope of their own to be asked for.

    Raises Refused with the exact fix; the listeners' library would log the same mistakes and go on for ever.
    """
    answer = await _answer(client.auth_test(), "tell who I am", "SLACK_BOT_TOKEN", writes=False)
    who = understood(AuthTest, _fields(answer), "who I am")
    if who.bot_id is None:
        raise Refused(
            "not_a_bot",
            "SLACK_BOT_TOKEN is not a bot's token",
            do="set SLACK_BOT_TOKEN to the Bot User OAuth Token of the app (xoxb-…, under OAuth & Permissions)",
        )
    app_id = await _app_of(client, who.bot_id)
    if app_token is not None:
        _must_be_of_one_app(app_token, app_id)
    listed = next((value for name, value in answer.headers.items() if name.lower() == "x-oauth-scopes"), "")
    scopes = frozenset(scope.strip() for scope in listed.split(",") if scope.strip())
    if app_token is not None:
        opening = client.apps_connections_open(app_token=app_token)
        await asked(opening, "open a connection", token="SLACK_APP_TOKEN")  # noqa: S106
    found = await asked(client.conversations_info(channel=channel), "show the channel")
    place = understood(Conversation, found.get("channel"), "which channel it is")
    _fit_for_a_run(place)
    missing = lacking(scopes, private=bool(place.is_private), groups=bool(groups)) if scopes else ()
    if needed := [scope.name for scope in missing if scope.methods and not scope.spare]:
        raise _refused("missing_scope", {"needed": ",".join(needed)}, "let me in", "SLACK_BOT_TOKEN")
    return Identity(
        team=who.team_id,
        bot_user=who.user_id,
        bot_id=who.bot_id,
        scopes=scopes,
        lacks=tuple(scope.what_for for scope in missing),
        enterprise=who.enterprise_id or "",
        app_id=app_id,
        channel=f"#{place.name}" if place.name else place.id,
    )


async def shown_time(client: AsyncWebClient) -> datetime | None:
    """What Slack's clock shows, in whole seconds (RFC 9110, Date); None when its answer does not say."""
    answer = await _answer(client.auth_test(), "tell who I am", "SLACK_BOT_TOKEN", writes=False)
    shown = next((value for name, value in answer.headers.items() if name.lower() == "date"), "")
    try:
        at = parsedate_to_datetime(shown)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


async def _app_of(client: AsyncWebClient, bot_id: str) -> str:
    """ "" when Slack does not tell: then the socket's greeting does."""
    try:
        answer = await asked(client.bots_info(bot=bot_id), "tell which app I am")
        return Bot.model_validate(answer.get("bot")).app_id
    except (ServiceError, ValidationError):
        return ""


def _must_be_of_one_app(app_token: str, app_id: str) -> None:
    """An app-level token names its app: with that of another one the bot would hear what was said to that one."""
    named = re.match(r"xapp-[0-9]+-(A[A-Z0-9]+)-", app_token)
    if app_id and named is not None and named[1] != app_id:
        raise Refused(
            "another_app",
            f"SLACK_APP_TOKEN is of the app {named[1]}, and SLACK_BOT_TOKEN is of {app_id}",
            do="set both to the tokens of one app",
        )


def _fit_for_a_run(place: Conversation) -> None:
    if place.is_archived:
        raise _refused("is_archived", {}, "show the channel", "SLACK_BOT_TOKEN")
    if not place.is_member:
        raise _refused("not_in_channel", {}, "show the channel", "SLACK_BOT_TOKEN")
    if place.has_strangers:
        raise Refused(
            "is_shared",
            f"Channel {place.id} is shared with another workspace, whose people must have no say in a run",
            do="set slack.channel to a channel of this workspace alone",
        )


def understood(shape: type[_Shape], value: Any, what: str) -> _Shape:
    """`value` in its shape. Raises ServiceUnintelligible."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise ServiceUnintelligible(
            f"Slack said {what} in a form that its documentation does not know",
            unchanged=_NOTHING_CHANGED,
            do="try again, and report this if it stays",
        ) from error


async def _answer(call: Awaitable[AsyncSlackResponse], to: str, token: str, *, writes: bool) -> AsyncSlackResponse:
    try:
        answer = await call
    except SlackApiError as error:
        raise _translated(error.response, to, token, writes=writes) from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise _unreachable(f"Slack could not be reached when it was asked to {to} ({web.why(error)})") from error
    except aiohttp.ServerDisconnectedError as error:
        raise _unanswered(to, "it ended the connection", writes=writes) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _unanswered(to, web.why(error), writes=writes) from error
    except SlackClientError as error:
        raise Refused("not_sent", f"Slack's client refused to {to} ({type(error).__name__})", do=_TRY_AGAIN) from error
    except (AttributeError, ValueError) as error:  # the library trips over an answer that is no JSON object
        raise _unanswered(to, "not a JSON object", writes=writes) from error
    if not isinstance(answer.data, dict):
        raise _unanswered(to, "not a JSON object", writes=writes)
    return answer


def _fields(answer: AsyncSlackResponse) -> Mapping[str, Any]:
    assert isinstance(answer.data, dict)
    return answer.data


def _unreachable(happened: str) -> ServiceUnreachable:
    return ServiceUnreachable(happened, unchanged=_NOTHING_CHANGED, do=_TRY_AGAIN)


def _unanswered(to: str, why: str, *, writes: bool) -> ServiceError:
    happened = f"Slack was asked to {to} and gave no answer that can be trusted ({why})"
    if not writes:
        return _unreachable(happened)
    unchanged, do = "it may have been done all the same", "look before it is repeated"
    if why in _SLACKS_TROUBLE:
        return Troubled(why, happened, unchanged=unchanged, do=do)
    return OutcomeUnknown(happened, unchanged=unchanged, do=do)


def _translated(response: Any, to: str, token: str, *, writes: bool) -> ServiceError:
    """`response` is what SlackApiError carries: an answer with a dict, text or bytes in it, or a raw HTTP answer."""
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    data = getattr(response, "data", None)
    fields = data if isinstance(data, dict) else {}
    code = str(fields.get("error", ""))
    if status == 429 or code in {"ratelimited", "rate_limited", "message_limit_exceeded"}:
        return _unreachable(f"Slack asked for patience too often when it was asked to {to}")
    if not re.fullmatch(r"[a-z_]{1,60}", code) or status >= 500 or code in _SLACKS_TROUBLE:
        return _unanswered(to, code if re.fullmatch(r"[a-z_]{1,60}", code) else f"HTTP {status}", writes=writes)
    return _refused(code, fields, to, token)


_SLACKS_TROUBLE = frozenset(
    {
        "internal_error",
        "fatal_error",
        "update_failed",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "external_channel_migrating",
        "accesslimited",
    }
)
"""They pass, and the same call may succeed then."""
_DEAD_TOKEN = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "not_allowed_token_type"}
)
_WHERE_TOKENS_ARE = {
    "SLACK_BOT_TOKEN": "the Bot User OAuth Token of the app (xoxb-…, under OAuth & Permissions)",
    "SLACK_APP_TOKEN": (
        "an app-level token with the scope connections:write (xapp-…, under Basic Information, App-Level Tokens)"
    ),
}
_MENDS = {
    "channel_not_found": (
        "The channel in slack.channel does not exist for the bot",
        "set slack.channel to the id of the run's channel, and type /invite @cutover in it if it is private",
    ),
    "not_in_channel": ("The bot is not in the channel of the run", "type /invite @cutover in the channel"),
    "is_archived": (
        "The channel of the run is archived",
        "unarchive it, or set slack.channel to the id of another channel",
    ),
    "is_inactive": (
        "The channel of the run is archived",
        "unarchive it, or set slack.channel to the id of another channel",
    ),
    "message_not_found": (
        "A message of the run is no longer in the channel",
        "leave the bot's messages where they are; `cutover status` shows the run",
    ),
    "thread_not_found": (
        "A checkpoint of the run is no longer in the channel",
        "leave the bot's messages where they are; `cutover status` shows the run",
    ),
    "cant_update_message": (
        "Slack does not let the bot edit its own message",
        "use the tokens of the app that posted the run's messages",
    ),
    "edit_window_closed": (
        "The workspace does not let messages be edited after a while",
        "let the bot edit its messages for the length of the run (workspace settings, message editing)",
    ),
}


def _refused(code: str, fields: Mapping[str, Any], to: str, token: str) -> Refused:
    if code in _DEAD_TOKEN:
        return Refused(code, f"Slack does not accept {token} ({code})", do=f"set {token} to {_WHERE_TOKENS_ARE[token]}")
    if code == "missing_scope":
        needed = ", ".join(re.findall(r"[a-z._]+:[a-z._:]+", str(fields.get("needed", "")))) or "the missing scope"
        if token == "SLACK_APP_TOKEN":  # noqa: S105
            fix = f"make {_WHERE_TOKENS_ARE[token]}"
        else:
            fix = f"add {needed} to the app's bot scopes (OAuth & Permissions) and install the app again"
        return Refused(code, f"{token} lacks a permission: {needed}", do=fix)
    if code.startswith(("restricted_action", "ekm_access_denied", "not_allowed")):
        return Refused(
            code,
            f"The workspace forbids the bot to {to} ({code})",
            do="let a workspace admin permit the app to post in the channel",
        )
    if code in _MENDS:
        happened, fix = _MENDS[code]
        return Refused(code, f"{happened} ({code})", do=fix)
    return Refused(
        code, f"Slack was asked to {to} and refused ({code})", do=f"look up {code} in Slack's list of errors"
    )
