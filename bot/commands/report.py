"""`cutover report`: the evidence page of a run, from its journal and its bundle; it contacts nobody, takes no lock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from bot import settings
from bot.artifacts import files, metadata
from bot.errors import UsageError
from bot.plan.events import AnyEvent
from bot.record import read_events
from bot.report.evidence import gathered
from bot.report.page import page


def report(config: Path | None, directory: Path | None) -> int:
    """Raises RecordDamaged, and writes nothing, when the journal or metadata.json is not what was written."""
    bundle = directory or settings.load(config=config).migration_data_dir
    head = (0, "")

    def lines() -> Iterator[tuple[int, AnyEvent]]:
        nonlocal head
        for line, event in read_events(bundle):
            head = (line.n, line.hash)
            yield line.n, event

    events = list(lines())
    described, sha256 = None, ""
    if (bundle / files.METADATA).exists():
        described, sha256 = metadata.read(bundle / files.METADATA), files.sha256_of(bundle / files.METADATA)
    evidence = gathered(events, head, described, sha256)
    if evidence is None:
        raise UsageError(
            f"There is no run in {bundle}",
            unchanged="nothing was written",
            do="name the directory of a run, such as the data directory or one in its archive",
        )
    html = page(evidence)
    files.rewrite(bundle / files.REPORT, html)
    print(f"{bundle / files.REPORT}\nSHA-256 {hashlib.sha256(html).hexdigest()}, from line {head[0]} of the journal")
    return 0
