"""A strict Slack, the bot's channel in it, and runs as far as a test wants them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.plan import display
from bot.plan import events as e
from bot.plan.decide import open_run
from bot.plan.findings import Finding, passed
from bot.plan.fold import after, fold
from bot.plan.inputs import Open
from bot.plan.results import Attention, ExportResult, HandoverResult, TableTotal, UsersResult
from bot.plan.run import Run
from bot.rehearsal.standins.slack import Person, SlackStandin
from bot.slack.calls import identify
from bot.slack.channel import SlackChannel
from bot.slack.client import connect

ADA, BOB, CAT, EVE = "U0ADA", "U0BOB", "U0CAT", "U0EVE"
PEOPLE = [
    Person(ADA, "Ada"),
    Person(BOB, "Bob"),
    Person(CAT, "Cat", is_restricted=True),
    Person(EVE, "Eve", team_id="T0OTHER", is_stranger=True),
]
NOW = datetime(2024, 11, 24, 22, 0, tzinfo=UTC)
HEAD = (7, "f" * 64)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Slack on a crowded machine is not taken for one that does not say who somebody is."""
    monkeypatch.setattr("bot.slack.authority._PATIENCE_SECONDS", 120)


Start = Callable[..., Awaitable[SlackStandin]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts stand-ins of any kind and stops them when the test is over."""
    started: list[SlackStandin] = []

    async def begin(**options: Any) -> SlackStandin:
        standin = SlackStandin(**{"people": PEOPLE, "posts_per_second": 1000.0, "post_burst": 1000, **options})
        await standin.start()
        started.append(standin)
        return standin

    yield begin
    for standin in started:
        await standin.stop()


@pytest.fixture
async def slack(start: Start) -> SlackStandin:
    return await start()


@pytest.fixture
def client(slack: SlackStandin) -> AsyncWebClient:
    return connect(slack.bot_token, slack.api_url)


@pytest.fixture
async def channel(slack: SlackStandin, client: AsyncWebClient) -> SlackChannel:
    identity = await identify(client, channel=slack.channel.id, app_token=slack.app_token)
    return SlackChannel(client, channel=slack.channel.id, identity=identity)


@dataclass
class Night:
    """A run that a test moves on, event by event, and posts from."""

    run: Run
    channel: SlackChannel

    def happens(self, *happened: e.Event) -> None:
        for event in happened:
            self.run = after(self.run, event)

    async def post(self, key: str) -> str:
        """As the conductor does when all goes well."""
        delivery = self.run.deliveries[key]
        self.happens(e.PostIntended(at=NOW, key=key))
        ts = await self.channel.post(self.run, delivery.post, None, HEAD)
        self.happens(e.Posted(at=NOW, key=key, ts=ts, displayed_state=display.displayed_state(self.run, delivery.post)))
        return ts

    async def post_all(self) -> None:
        for key in list(self.run.deliveries):
            if not self.run.deliveries[key].ts:
                await self.post(key)


class Story:
    """Events and results, as a night would bring them."""

    def opened(self, **changes: Any) -> list[e.Event]:
        """The first events of a run: opened, with its first gate on offer."""
        values: dict[str, Any] = {
            "run_id": "20241124-ab12",
            "parties": e.Parties(source_ref="abcdefgh", source_database="postgres", target_project="p-1"),
            "channel": "C0CUTOVER",
            "approvers": (ADA,),
            "retain_days": 90,
            "accepted_ahead": (),
        }
        return list(open_run(Open(**{**values, **changes}), NOW))

    def begun(self, **changes: Any) -> Run:
        run = fold(self.opened(**changes))
        assert run is not None
        return run

    def moved(self, run: Run, *chapters: Callable[[Run], list[e.Event]]) -> Run:
        """The run after these chapters; each sees the run as it is then."""
        for chapter in chapters:
            for event in chapter(run):
                run = after(run, event)
        return run

    def gate_passes(self, run: Run, *findings: Finding) -> list[e.Event]:
        """From the signal to the beginning of the step."""
        gate, attempt = run.gate.name, 1
        assert run.offer is not None
        facts: dict[str, Any] = {}
        for finding in findings:
            facts |= finding.facts
        return [
            e.SignalAccepted(at=NOW, checkpoint=gate, digest=run.offer.digest, user=ADA, ts="1.000001"),
            e.VerificationBegan(at=NOW, checkpoint=gate, attempt=attempt),
            *(e.FindingMade(at=NOW, checkpoint=gate, attempt=attempt, finding=finding) for finding in findings),
            e.CheckpointPassed(at=NOW, checkpoint=gate, attempt=attempt, by=(ADA,), facts=facts),
            e.StepBegan(at=NOW, step=run.gate.step, attempt=1),
        ]

    frozen = passed(
        "fresh-session-refused",
        "A fresh session was refused a write with 25006.",
        frozenAt="2024-11-24T22:05:00Z",
        lsn="0/16B3748",
        xmax=812,
        baseline={},
    )

    def export_result(self, **changes: Any) -> ExportResult:
        values: dict[str, Any] = {
            "tables": 43,
            "rows": 120_345,
            "bytes": 98_765_432,
            "auth_users": 500,
            "sha256": "a" * 64,
            "taken_at": NOW,
            "largest": tuple(TableTotal(name=f"t{n}", rows=1000 - n, bytes=100_000 - n) for n in range(20)),
            "left_out": {"a view": 3, "the platform's own": 12},
            "storage_objects": 17,
            "storage_bytes": 4_200_000,
            "duration_ms": 61_000,
        }
        return ExportResult(**{**values, **changes})

    def users_result(self, **changes: Any) -> UsersResult:
        values: dict[str, Any] = {
            "users": 500,
            "created": 480,
            "matched": 10,
            "updated": 0,
            "unmapped": 10,
            "attention_users": 12,
            "attention": {
                "phone-only": Attention(count=7, digest="b" * 64, todo="ask them for an e-mail address"),
                "sso-only": Attention(count=5, digest="c" * 64, todo="set up SSO in the target"),
            },
            "mapping_sha256": "d" * 64,
            "retain_until": NOW + timedelta(days=90),
            "duration_ms": 45_000,
        }
        return UsersResult(**{**values, **changes})

    def handover_result(self, **changes: Any) -> HandoverResult:
        values: dict[str, Any] = {
            "digest": "e" * 64,
            "files": 46,
            "journal_line": 120,
            "journal_hash": "9" * 64,
        }
        return HandoverResult(**{**values, **changes})


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def night(story: Story, channel: SlackChannel) -> Night:
    return Night(run=story.begun(), channel=channel)
