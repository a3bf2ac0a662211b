"""What needs no service: clocks compared, the data directory, names in the settings."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.examiners.this_machine import accepted_reasons, data_directory
from bot.plan.clocks import ALLOWED_SECONDS, Comparison
from bot.stackauth.users.reasons import REASONS

_NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


@given(ahead=st.floats(-1e6, 1e6), there=st.floats(0, 60), back=st.floats(0, 60), grain=st.sampled_from([0.0, 1.0]))
def test_no_clock_is_called_wrong_for_a_slow_answer_or_a_coarse_clock(
    ahead: float, there: float, back: float, grain: float
) -> None:
    """Clocks that are less than five seconds apart never are, and those that surely are more always are."""
    theirs = _NOON.timestamp() + there + ahead
    shown = datetime.fromtimestamp(theirs // grain * grain if grain else theirs, UTC)
    answered = _NOON + timedelta(seconds=there + back)
    compared = Comparison(asked=_NOON, theirs=shown, answered=answered, grain=timedelta(seconds=grain))
    rounding = 0.001
    if abs(ahead) < ALLOWED_SECONDS - rounding:
        assert not compared.apart
    if abs(ahead) > ALLOWED_SECONDS + there + back + grain + rounding:
        assert compared.apart
        assert (compared.ahead_seconds > 0) is (ahead > 0)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (4.9, "This machine's clock and the database's are less than 5 s apart."),
        (
            90.0,
            "This machine's clock is 90 s behind the database's. The journal's times, the window and the retention "
            "date would be wrong by that.",
        ),
        (
            -7200.0,
            "This machine's clock is 120 minutes ahead of the database's. The journal's times, the window and the "
            "retention date would be wrong by that.",
        ),
    ],
)
def test_what_is_said_of_two_clocks(seconds: float, told: str) -> None:
    """By how much, which way, and what it would do."""
    compared = Comparison(asked=_NOON, theirs=_NOON + timedelta(seconds=seconds), answered=_NOON)
    assert compared.told("the database's") == told


def test_a_name_that_is_no_reason_is_reported_with_the_nearest() -> None:
    """Days before: at the gate it would accept nothing."""
    assert accepted_reasons((), REASONS) is None
    finding = accepted_reasons(("banned", "sso-users", "banned", "quite-another"), REASONS)
    assert finding is not None
    assert (finding.verdict, finding.evidence) == (
        "fail",
        "users.accept names unknown reasons: `sso-users` (the nearest is `sso-user`), `quite-another`.",
    )
    right = accepted_reasons(("banned", "sso-user"), REASONS)
    assert right is not None
    assert (right.verdict, right.evidence) == ("pass", "users.accept accepts ahead: banned, sso-user.")


def test_a_directory_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    """What can be written is its nearest parent."""
    finding = data_directory(tmp_path / "to-be" / "made", dyno=False, ephemeral_ok=True)
    assert finding.verdict in {"pass", "warn"}, "the tests may run on a file system that does not last"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("ephemeral_ok", "verdict"), [(False, "fail"), (True, "warn")])
def test_a_directory_that_a_restart_loses_is_reported(tmp_path: Path, ephemeral_ok: bool, verdict: str) -> None:
    """Unless that was accepted, and then as a warning."""
    finding = data_directory(tmp_path, dyno=True, ephemeral_ok=ephemeral_ok)
    assert finding.verdict == verdict
    assert finding.evidence.startswith(
        f"The data directory {tmp_path} is on a dyno, which loses its files at every restart: you would lose the "
        "journal, the export and the mapping."
    )


def test_a_file_in_its_place_is_reported(tmp_path: Path) -> None:
    """And so is anything that this user may not write to."""
    (tmp_path / "file").write_text("")
    finding = data_directory(tmp_path / "file" / "data", dyno=False, ephemeral_ok=True)
    assert (finding.verdict, finding.evidence) == (
        "fail",
        f"{tmp_path / 'file'} is no directory, so the data directory {tmp_path / 'file' / 'data'} cannot be there.",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_a_right_to_write_is_reported(tmp_path: Path) -> None:
    """Before a run would end there."""
    tmp_path.chmod(0o500)
    assert data_directory(tmp_path / "data", dyno=False, ephemeral_ok=True).evidence == (
        f"This user may not write to {tmp_path}, where the data directory {tmp_path / 'data'} is to be."
    )
