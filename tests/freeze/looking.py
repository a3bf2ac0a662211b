"""What the doctor finds at a source, asked as it asks: of the database, and of the public API beside it."""

from datetime import UTC, datetime
from pathlib import Path

from bot.doctor import Line, Question, Service, ask
from bot.edges.preflights import public_api
from bot.plan.findings import Finding
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.preflight import checks


async def looked(database: Database, gateway: Gateway, directory: Path | None = None) -> dict[str, Finding]:
    """By check, the database's first."""
    learned = checks.Learned()

    def source() -> Service:
        asked = Question(
            check="source-connection",
            ask=lambda heard: checks.preflight(database, learned, now=lambda: datetime.now(UTC), directory=directory),
        )
        return Service(name="database", title="The database", questions=[asked])

    lines = [one async for one in ask([source(), public_api(database, gateway, learned)]) if isinstance(one, Line)]
    lines.sort(key=lambda line: line.service.name, reverse=True)
    return {line.finding.check: line.finding for line in lines}
