"""For every command and every code that it can end with, what shows it: a snapshot, or a test.

A snapshot is named by its file below `snapshots/`, and shows the command as it was typed, its code and both streams. A
test is named as pytest does; it is here where what is printed differs from run to run. docs/exits.toml says when a
command ends so.
"""

from collections.abc import Mapping

BUG = "exits/bug.txt"
"""1: a bug ends every command alike."""
MISTYPED = "wrong_usage.txt"
"""2, too: what is mistyped does so as well."""
INTERRUPTED = "interrupted/{command}.txt"
"""130, a file for each command."""

EXITS: Mapping[str, Mapping[int, tuple[str, ...]]] = {
    "doctor": {
        0: ("exits/doctor-freeze.txt", "tests/doctor/test_output.py::test_a_look_around_where_all_is_well"),
        2: ("exits/doctor.txt",),
        3: ("exits/doctor.txt", "exits/doctor-freeze.txt"),
        5: ("exits/doctor.txt", "tests/doctor/test_output.py::test_a_look_around_where_nobody_answers"),
    },
    "practice": {
        0: ("exits/practice.txt",),
        2: ("exits/not_now.txt",),
        3: (
            "exits/purged.txt",
            "tests/practice/test_practice.py::test_a_file_that_is_read_otherwise_than_written_ends_it",
        ),
        4: ("exits/practice_beside_another.txt",),
        5: ("exits/unreachable.txt",),
    },
    "run": {
        0: ("exits/run.txt", "exits/run_of_a_night.txt"),
        2: ("exits/run.txt",),
        3: ("exits/run.txt", "exits/purged.txt"),
        4: ("exits/run.txt",),
        5: ("exits/run.txt",),
    },
    "status": {
        0: ("exits/status.txt", "exits/purged.txt"),
        2: ("exits/status.txt",),
        3: ("exits/status.txt",),
    },
    "verify": {
        0: ("exits/verify.txt", "exits/purged.txt"),
        2: ("exits/verify.txt",),
        3: ("exits/verify.txt",),
    },
    "report": {
        0: ("exits/report.txt", "exits/purged.txt"),
        2: ("exits/report.txt",),
        3: ("exits/report.txt",),
    },
    "restore-sql": {
        0: ("exits/restore-sql.txt",),
        2: ("exits/restore-sql.txt",),
        3: ("exits/restore-sql.txt", "exits/purged.txt"),
    },
    "freeze-sql": {
        0: ("tests/terminal/test_exits.py::test_freeze_sql",),
        2: ("exits/freeze-sql.txt",),
    },
    "thaw": {
        0: ("exits/thaw.txt",),
        2: ("exits/not_now.txt",),
        3: ("exits/thaw.txt",),
        5: ("exits/thaw.txt", "exits/unreachable.txt"),
    },
    "abort": {
        0: ("exits/abort.txt",),
        2: ("exits/not_now.txt",),
        3: ("exits/abort.txt", "exits/not_now.txt"),
        4: ("exits/abort_beside_a_bot.txt",),
        5: ("exits/unreachable.txt",),
    },
    "undo-users": {
        0: ("exits/undo-users.txt",),
        2: ("exits/not_now.txt",),
        3: ("exits/not_now.txt", "exits/purged.txt"),
        4: ("exits/undo-users.txt",),
        5: ("exits/undo-users.txt",),
    },
    "attention": {
        0: ("exits/attention.txt",),
        2: ("exits/attention.txt",),
        3: ("exits/attention.txt", "exits/purged.txt"),
    },
    "purge": {
        0: ("exits/purge.txt",),
        2: ("exits/purge.txt",),
        3: ("exits/purge.txt",),
        4: ("exits/purge.txt",),
        5: ("exits/purge.txt",),
    },
    "manifest": {
        0: ("exits/manifest.txt",),
        2: ("exits/manifest.txt",),
    },
    "rehearse": {
        0: ("tests/night/test_night.py::test_the_rehearsal_plays_the_whole_night",),
        2: (
            "exits/rehearse.txt",
            "exits/rehearse_wrongly.txt",
            "tests/rehearsal/test_door.py::test_only_this_machines_own_address_is_listened_on",
        ),
        3: ("exits/rehearse_otherwise.txt",),
    },
}
