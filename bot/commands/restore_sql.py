"""`cutover restore-sql`: the SQL that loads one exported table, for psql. It contacts nothing."""

from __future__ import annotations

from pathlib import Path

from bot import settings
from bot.artifacts import files, metadata, restore
from bot.regular_files import require_regular


def restore_sql(config: Path | None, table: str, directory: Path | None) -> int:
    bundle = (directory or settings.load(config=config).migration_data_dir).absolute()
    described = metadata.read(bundle / files.METADATA)
    found = restore.find(described, table)
    require_regular(bundle / found.file)  # psql opens whatever has this name
    print(restore.restore_sql(described, found, str(bundle / found.file)))
    return 0
