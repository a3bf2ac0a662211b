"""`cutover restore-sql`: the SQL that loads one exported table, or all of them, for psql. It contacts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot import settings
from bot.artifacts import files, metadata, receipt, restore, restore_all
from bot.errors import UsageError
from bot.regular_files import require_regular
from bot.terminal import print_sql


def chosen(
    config: Path | None, table: str | None, directory: Path | None, *, whole: bool, without: Sequence[str] = ()
) -> int:
    """As its arguments say; with `whole` the only one is the bundle's directory, and `without` names schemas."""
    if whole and directory is None:
        return restore_all_sql(config, None if table is None else Path(table), without)
    if without and not whole:
        raise UsageError(
            "--without leaves schemas out of the whole bundle, and --all was not given",
            unchanged="nothing was printed",
            do="give --all as well, or name one table alone",
        )
    if whole or table is None:
        raise UsageError(
            "restore-sql prints either one table or, with --all, the whole bundle",
            unchanged="nothing was printed",
            do="name a table and after it the directory, or --all and the directory",
        )
    return restore_sql(config, table, directory)


def restore_sql(config: Path | None, table: str, directory: Path | None) -> int:
    bundle, described = _bundle(config, directory)
    found = restore.find(described, table)
    require_regular(bundle / found.file)  # psql opens whatever has this name
    print_sql(restore.restore_sql(described, found, str(bundle / found.file)))
    return 0


def restore_all_sql(config: Path | None, directory: Path | None, without: Sequence[str] = ()) -> int:
    bundle, described = _bundle(config, directory)
    described = restore_all.without_schemas(described, without)
    for table in described.tables.values():
        require_regular(bundle / table.file)
    print_sql(restore_all.restore_all_sql(described, bundle))
    return 0


def _bundle(config: Path | None, directory: Path | None) -> tuple[Path, metadata.Metadata]:
    bundle = (directory or settings.load(config=config).migration_data_dir).absolute()
    receipt.refuse_purged(
        bundle, unchanged="nothing was printed", do="use a copy of the bundle, if there is one outside its retention"
    )
    return bundle, metadata.read(bundle / files.METADATA)
