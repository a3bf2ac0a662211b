"""The shapes of what Slack sends, as far as we read it, and the one rule for what counts as a person speaking.

Events, history and replies carry the same message; all of them go through `plain_human_message`, so that a message
missed and found later is held to the same rule as one that was heard. The rule is strict, because its result may open
a gate: a message is a person's only when nothing on it hints at an app, a bot, a workflow, an edit or a deletion.
What a name, a picture or a text says about the author is never looked at: anybody can set these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bot.plan.inputs import Hear
from bot.slack.render.escape import typed

log = structlog.get_logger("cutover.slack")

Ts = Annotated[str, StringConstraints(pattern=r"^[0-9]{10}\.[0-9]{6}$")]
"""The name of a message. Ours are compared as text, so another form must not come in."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Metadata(_Shape):
    event_type: str
    event_payload: dict[str, Any]


class Message(_Shape):
    """A message as events, history and replies show it. `channel` is in events only; the three teams may each be
    missing, and name the author's workspace, the most telling first.
    """

    type: str
    ts: Ts
    channel: str | None = None
    user: str | None = None
    text: str | None = None
    thread_ts: Ts | None = None
    subtype: str | None = None
    hidden: bool | None = None
    edited: Any = None
    bot_id: str | None = None
    app_id: str | None = None
    bot_profile: Any = None
    workflow_id: str | None = None
    attachments: tuple[Any, ...] = ()
    user_team: str | None = None
    source_team: str | None = None
    team: str | None = None
    metadata: Metadata | None = None


class InEnterprise(_Shape):
    """Of a member of an Enterprise Grid, the workspaces of the organisation that they belong to."""

    enterprise_id: str = ""
    teams: tuple[str, ...] = ()


class Person(_Shape):
    """The answer of users.info. A flag that decides and is missing stays None, which is not False. In an Enterprise
    Grid `team_id` may be missing, or name another workspace than the one that asks.
    """

    id: str
    team_id: str | None = None
    enterprise_user: InEnterprise | None = None
    deleted: bool
    is_bot: bool | None = None
    is_restricted: bool | None = None
    is_ultra_restricted: bool | None = None
    is_app_user: bool = False
    is_stranger: bool = False
    is_invited_user: bool = False
    name: Any = None
    profile: Any = None

    @property
    def called(self) -> str:
        """Their full name, else the one that Slack shows, else that of their account; "" when there is none. Whatever
        is wrong with a name keeps nobody from being known.
        """
        profile = self.profile if isinstance(self.profile, dict) else {}
        names = (profile.get("real_name"), profile.get("display_name"), self.name)
        return next((name for name in names if isinstance(name, str) and name.strip()), "")


class UserGroup(_Shape):
    """`date_delete` is when it was disabled, 0 while it is enabled; `is_external` that it is another workspace's.
    `team_id` of a group of a whole organisation names that organisation.
    """

    id: str
    team_id: str
    date_delete: int
    is_external: bool = False


class UserGroups(_Shape):
    """The answer of usergroups.list. Its groups stay raw: one that we cannot read must not hide the others."""

    usergroups: tuple[Any, ...]


class GroupMembers(_Shape):
    """The answer of usergroups.users.list."""

    users: tuple[str, ...]


class Conversation(_Shape):
    """The answer of conversations.info."""

    id: str
    name: str = ""
    is_member: bool
    is_archived: bool = False
    is_private: bool = False
    is_shared: bool = False
    is_ext_shared: bool = False
    is_org_shared: bool = False
    is_pending_ext_shared: bool = False

    @property
    def has_strangers(self) -> bool:
        """People of another workspace can be in it."""
        return self.is_shared or self.is_ext_shared or self.is_org_shared or self.is_pending_ext_shared


class AuthTest(_Shape):
    """The answer of auth.test; `bot_id` is missing when the token is not a bot's."""

    team_id: str
    enterprise_id: str | None = None
    user_id: str
    bot_id: str | None = None


class Bot(_Shape):
    """The answer of bots.info."""

    app_id: str


class _AsPosted(_Shape):
    thread_ts: str | None = None


class Posted(_Shape):
    """The answer of chat.postMessage. `message` is what Slack made of it: without `thread_ts` it is in the channel,
    though a thread was asked for, when that one's parent had been deleted.
    """

    ts: Ts
    message: _AsPosted | None = None


class _Cursor(_Shape):
    next_cursor: str = ""


class Page(_Shape):
    """A page of history or replies. Its messages stay raw: one that we cannot read must not hide the others."""

    messages: tuple[dict[str, Any], ...]
    response_metadata: _Cursor | None = None

    @property
    def cursor(self) -> str:
        """ "" on the last page."""
        return self.response_metadata.next_cursor if self.response_metadata else ""


class UploadPlace(_Shape):
    """The answer of files.getUploadURLExternal."""

    upload_url: str
    file_id: str


class _SharedFile(_Shape):
    id: str
    name: str = ""


class Sharing(_Shape):
    """A message, as far as it shares files."""

    user: str = ""
    bot_id: str = ""
    files: tuple[_SharedFile, ...] = ()


class Scheduled(_Shape):
    """The answer of chat.scheduleMessage."""

    scheduled_message_id: str


class _ToBePosted(_Shape):
    model_config = ConfigDict(coerce_numbers_to_str=True)  # the id is a number in one place, text in another

    id: str
    post_at: int
    text: str = ""


class ScheduledMessages(_Shape):
    """A page of what Slack is still to post for our app."""

    scheduled_messages: tuple[_ToBePosted, ...]
    response_metadata: _Cursor | None = None

    @property
    def cursor(self) -> str:
        """ "" on the last page."""
        return self.response_metadata.next_cursor if self.response_metadata else ""


class _Paging(_Shape):
    pages: int = 1


class UploadedFile(_Shape):
    """`user` is who uploaded it."""

    id: str
    name: str = ""
    user: str = ""


class Files(_Shape):
    """A page of files.list."""

    files: tuple[UploadedFile, ...]
    paging: _Paging = _Paging()


class PinCount(_Shape):
    """What the answer of conversations.history says besides messages."""

    pin_count: int | None = None


class Thread(_Shape):
    """What the history says of the thread below a message. Not `known` is one that nothing is said of."""

    reply_count: int | None = None
    latest_reply: str | None = None

    @property
    def known(self) -> bool:
        return self.reply_count is not None and self.latest_reply is not None


class _Connection(_Shape):
    app_id: str = ""


class Hello(_Shape):
    """The first frame of a Socket Mode connection. `num_connections` counts this one too."""

    type: str
    num_connections: int = 1
    connection_info: _Connection | None = None


class _Presser(_Shape):
    id: str
    team_id: str = ""


class _Place(_Shape):
    id: str


class Action(_Shape):
    action_id: str
    value: str


class Press(_Shape):
    """A block_actions payload. `trigger_id` is its own, and the same when it is delivered again."""

    user: _Presser
    channel: _Place
    trigger_id: str = Field(min_length=1)
    actions: tuple[Action, ...]


class SlashCommand(_Shape):
    """A slash command, from a form or from a socket. `team_id` is the workspace that it was sent from."""

    text: str = ""
    user_id: str
    team_id: str
    channel_id: str
    trigger_id: str = Field(min_length=1)


def plain_human_message(message: Mapping[str, Any], *, channel: str, bot_user: str) -> Hear | None:
    """What a person said in `channel`; None when it is anything else.

    Messages from the history do not name their channel: whoever asked for them adds it. A message that was edited
    since says nothing, for its first words are gone. `Hear.team` is "" when Slack did not name the author's
    workspace.
    """
    try:
        said = Message.model_validate(message)
    except ValidationError as error:
        fields = sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]})
        log.warning("a message came in a form that Slack's has not; nothing was heard", fields=fields)
        return None
    if said.type != "message" or said.subtype not in {None, "thread_broadcast"} or said.hidden or said.edited:
        return None
    if said.bot_id or said.app_id or said.bot_profile or said.workflow_id:
        return None
    if any(isinstance(part, dict) and part.get("is_share") for part in said.attachments):  # somebody else's, forwarded
        return None
    if said.channel != channel or not said.user or said.user == bot_user:
        return None
    text, addressed = typed(said.text or "", bot_user=bot_user)
    return Hear(
        ts=said.ts,
        user=said.user,
        team=said.user_team or said.source_team or said.team or "",
        text=text,
        thread_ts=None if said.thread_ts == said.ts else said.thread_ts,
        addressed=addressed,
    )


def thread_below(message: Mapping[str, Any]) -> Thread | None:
    """The thread whose parent the message is; None when it has no replies."""
    if message.get("thread_ts") != message.get("ts"):
        return None
    try:
        return Thread.model_validate(message)
    except ValidationError:
        return Thread()


def deleted_ts(event: Mapping[str, Any], *, channel: str) -> str:
    """The ts of the message that was deleted in `channel`, when the event tells of that; else "". A parent with replies
    leaves a tombstone, and Slack then tells of an edit into one.
    """
    if event.get("type") != "message" or event.get("channel") != channel:
        return ""
    inner = event.get("message")
    match event.get("subtype"):
        case "message_deleted":
            ts = event.get("deleted_ts")
        case "message_changed" if isinstance(inner, dict) and inner.get("subtype") == "tombstone":
            ts = inner.get("ts")
        case _:
            return ""
    return ts if isinstance(ts, str) else ""


class RunHeader(BaseModel):
    """What a header says of its run."""

    run_id: str
    status: str


def own_header(message: Mapping[str, Any], *, bot_id: str) -> RunHeader | None:
    """The header that this message is, when our bot wrote it."""
    try:
        found = Message.model_validate(message)
        if found.bot_id != bot_id or found.metadata is None or found.metadata.event_type != "cutover_run":
            return None
        return RunHeader.model_validate(found.metadata.event_payload)
    except ValidationError:
        return None


def own_key(message: Mapping[str, Any], *, run_id: str, bot_id: str) -> str | None:
    """The key of the post that this message is, when our bot wrote it for this run. Any app may use the same
    metadata, so the author counts.
    """
    try:
        found = Message.model_validate(message)
    except ValidationError:
        return None
    payload = found.metadata.event_payload if found.metadata else {}
    key = payload.get("key")
    ours = found.bot_id == bot_id and payload.get("run_id") == run_id
    return key if ours and isinstance(key, str) else None
