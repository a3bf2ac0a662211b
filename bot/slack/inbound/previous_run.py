"""What the channel says of runs before: a run that has not ended there may have no journal here, when its disk was lost
or when two bots were given one channel.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.inbound import catchup
from bot.slack.payloads import own_header

_LOOKS_BACK = timedelta(days=30)
_UNFINISHED = frozenset({"waiting", "running", "held"})


async def unfinished_run(client: AsyncWebClient, channel: str, *, bot_id: str, now: datetime) -> str:
    """The id of the run whose header our own bot posted last, in the last 30 days, when that header shows that it has
    not ended; "" otherwise. Raises ServiceError.
    """
    since = f"{(now - _LOOKS_BACK).timestamp():.6f}"
    newest, found = "", ""
    async for message in catchup.history(client, channel, since, metadata=True):
        header, ts = own_header(message, bot_id=bot_id), str(message.get("ts"))
        if header is not None and ts > newest:
            newest, found = ts, header.run_id if header.status in _UNFINISHED else ""
    return found
