"""What the gates around the night ask: is there a practice, does the window fit, does the new system answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.examiners.attested import attested
from bot.examiners.going_live import Address, GoingLive
from bot.examiners.readiness import Readiness
from bot.plan.compose import compose
from bot.plan.findings import Finding
from bot.plan.gates import KNOWN
from bot.plan.practice import Practice
from bot.ports import Examiner
from bot.rehearsal.standins.notice import NoticeStandin
from tests.plan.histories import EVE, START, EndThaw, Night, ReportDrift, e, passed

PLAN = compose(tuple(KNOWN), [], {"readiness": {"on-call": "somebody is on call", "ttl": "the TTL is 60 s"}})


async def asked(examiner: Examiner, night: Night) -> list[tuple[str, str, bool]]:
    """Check, verdict, and whether approvers may let it pass."""
    found: list[Finding] = [finding async for finding in examiner(night.run, lambda _: None)]
    assert all(finding.fix for finding in found if finding.verdict == "fail")
    return [(one.check, one.verdict.value, one.waivable) for one in found]


def practice(**changes: object) -> Practice:
    """Of the night's own source, a day before, with two hours of work."""
    told = {
        "taken_at": START - timedelta(days=1),
        "source_ref": "abcdef",
        "source_database": "postgres",
        **dict.fromkeys(("tables", "rows", "bytes", "users", "estimated_rows"), 1),
        **dict.fromkeys(("check_seconds", "translate_seconds"), 0),
        "export_seconds": 7200,
        "users_per_second": 40,
    }
    return Practice.model_validate(told | changes)


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        (practice(), "pass"),
        (practice(taken_at=START - timedelta(days=14)), "pass"),
        (practice(taken_at=START - timedelta(days=15)), "fail"),
        (practice(source_ref="another"), "fail"),
        (None, "fail"),
    ],
)
async def test_a_practice_of_this_source_must_be_there_and_not_old(last: Practice | None, verdict: str) -> None:
    """Approvers may do without, and say why."""
    readiness = Readiness(lambda: last, lambda: START)
    assert await asked(readiness.practised, Night(plan=PLAN)) == [("practised", verdict, verdict == "fail")]


@pytest.mark.parametrize(("minutes", "verdict"), [(121, "pass"), (119, "fail"), (None, "warn")])
async def test_the_work_must_fit_the_window(minutes: int | None, verdict: str) -> None:
    """By the practice; where one of the two is not known, nobody can say."""
    night = Night(plan=PLAN, rules=e.Rules(window_minutes=minutes))
    readiness = Readiness(practice, lambda: START)
    assert await asked(readiness.window_fits, night) == [("window-fits", verdict, verdict == "fail")]


async def test_what_people_attest_is_counted_and_what_was_let_open_is_a_warning() -> None:
    """A gate without a list rests on whoever approves it."""
    night = Night(plan=PLAN)
    assert await asked(attested, night) == [("attested", "pass", False)]
    night.go_to("readiness")
    night.talk()
    night.ask("tick on-call", EVE)
    night.ask("accept item-ttl: it is 90 s")
    assert await asked(attested, night) == [("attested", "warn", False)]
    night.ask("untick ttl", EVE)
    night.ask("tick ttl", EVE)
    assert await asked(attested, night) == [("attested", "pass", False)]


async def test_each_address_of_the_new_system_must_answer_as_it_should() -> None:
    """With its status and its text; an address that nobody answers, or that is none, is a finding like another."""
    async with NoticeStandin() as system:
        addresses = [
            Address(url=f"{system.url}?token=secret", status=200, text="Open as always"),
            Address(url=system.url, status=200, text="closed"),
            Address(url=system.url, status=503, text=""),
            Address(url="http://127.0.0.1:1/", status=200, text=""),
            Address(url="http://[::", status=200, text=""),
        ]
        live = GoingLive(addresses, 48, lambda: START)
        night = Night(plan=PLAN)
        assert [verdict for _, verdict, _ in await asked(live.urls, night)] == ["pass", *["fail"] * 4]
        found = [finding.evidence async for finding in live.urls(night.run, lambda _: None)]
    assert "secret" not in "".join(found)
    assert await asked(GoingLive([], 48, lambda: START).urls, night) == [("live-urls", "warn", False)]


async def test_how_long_it_has_been_live_is_counted_from_when_users_were_let_in() -> None:
    """Too early is a warning: how long is enough is for people to say."""
    night = Night(plan=PLAN)
    night.go_to("stable")
    for hours, verdict in ((47, "warn"), (49, "pass")):
        live = GoingLive([], 48, lambda hours=hours: night.run.passed_at["live"] + timedelta(hours=hours))
        assert await asked(live.hours_live, night) == [("hours-live", verdict, False)]


async def test_a_write_since_then_may_be_let_pass_and_is_never_overlooked() -> None:
    """Where nobody watches, nobody could have seen one; a write before the new system was live is another matter."""
    live = GoingLive([], 0, lambda: START)
    night = Night(plan=PLAN)
    night.go_to("live")
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.go_to("stable")
    assert await asked(live.still, night) == [("still-since-live", "pass", False)]
    night.do(ReportDrift(changes=("public.orders took 3 writes",)))
    assert await asked(live.still, night) == [("still-since-live", "fail", True)]
    unwatched = Night(plan=PLAN)
    unwatched.go_to("stable")
    unwatched.ask("thaw")
    unwatched.ask("thaw yes")
    unwatched.do(EndThaw(findings=(passed("writes-again", "It writes."),)))
    assert await asked(live.still, unwatched) == [("still-since-live", "warn", False)]
