"""What can go wrong around the bot, as switches and as single blows, by service. A table: another fault is an entry.

A switch stays as it is until it is turned again; a blow is over when it has struck. Several may be on at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.rehearsal.console import Console
from bot.rehearsal.night import Night

SLACK, STACK_AUTH, SUPABASE, NOTICE = "Slack", "Stack Auth", "Supabase", "Notice"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`meets` is what the bot meets, for the person who turns it on."""

    name: str
    service: str
    title: str
    meets: str
    is_blow: bool = False


FAULTS = (
    Fault(
        name="slack-down",
        service=SLACK,
        title="Slack is down",
        meets="Every call is answered 503, the WebSocket is cut, and no new one is let in.",
    ),
    Fault(
        name="slack-limits",
        service=SLACK,
        title="Slack limits the rate",
        meets="Half of all calls are answered 429 with Retry-After.",
    ),
    Fault(
        name="slack-answers-lost",
        service=SLACK,
        title="Answers of Slack get lost",
        meets="Every third post is stored, and the connection breaks before the answer.",
    ),
    Fault(
        name="slack-cut",
        service=SLACK,
        title="Cut the WebSocket",
        meets="The connection ends without a word; the bot dials again.",
        is_blow=True,
    ),
    Fault(
        name="slack-again",
        service=SLACK,
        title="Deliver the last message again",
        meets="The event of what a person said last comes a second time.",
        is_blow=True,
    ),
    Fault(
        name="stack-down",
        service=STACK_AUTH,
        title="Stack Auth is down",
        meets="Every request is answered 502 with a page of HTML.",
    ),
    Fault(
        name="stack-limits",
        service=STACK_AUTH,
        title="Stack Auth limits the rate",
        meets="Half of all requests are answered 429 with Retry-After.",
    ),
    Fault(
        name="stack-answers-lost",
        service=STACK_AUTH,
        title="Answers of Stack Auth get lost",
        meets="Every fifth request does its work, and the connection breaks before the answer.",
    ),
    Fault(
        name="stack-slow", service=STACK_AUTH, title="Stack Auth is slow", meets="Every answer takes 2 seconds longer."
    ),
    Fault(
        name="gateway-down",
        service=SUPABASE,
        title="The API is down",
        meets="Nothing listens at the address of REST, Auth and Storage.",
    ),
    Fault(
        name="data-api-off",
        service=SUPABASE,
        title="The Data API is switched off",
        meets="REST answers 503, as after the switch in the dashboard.",
    ),
    Fault(
        name="sessions-cut",
        service=SUPABASE,
        title="Cut the bot's sessions",
        meets="The database ends every session of the bot, as at a failover.",
        is_blow=True,
    ),
    Fault(
        name="notice-down",
        service=NOTICE,
        title="The public page is down",
        meets="Nothing listens at the address of the notice.",
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


class Faults:
    """`on` are the names of the switches that are turned on."""

    def __init__(self, night: Night, console: Console) -> None:
        self._night = night
        self._console = console
        self._usual_latency = night.stack.latency_seconds
        self.on: set[str] = set()
        self._blows: dict[str, Callable[[], Awaitable[str]]] = {
            "slack-cut": self._cut_socket,
            "slack-again": self._deliver_again,
            "sessions-cut": self._cut_sessions,
        }

    async def strike(self, name: str) -> str:
        """What came of a single blow. KeyError when there is no such blow; ValueError when it can strike nothing."""
        return await self._blows[name]()

    async def turn(self, name: str, *, on: bool) -> None:
        """KeyError when there is no such switch."""
        if BY_NAME[name].is_blow:
            raise KeyError(name)
        was = name in self.on
        self.on = self.on | {name} if on else self.on - {name}
        match name:
            case "gateway-down" if on != was:
                await (self._night.gateway.stop() if on else self._night.gateway.start(_port(self._night.gateway.url)))
            case "notice-down" if on != was:
                await (self._night.notice.stop() if on else self._night.notice.start(_port(self._night.notice.url)))
            case "data-api-off":
                self._night.gateway.switch_data_api(on=not on)
            case "slack-down":
                self._night.slack.set_down(down=on)
            case _:
                self._set_chances()

    def _set_chances(self) -> None:
        limited = 0.5 if "slack-limits" in self.on else 0.0
        lost = 0.34 if "slack-answers-lost" in self.on else 0.0
        self._night.slack.set_weather(limited=limited, lost=lost)
        stack = self._night.stack
        stack.latency_seconds = self._usual_latency + (2.0 if "stack-slow" in self.on else 0.0)
        stack.faults.clear()
        if "stack-down" in self.on:
            stack.faults.share("502-html", 1.0)
        if "stack-limits" in self.on:
            stack.faults.share("429-seconds", 0.5)
        if "stack-answers-lost" in self.on:
            stack.faults.share("drop-after", 0.2)

    async def _cut_socket(self) -> str:
        self._night.slack.kill_sockets()
        return "The WebSocket was cut."

    async def _deliver_again(self) -> str:
        bot = self._night.slack.bot_user_id
        said = [m for m in self._night.slack.messages if m.user != bot and not m.deleted]
        if not said:
            raise ValueError("nobody has said anything yet")
        self._night.slack.redeliver(said[-1].ts)
        return f"“{said[-1].text}” was delivered again."

    async def _cut_sessions(self) -> str:
        return f"{await self._console.end_sessions_of_the_bot()} sessions of the bot were ended."


def _port(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])
