"""What is on its way to the app, whichever transport it takes: an event, a button that was pressed, a slash command."""

from dataclasses import dataclass
from typing import Literal, Protocol

from bot.rehearsal.standins.slack.workspace import Json

RETRIES = 3
Kind = Literal["events_api", "interactive", "slash_commands"]


@dataclass
class Delivery:
    """`attempts` counts how often it was sent; `acked` turns true with the first acknowledgement. `response` is what
    the app said with it: of a slash command, what only its author sees.
    """

    payload: Json
    kind: Kind = "events_api"
    attempts: int = 0
    acked: bool = False
    given_up: bool = False
    response: Json | None = None

    @property
    def event_id(self) -> str:
        """Of an event."""
        return str(self.payload["event_id"])

    @property
    def retries(self) -> int:
        """Only events are tried again: somebody who presses a button sees at once that nothing came of it."""
        return RETRIES if self.kind == "events_api" else 0


class Transport(Protocol):
    """To the app: Socket Mode or HTTP."""

    deliveries: list[Delivery]

    @property
    def open(self) -> bool:
        """Somebody is there to deliver to."""

    def send(self, delivery: Delivery, attempt: int = 0) -> None:
        """Send it, and again until it is acknowledged or the tries are used up. `attempt` counts those before."""
