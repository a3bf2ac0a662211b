"""A team that sets no plan meets nothing of the other ones."""

import json
import re
from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from bot import cli
from bot.plan.gates import BEFORE, BEHIND
from tests import clusters
from tests.night.playing import fast_night, shows, told

_OTHERS = re.compile(
    "|".join([*(gate.signal for gate in (*BEFORE, *BEHIND)), r"checklist", r"\b(un)?tick\b", r"plan\.(gates|own)"]),
    re.IGNORECASE,
)


async def test_help_manifest_doctor_and_the_first_checkpoint_speak_of_three_gates_alone(tmp_path: Path) -> None:
    """No word, no setting, no question of a gate that is not in the plan."""
    printed = {}
    for name in ("", *get_command(cli.app).commands):  # type: ignore[attr-defined]
        printed[f"{name} --help"] = CliRunner().invoke(cli.app, [*([name] if name else []), "--help"]).output
    assert "Usage" in printed["run --help"]
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        for command in ("manifest", "doctor"):
            _, out, err = await night.command(command)
            printed[command] = out + err
        printed["help, in the channel"] = (await told(night, "linus", "@cutover help"))[1]
        printed["who, in the channel"] = (await told(night, "linus", "@cutover who"))[1]
        for message in night.slack.messages:
            printed[str(message.payload.get("key"))] = message.text + json.dumps(message.blocks)
    assert any("/checkpoint/freeze/1" in key for key in printed)
    assert {key: found[0] for key, text in printed.items() if (found := _OTHERS.search(text))} == {}
