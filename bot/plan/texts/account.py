"""What has happened in a run so far, for whoever asks in the channel: a line for each thing that somebody answers for.

People stand in it by their ids as code, so that telling calls nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.plan.run import Run, doing
from bot.plan.texts import sentences
from bot.plan.texts.amounts import duration, number, size
from bot.plan.texts.foreign import shown


def account(run: Run) -> str:
    parties = run.opened.parties
    head = (
        f"*Run {run.run_id}*, opened {run.opened.at:%Y-%m-%d %H:%M:%S} UTC, from Supabase `{shown(parties.source_ref)}` (database "
        f"`{shown(parties.source_database)}`) to Stack Auth `{shown(parties.target_project)}`: {doing(run)}."
    )
    lines = [*_gates(run), *_waivers(run), *_results(run), *_troubles(run)]
    return "\n".join([head, *(f"• {line}" for line in lines), _WHOLE])


def _gates(run: Run) -> Iterator[str]:
    for offer in run.offers.values():
        gate = run.plan.gate(offer.checkpoint)
        given = sentences.approvals(offer.approvals, gate.signal) or " Nobody has said its word."
        yield f"The {gate.title} checkpoint, put up at {offer.at:%H:%M:%S} UTC with evidence `{offer.digest}`: {offer.status}.{given}"


def _waivers(run: Run) -> Iterator[str]:
    for waiver in run.waived:
        gate = run.plan.gate(waiver.checkpoint)
        yield f"At the {gate.title} checkpoint `{waiver.user}` accepted what the check `{waiver.check}` found: {shown(waiver.why)}"


def _results(run: Run) -> Iterator[str]:
    if run.frozen_at is not None:
        yield f"Frozen at {run.frozen_at:%H:%M:%S} UTC, by the database's clock."
    if (export := run.export) is not None:
        yield (
            f"Exported {number(export.tables)} tables with {number(export.rows)} rows ({size(export.bytes)}) in "
            f"{duration(export.duration_ms / 1000)}; metadata.json is `{export.sha256}`."
        )
    for table, accepted in run.left_unread.items():
        yield f"The table `{shown(table)}` may be left out, on the word of `{accepted.user}`: {shown(accepted.why)}"
    if (users := run.users) is not None:
        yield (
            f"Of {number(users.users)} users {number(users.created)} were created, {number(users.matched)} matched, {number(users.updated)} updated, "
            f"{number(users.unmapped)} not mapped; {number(users.attention_users)} are listed for attention. user-mapping.json is `{users.mapping_sha256}`."
        )
        accepted_reasons = sorted(set(users.attention) - set(run.open_reasons))
        if accepted_reasons:
            yield f"Accepted: {', '.join(f'`{reason}`' for reason in accepted_reasons)}."
    if (handover := run.handover) is not None:
        yield f"Handed over {number(handover.files)} files; SHA256SUMS is `{handover.digest}`."
    if run.thawed_at is not None:
        yield f"Thawed at {run.thawed_at:%H:%M:%S} UTC."


def _troubles(run: Run) -> Iterator[str]:
    told = (
        (run.drifts, "drift", "drifts"),
        (run.failures, "stop", "stops"),
        (run.blinds, "time that the source could not be watched", "times that the source could not be watched"),
        (
            run.second_instances,
            "time that another process was connected as this app",
            "times that another process was connected as this app",
        ),
        (run.starts, "restart of the bot", "restarts of the bot"),
    )
    happened = [f"{number(count)} {one if count == 1 else many}" for count, one, many in told if count]
    if happened:
        yield f"So far: {', '.join(happened)}."


_WHOLE = "The whole record stands beside the export: `cutover report` makes a page of it on my machine, and `cutover verify` proves that nothing of it was changed."
