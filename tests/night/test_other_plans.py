"""Whole nights under plans that settings alone ask for: gates around the night, a team's own, checklists."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.record import read_run
from bot.rehearsal.night import PEOPLE, Night, until
from bot.rehearsal.standins.notice import NoticeStandin
from tests import clusters
from tests.evidence.auditing import Audit
from tests.night.playing import (
    SIGNALS,
    ForkedNight,
    alarm,
    assert_handed_over,
    ended,
    fast_night,
    free_port,
    heard_over_http,
    journal,
    pass_gate,
    passed,
    posts,
    restarted,
    shows,
    texts,
    told,
)

_DNS = {
    "name": "dns-switch",
    "after": "users",
    "signal": "dns-switched",
    "claim": "the names point to the new system",
    "checklist": {"ttl": "the TTL has run out", "moved": "the A record is moved"},
}


def _refused(night: Night) -> set[str]:
    return {p["check"] for p in posts(night, "cutover_finding") if p["status"] == "refused"}


async def _pass(night: Night, gate: str, signal: str) -> None:
    await shows(night, gate, "waiting", "refused")
    assert (await told(night, "ada", signal))[0] == "done"
    await shows(night, gate, "passed")


async def test_a_night_with_every_gate_and_one_of_the_teams_own(tmp_path: Path) -> None:
    """Each gate is offered, refused, let pass and reported like the three; the bot is killed with an item ticked and
    knows it afterwards; the bundle is sealed once, by the handover, and the run ends behind the last gate.
    """
    async with NoticeStandin(maintenance=True) as new_system:
        plan = {
            "CUTOVER__PLAN__GATES": json.dumps(["environment", "readiness", *SIGNALS, "live", "stable"]),
            "CUTOVER__PLAN__OWN": json.dumps([_DNS]),
            "CUTOVER__CHECKPOINTS__READINESS__CHECKLIST": json.dumps({"on-call": "somebody is on call"}),
            "CUTOVER__CHECKPOINTS__DNS-SWITCH__APPROVALS": "2",
            "CUTOVER__CHECKPOINTS__LIVE__URLS": json.dumps([{"url": new_system.url, "text": "Open as always"}]),
            "CUTOVER__CHECKPOINTS__STABLE__HOURS": "0",
        }
        async with AsyncExitStack() as world:
            night = await world.enter_async_context(
                fast_night(tmp_path / "night", settings=plan, **clusters.SMALL_NIGHT)
            )
            await night.start_bot()
            await world.enter_async_context(restarted(night))
            # Nobody practised: refused, and let pass by two who say why.
            await shows(night, "environment", "waiting")
            assert (await told(night, "ada", "env-ready"))[0] == "done"
            await shows(night, "environment", "refused")
            await night.slack.wait_until(lambda: "practised" in _refused(night), 180)
            assert _refused(night) == {"practised"}
            for who in ("ada", "grace"):
                assert (await told(night, who, "@cutover accept practised: a test of the plan"))[0] == "done"
            await _pass(night, "environment", "env-ready")

            assert (await told(night, "ada", "cutover-ready"))[0] == "refused"
            assert (await told(night, "linus", "@cutover tick on-call"))[0] == "done"
            await _pass(night, "readiness", "cutover-ready")

            await night.freeze()
            for gate in SIGNALS:
                await pass_gate(night, gate)

            await shows(night, "dns-switch", "waiting")
            sums = (night.directory / "SHA256SUMS").read_bytes()
            assert (await told(night, "linus", "@cutover tick ttl"))[0] == "done"
            await night.kill_bot()
            await alarm(night, "I was away")
            assert (await told(night, "linus", "@cutover tick ttl"))[0] == "refused", "it is ticked"
            assert (await told(night, "grace", "@cutover accept item-moved: the provider is slow"))[0] == "done"
            assert (await told(night, "ada", "dns-switched"))[0] == "done"
            assert (await told(night, "ada", "dns-switched"))[0] == "refused", "one person is not two"
            assert (await told(night, "grace", "dns-switched"))[0] == "done"
            await shows(night, "dns-switch", "passed")

            assert (await told(night, "ada", "@cutover release"))[0] == "refused"
            assert (await told(night, "ada", "cutover-complete"))[0] == "done"
            await shows(night, "live", "refused")
            new_system.maintenance = False
            await _pass(night, "live", "cutover-complete")
            await _pass(night, "stable", "stabilized")

            await assert_handed_over(night, await ended(night), users=night.users)
            run = read_run(night.directory)
            assert run is not None
            assert [gate.name for gate in run.plan.gates if run.is_passed(gate.name)] == [
                "environment", "readiness", *SIGNALS, "dns-switch", "live", "stable",
            ]  # fmt: skip
            assert not run.watched
            assert (night.directory / "SHA256SUMS").read_bytes() == sums
            closing = [p for p in posts(night, "cutover_summary") if p["checkpoint"] == ""]
            assert len(closing) == 1
            kinds = [event["type"] for event in journal(night)]
            assert kinds.count("item-ticked") == 2
            assert any("accepted open by Grace (`U0GRACE`)" in text for text in texts(night, "cutover_checkpoint"))
            reported, _, err = await night.command("report")
            assert reported == 0, err
            audit = Audit(night.directory)
            audit.must_all()
            assert {"waiver", "tick", "accepted open", "restart", "passed"} <= {
                audit.cell(row, "What") for row in audit.timeline
            }


@pytest.mark.all
async def test_the_gates_around_are_opened_over_http_by_buttons_too(tmp_path: Path) -> None:
    """Items are ticked by their buttons, which say beside which list they stood; gates by theirs."""

    class OverHttp(ForkedNight):
        port = 0

        @property
        def environment(self) -> dict[str, str]:
            told = super().environment
            del told["SLACK_APP_TOKEN"]
            return {**told, "SLACK_SIGNING_SECRET": "a-secret-of-no-value-elsewhere", "PORT": str(self.port)}

        def presses(self, who: str, action: str) -> None:
            post = next(m for m in reversed(self.slack.messages) if m.event_type == "cutover_checkpoint")
            self.slack.press(PEOPLE[who].id, post.ts, action)

    plan = {
        "CUTOVER__PLAN__GATES": json.dumps(["readiness", *SIGNALS]),
        "CUTOVER__PLAN__OWN": json.dumps([_DNS]),
    }
    night = fast_night(tmp_path / "night", OverHttp, settings=plan, **clusters.SMALL_NIGHT)
    night.port = free_port()
    async with night:
        await night.start_bot()
        await heard_over_http(night, night.port, "a-secret-of-no-value-elsewhere")
        await shows(night, "readiness", "waiting")
        night.presses("ada", "cutover_signal")
        await shows(night, "readiness", "passed")
        await shows(night, "freeze", "waiting")
        await night.freeze()
        for gate in SIGNALS:
            await pass_gate(night, gate)
        await shows(night, "dns-switch", "waiting")
        night.presses("linus", "cutover_item_1")
        await until(lambda: (run := read_run(night.directory)) is not None and run.open_items == ("moved",), 180)
        night.presses("linus", "cutover_item_2")
        await until(lambda: (run := read_run(night.directory)) is not None and run.offer is not None, 180)
        offered = "/checkpoint/dns-switch/1"
        await night.slack.wait_for(lambda m: str(m.payload.get("key", "")).endswith(offered), 180)
        night.presses("ada", "cutover_signal")
        await night.slack.wait_until(lambda: passed(night, "dns-switch"), 180)
        await assert_handed_over(night, await ended(night), users=night.users)
