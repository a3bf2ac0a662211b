"""`cutover report`: the evidence page of a run, from its journal and its bundle; it contacts nobody, takes no lock."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bot import settings
from bot.artifacts import durable, files, metadata
from bot.errors import UsageError
from bot.record import read_events
from bot.report.afterwards import afterwards
from bot.report.evidence import gathered
from bot.report.page import page
from bot.terminal import tell


def report(config: Path | None, directory: Path | None) -> int:
    """Raises RecordDamaged, and writes nothing, when journal, metadata.json or undo.jsonl is not what was written."""
    bundle = directory or settings.load(config=config).migration_data_dir
    record = list(read_events(bundle))
    head = (record[-1][0].n, record[-1][0].hash) if record else (0, "")
    described, sha256 = None, ""
    if (bundle / files.METADATA).exists():
        sha256 = durable.sha256_of(bundle / files.METADATA)
        described = metadata.read(bundle / files.METADATA, sha256=sha256)
    lines = ((line.n, event) for line, event in record)
    evidence = gathered(lines, head, described, sha256, afterwards(bundle))
    if evidence is None:
        raise UsageError(
            f"There is no run in {bundle}",
            unchanged="nothing was written",
            do="name the directory of a run, such as the data directory or one in its archive",
        )
    html = page(evidence)
    durable.rewrite(bundle / files.REPORT, html)
    tell(f"{bundle / files.REPORT}\nSHA-256 {hashlib.sha256(html).hexdigest()}, from line {head[0]} of the journal")
    return 0
