"""What a run has left in Slack of people's data, taken back: the files that the bot uploaded, and its reminder.

Files are those that the journal names by id, and besides them those that files.list shows of our own bot user in the
run's channel since the run was opened, and whose name holds the run's id: so also those are found whose upload nobody
heard the end of. Other people's files, and those of other runs, are never touched. What is gone already is gone
(`file_deleted`, `file_not_found`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ServiceError
from bot.plan.retention import uploads
from bot.plan.run import Run
from bot.slack import reminder
from bot.slack.calls import Refused, asked, done, understood
from bot.slack.payloads import AuthTest, Files

_CLOCKS_MAY_DIFFER = timedelta(days=1)
_GONE = frozenset({"file_deleted", "file_not_found"})
_A_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Left:
    """`what` is `file` or `reminder`; `id` is Slack's, "" where it is not known."""

    what: str
    id: str
    why: str


@dataclass(frozen=True, kw_only=True)
class TakenBack:
    """`removed` are the ids of what was deleted now. `error` is why Slack could not be asked for all of it."""

    removed: tuple[str, ...]
    left: tuple[Left, ...]
    error: ServiceError | None


async def take_back(client: AsyncWebClient, run: Run) -> TakenBack:
    """Safe to repeat; never raises for Slack's sake."""
    removed, left = list[str](), list[Left]()
    error: ServiceError | None = None
    ids = dict.fromkeys(uploads(run))
    try:
        ids |= dict.fromkeys(await _uploaded(client, run))
    except ServiceError as trouble:
        error = trouble
        left.append(Left(what="file", id="", why=trouble.happened))
    for id_ in ids:
        try:
            if await _deleted(client, id_):
                removed.append(id_)
        except ServiceError as trouble:
            error = error or trouble
            left.append(Left(what="file", id=id_, why=trouble.happened))
    if run.reminder.id:
        try:
            if await reminder.take_back(client, run.opened.channel, run.reminder.id):
                removed.append(run.reminder.id)
        except ServiceError as trouble:
            error = error or trouble
            left.append(Left(what="reminder", id=run.reminder.id, why=trouble.happened))
    return TakenBack(removed=tuple(removed), left=tuple(left), error=error)


async def _uploaded(client: AsyncWebClient, run: Run) -> list[str]:
    who = understood(AuthTest, await asked(client.auth_test(), "tell who I am"), "who I am")
    since = int((run.opened.at - _CLOCKS_MAY_DIFFER).timestamp())
    found, page = list[str](), 1
    while True:
        listing = client.files_list(
            user=who.user_id, channel=run.opened.channel, ts_from=str(since), count=_A_PAGE, page=page
        )
        answer = understood(Files, await asked(listing, "list the bot's files"), "which files there are")
        found += [file.id for file in answer.files if file.user == who.user_id and _is_list_of(run, file.name)]
        if page >= answer.paging.pages:
            return found
        page += 1


def _is_list_of(run: Run, name: str) -> bool:
    """The SQL that thaws is of nobody, and stays."""
    return run.run_id in name and name.endswith(".csv")


async def _deleted(client: AsyncWebClient, id_: str) -> bool:
    """False when it was gone before."""
    try:
        await done(client.files_delete(file=id_), "delete a file")
    except Refused as refused:
        if refused.code in _GONE:
            return False
        raise
    return True
