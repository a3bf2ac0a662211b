"""What the gates ask. A gate names its examiners (`bot.plan.gates`); each has its entry in the table here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from bot.artifacts.examiners import BundleExaminers
from bot.doctor import Line, ask
from bot.edges.preflights import preflights
from bot.edges.services import Services
from bot.examiners.attested import attested
from bot.examiners.going_live import Address, GoingLive
from bot.examiners.readiness import Readiness
from bot.plan.findings import Finding, passed
from bot.plan.quorum import people_needed
from bot.plan.run import Run
from bot.ports import Clock, Examiners, Report
from bot.practice import read_timings
from bot.settings import Settings, secret
from bot.slack.calls import Identity
from bot.slack.preflight import enough_people
from bot.stackauth.canary import Canary, CanarySignsIn
from bot.stackauth.migrate.readback.examiner import ReadBack
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.proof.counts import CountsExaminer
from bot.supabase.proof.examiner import Proof
from bot.supabase.proof.notice import Notice


def examiners(
    settings: Settings,
    edges: Services,
    identity: Identity,
    directory: Path,
    *,
    bundle: BundleExaminers,
    clock: Clock,
) -> Examiners:
    """By the names that the gates give them."""
    freeze = proof(settings, edges.database, edges.gateway, directory)
    readiness = Readiness(partial(read_timings, directory), clock.now)
    live = GoingLive(_addresses(settings), settings.checkpoints.stable.hours, clock.now)
    return {
        "environment": partial(_environment, settings, edges),
        "practised": readiness.practised,
        "window-fits": readiness.window_fits,
        "approvers": partial(_approvers, edges, identity),
        "attested": attested,
        "freeze-proof": freeze.freeze_proof,
        "notice": Notice(settings.freeze.notice_url, settings.freeze.notice_text).examine,
        "files": bundle.examine_files,
        "counts": CountsExaminer(edges.database, edges.gateway, directory),
        "freeze-holds": freeze.freeze_holds,
        "mapping": bundle.examine_mapping,
        "users-read-back": ReadBack(directory, edges.stack).examine,
        "references": bundle.examine_references,
        "canary": CanarySignsIn(directory, edges.stack, *_canary_at_the_target(settings)).examine,
        "live-urls": live.urls,
        "hours-live": live.hours_live,
        "still-since-live": live.still,
    }


async def _environment(settings: Settings, edges: Services, run: Run, report: Report) -> AsyncIterator[Finding]:
    """Every question of the doctor, asked again; what is found is in the order of the services, whoever was quicker."""
    everyone = preflights(settings, edges)
    lines = [heard async for heard in ask(everyone) if isinstance(heard, Line)]
    for service in everyone:
        for line in lines:
            if line.service is service:
                yield line.finding
    yield passed("environment", f"All questions of `cutover doctor` were asked again: {len(lines)} answers.")


async def _approvers(edges: Services, identity: Identity, run: Run, report: Report) -> AsyncIterator[Finding]:
    opened, entitled = run.opened, run.entitled
    needed = {gate.name: entitled.needed(gate.name) for gate in run.plan.gates}
    people = people_needed(run.plan, needed, deny_same_person=entitled.deny_same_person)
    yield await enough_people(edges.slack, identity, opened.approvers, opened.rules.groups, people)


def _addresses(settings: Settings) -> list[Address]:
    return [Address(url=url.url, status=url.status, text=url.text) for url in settings.checkpoints.live.urls]


def proof(settings: Settings, database: Database, gateway: Gateway, directory: Path | None = None) -> Proof:
    """`directory` is where the export is to lie."""
    return Proof(
        database,
        gateway,
        directory=directory,
        quiet_seconds=settings.freeze.quiet_seconds,
    )


def _canary_at_the_target(settings: Settings) -> tuple[Canary | None, str]:
    """None with what is not set, as a clause."""
    if settings.canary_email is None:
        return None, "CANARY_EMAIL and CANARY_PASSWORD are"
    if settings.stack_auth_publishable_key is None:
        return None, "STACK_AUTH_PUBLISHABLE_KEY is"
    return Canary(
        email=secret(settings.canary_email),
        password=secret(settings.canary_password),
        publishable_key=secret(settings.stack_auth_publishable_key),
        base_url=settings.stack_auth_api_url,
        project_id=settings.stack_auth_project_id or "",
    ), ""
