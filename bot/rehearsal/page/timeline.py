"""How long the night takes: for each checkpoint how long it waited for people and how long its checks took, and how
long the step behind it worked. Read from the channel alone. Pure.

    freeze   waited 2 min 10 s, checked 8 s, refused 2 times; the step behind it took 6 s
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.rehearsal.standins.slack import Message

_HEADER, _CHECKPOINT = "cutover_run", "cutover_checkpoint"
_TITLE_ENDS = ","


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One checkpoint. Times are seconds of the wall clock; None is what has not come yet."""

    checkpoint: str
    title: str
    posted: float
    waited: float
    """Seconds in which it waited for people, so far or in all."""
    checked: float
    """Seconds in which checks ran."""
    refused: int
    passed: float | None
    step: float | None
    """Seconds from the passing to the next checkpoint, or to the closing."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def stretches(messages: Sequence[Message], now: float) -> list[Stretch]:
    """Of the newest run, in the order of its plan. A checkpoint that was posted anew is one stretch with the one
    before it.
    """
    run = next((m.payload["run_id"] for m in reversed(messages) if m.event_type == _HEADER), None)
    own = [m for m in messages if m.payload.get("run_id") == run]
    posts = [m for m in own if m.event_type == _CHECKPOINT]
    closings = [m.since for m in own if m.event_type == "cutover_summary" and not m.payload["checkpoint"]]
    found: list[Stretch] = []
    for name in dict.fromkeys(str(m.payload["checkpoint"]) for m in posts):
        of_it = [m for m in posts if m.payload["checkpoint"] == name]
        spans = [span for m in of_it for span in _spans(m, now)]
        passed = next((since for status, since, _ in reversed(spans) if status == "passed"), None)
        later = [float(m.ts) for m in posts if passed is not None and float(m.ts) >= passed]
        ends = min((*later, *(at for at in closings if passed is not None and at >= passed)), default=None)
        found.append(
            Stretch(
                checkpoint=name,
                title=_title(of_it[-1]),
                posted=float(of_it[0].ts),
                waited=sum(until - since for status, since, until in spans if status in {"waiting", "refused"}),
                checked=sum(until - since for status, since, until in spans if status == "verifying"),
                refused=sum(status == "refused" for status, _, _ in _merged(spans)),
                passed=passed,
                step=ends - passed if ends is not None and passed is not None else None,
            )
        )
    return found


def _spans(message: Message, now: float) -> Iterator[tuple[str, float, float]]:
    """Status, from, until, for every version of the message."""
    versions = [*((v.metadata, v.since) for v in message.past), (message.metadata, message.since)]
    for n, (metadata, since) in enumerate(versions):
        status = str(metadata["event_payload"]["status"]) if metadata else ""
        yield status, since, versions[n + 1][1] if n + 1 < len(versions) else now


def _merged(spans: Iterable[tuple[str, float, float]]) -> Iterator[tuple[str, float, float]]:
    """Neighbours of one status as one: an edit that changes nothing else about it is no second refusal."""
    before = ""
    for span in spans:
        if span[0] != before:
            yield span
        before = span[0]


def _title(message: Message) -> str:
    """Of its heading what follows the place: `Checkpoint 1 of 3: Freeze, attempt 2` is `Freeze`."""
    heading = next((str(b["text"]["text"]) for b in message.blocks if b["type"] == "header"), "")
    return heading.partition(": ")[2].partition(_TITLE_ENDS)[0] or str(message.payload["checkpoint"])
