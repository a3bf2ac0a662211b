"""How long the data of people is kept, who is reminded of the end, and that it was removed."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from bot.plan.events.fact import Event
from bot.plan.findings import Finding


class RetentionReminderIntended(Event):
    """Written before the request: the channel's service may or may not hold a message that it posts at `post_at`."""

    type: Literal["retention-reminder-intended"] = "retention-reminder-intended"
    post_at: AwareDatetime


class RetentionReminderLeft(Event):
    """The service holds it under `id`; "" when it was found posted already."""

    type: Literal["retention-reminder-left"] = "retention-reminder-left"
    id: str


class RetentionReminderGivenUp(Event):
    """The service does not take it; `finding` says why, and what to do instead."""

    type: Literal["retention-reminder-given-up"] = "retention-reminder-given-up"
    finding: Finding


class Purged(Event):
    """`cutover purge` removed the data of people from this directory. `by` is an account of the machine, `why` what it
    gave. `digest` is that of the list of removed files in the receipt, which began at `began_at`.
    """

    type: Literal["purged"] = "purged"
    began_at: AwareDatetime
    by: str
    why: str
    files: int
    bytes: int
    digest: str
