"""What has happened in a run so far, for whoever asks in the channel: a line for each thing that somebody answers for.
Nobody is called by it.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.plan.run import Run
from bot.plan.text import Person, Text, items, joined, say, stacked
from bot.plan.texts import sentences
from bot.plan.texts.amounts import counted, duration, number, size
from bot.plan.texts.foreign import codes, foreign, seen
from bot.plan.texts.state import doing

_DIGITS = 12


def account(run: Run) -> Text:
    parties = run.opened.parties
    head = say(
        "*Run {run}*, opened {at:%Y-%m-%d %H:%M:%S} UTC, from Supabase `{source}` (database `{database}`) to Stack Auth "
        "`{target}`: {doing}.",
        run=run.run_id,
        at=run.opened.at,
        source=seen(parties.source_ref),
        database=seen(parties.source_database),
        target=seen(parties.target_project),
        doing=doing(run),
    )
    return stacked(head, items([*_gates(run), *_waivers(run), *_results(run), *_troubles(run)]), WHOLE)


def _gates(run: Run) -> Iterator[Text]:
    for offer in run.offers.values():
        gate = run.plan.gate(offer.checkpoint)
        yield say(
            "{gate} checkpoint, posted at {at:%H:%M:%S} UTC with evidence `{digest}`: {status}. {given}",
            gate=gate.title,
            at=offer.at,
            digest=offer.digest,
            status=offer.status,
            given=sentences.approvals(offer.approvals, gate.signal) or NOBODY_SAID_IT,
        )


NOBODY_SAID_IT = "Nobody has said its word."


def _waivers(run: Run) -> Iterator[Text]:
    for waiver in run.waived:
        yield say(
            "{gate} checkpoint: {who} accepted the finding of `{check}`: {why}",
            gate=run.plan.gate(waiver.checkpoint).title,
            who=Person(waiver.user, name=waiver.name),
            check=waiver.check,
            why=foreign(waiver.why),
        )


def _results(run: Run) -> Iterator[Text]:
    if run.frozen_at is not None:
        yield say("Frozen at {at:%H:%M:%S} UTC, by the database's clock.", at=run.frozen_at)
    for lengthening in run.lengthenings:
        yield say(
            "The window was set to {length} from the freeze on, by {who} at {at:%H:%M:%S} UTC.",
            length=duration(lengthening.minutes * 60),
            who=Person(lengthening.user, name=lengthening.name),
            at=lengthening.at,
        )
    if (export := run.export) is not None:
        yield say(
            "Exported {tables} with {rows} ({size}) in {time}; metadata.json is `{sha256}`.",
            tables=counted(export.tables, "table"),
            rows=counted(export.rows, "row"),
            size=size(export.bytes),
            time=duration(export.duration_ms / 1000),
            sha256=export.sha256[:_DIGITS],
        )
    for table, accepted in run.left_unread.items():
        yield say(
            "The table `{table}` may be left out, accepted by {who}: {why}",
            table=seen(table),
            who=Person(accepted.user, name=accepted.name),
            why=foreign(accepted.why),
        )
    if (users := run.users) is not None:
        yield say(
            "{users}: {created:,} created, {matched:,} matched, {updated:,} updated, {unmapped:,} not mapped; "
            "{attention:,} listed for attention. user-mapping.json is `{sha256}`.",
            users=counted(users.users, "user"),
            created=users.created,
            matched=users.matched,
            updated=users.updated,
            unmapped=users.unmapped,
            attention=users.attention_users,
            sha256=users.mapping_sha256[:_DIGITS],
        )
        if reasons := sorted(set(users.attention) - set(run.open_reasons)):
            yield say("Accepted: {reasons}.", reasons=joined(codes(reasons), by=", "))
    if (handover := run.handover) is not None:
        yield say(
            "Handed over {files}; SHA256SUMS is `{digest}`.",
            files=counted(handover.files, "file"),
            digest=handover.digest,
        )
    if run.thawed_at is not None:
        yield say("Thawed at {at:%H:%M:%S} UTC.", at=run.thawed_at)


def _troubles(run: Run) -> Iterator[Text]:
    told = (
        (run.drifts, "drift", "drifts"),
        (run.failures, "stop", "stops"),
        (run.blinds, "time the source could not be watched", "times the source could not be watched"),
        (run.second_instances, "time another process was connected as this app", "times another process was connected"),
        (run.starts, "restart of the bot", "restarts of the bot"),
    )
    happened = [f"{number(count)} {one if count == 1 else many}" for count, one, many in told if count]
    if happened:
        yield say("So far: {happened}.", happened=", ".join(happened))


WHOLE = say(
    "The full record is beside the export: `cutover report` makes a page of it on my machine, and `cutover verify` "
    "proves that nothing in it was changed."
)
