"""What can come of a request to Stack Auth instead of its value.

No text of a response, no address and no hash is ever in an error: not even a cause is kept, since an HTTP library's
exception carries the request.
"""

from __future__ import annotations

from typing import Literal

from bot import obstacles
from bot.errors import OutcomeUnknown, ServiceRefused, ServiceUnintelligible, ServiceUnreachable
from bot.web import LARGEST_ANSWER, Service

NOTHING_CHANGED = "nothing was changed by this request"
SERVICE = Service(
    "Stack Auth",
    "STACK_AUTH_API_URL",
    unchanged=NOTHING_CHANGED,
    no_client=obstacles.STACK_AUTH_CLIENT,
    redirect=obstacles.STACK_AUTH_ANSWER,
)
_CHECK_ADDRESS = "check that STACK_AUTH_API_URL is Stack Auth and not a page in front of it"

Meaning = Literal["email-taken", "magic-link-off", "not-there", "not-accepted"]


class RateLimited(ServiceUnreachable):
    """Too many requests, and nothing happened. `retry_after` is in seconds, None when the service did not say."""

    def __init__(self, retry_after: float | None) -> None:
        happened, do = "Stack Auth's rate limit is reached (HTTP 429)", "wait a minute, then try again"
        super().__init__(happened, unchanged=NOTHING_CHANGED, do=do, obstacle=obstacles.STACK_AUTH_LIMITED)
        self.retry_after = retry_after


class RequestRefused(ServiceRefused):
    """This request was understood and refused; another one may pass."""

    def __init__(self, meaning: Meaning, status: int) -> None:
        super().__init__(
            f"Stack Auth refused a request (HTTP {status}, {meaning})",
            unchanged=NOTHING_CHANGED,
            do="look at the user in Stack Auth",
            obstacle=obstacles.STACK_AUTH_ANSWER,
        )
        self.meaning: Meaning = meaning


class NoAnswer(OutcomeUnknown):
    """Something that changes a user was sent, and no answer came that can be trusted.

    `ended` is True when the service itself said that it had failed, so that nothing can still be under way there.
    """

    def __init__(self, what: str, *, ended: bool) -> None:
        super().__init__(
            f"Stack Auth did not answer a request ({what})",
            unchanged="it is unknown whether the request took effect",
            do="try again: the bot checks the list of users before it sends anything again",
        )
        self.ended = ended


class TooLarge(ServiceUnintelligible):
    """A response of which no more is read than may be one."""

    def __init__(self) -> None:
        super().__init__(
            f"Stack Auth sent a response larger than {LARGEST_ANSWER >> 20} MiB",
            unchanged=NOTHING_CHANGED,
            do=_CHECK_ADDRESS,
            obstacle=obstacles.STACK_AUTH_ANSWER,
        )


def unreachable(what: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"Stack Auth could not be reached ({what})",
        unchanged=NOTHING_CHANGED,
        do="check the network, STACK_AUTH_API_URL and the service's status page",
        obstacle=obstacles.STACK_AUTH_AWAY,
    )


def refused(happened: str, do: str) -> ServiceRefused:
    """By the project's settings, or by what is not Stack Auth."""
    return ServiceRefused(happened, unchanged=NOTHING_CHANGED, do=do, obstacle=obstacles.STACK_AUTH_SETTINGS)


def unintelligible(expected: str) -> ServiceUnintelligible:
    return ServiceUnintelligible(
        f"Stack Auth did not answer with {expected}",
        unchanged=NOTHING_CHANGED,
        do=_CHECK_ADDRESS,
        obstacle=obstacles.STACK_AUTH_ANSWER,
    )
