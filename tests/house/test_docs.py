"""The documentation against the code: what is generated is fresh, what is listed is there, what is shown loads."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot import settings
from bot.errors import UsageError, WrongSettings
from bot.plan.gates import DEFAULT
from bot.plan.run import Phase
from bot.plan.signals import WORDS
from bot.settings import Settings
from bot.settings.shape import Checkpoints
from bot.stackauth.users.reasons import REASONS
from docs import generate, screens
from tests.plan.drawn import drawn

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)")
_VARIABLE = re.compile(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$", re.MULTILINE)


_SEARCHED = "docs/states.md"
"""Every word and report is tried in every state for it; by default only `./dev check` asks whether it is fresh."""


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.all] * (page == _SEARCHED)) for page in generate.PARTS]
)
def test_generated_parts_are_fresh(page: str) -> None:
    """A page says what the code says; `.venv/bin/python -m docs.generate` makes it anew."""
    assert (ROOT / page).read_text(encoding="utf-8") == generate.made_anew(page)


def test_every_check_is_described_and_no_other() -> None:
    """Whoever reads a finding's name in Slack finds it in docs/checks.md."""
    assert generate.checks_described().keys() == generate.checks_in_code().keys()


def test_what_can_be_accepted_and_what_is_checked_have_different_names() -> None:
    """Checks and attention reasons are kebab-case and disjoint, so that a name means one thing."""
    checks = generate.checks_in_code().keys()
    assert not checks & REASONS.keys()
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in checks | REASONS.keys())


def test_the_picture_of_the_states_has_every_phase() -> None:
    """docs/states.md draws what the decisions do: each phase is come to, and none but `aborted` is final."""
    picture = drawn()  # of the page, which is fresh, as `./dev check` and another test show
    assert {then for _, then in picture} == set(Phase)
    assert {before for before, _ in picture} == set(Phase) - {Phase.ABORTED}
    assert picture[Phase.DONE, Phase.THAWING] == ("thaw yes",)
    assert "hold" in picture[Phase.WAITING, Phase.HELD]


def test_the_readme_names_every_word_and_every_signal() -> None:
    """What people may type is in the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"@cutover {word}" in readme for word in WORDS)
    assert all(f"`{gate.signal}`" in readme for gate in DEFAULT.gates)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every link within the repository has a file or a folder at its end."""
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_example_file_names_every_key(tmp_path: Path) -> None:
    """cutover.example.toml has each key of each section, no other, with the default where there is one."""
    example = tomllib.loads((ROOT / "cutover.example.toml").read_text(encoding="utf-8"))
    sections = {name: f.default for name, f in Settings.model_fields.items() if isinstance(f.default, BaseModel)}
    keys = {name: tuple(type(default).model_fields) for name, default in sections.items()} | {
        "checkpoints": tuple(gate.name for gate in DEFAULT.gates)  # the others count for nothing in this plan
    }
    assert {name: tuple(keys) for name, keys in example.items()} == keys
    text = (ROOT / "cutover.example.toml").read_text(encoding="utf-8")
    assert all(f"[checkpoints.{gate}]" in text for gate in Checkpoints.model_fields)
    loaded = _loaded({}, tmp_path, config=ROOT / "cutover.example.toml")
    assert loaded.slack.channel == "C00REPLACEME"
    assert loaded.approvers.users == ("U00REPLACEME",)
    for name in sections.keys() - {"slack", "approvers"}:
        assert getattr(loaded, name) == sections[name]


def test_the_example_environment_names_every_variable() -> None:
    """.env.example has each variable once, set or in a comment, and no other."""
    found = [name for name, _ in _VARIABLE.findall((ROOT / ".env.example").read_text(encoding="utf-8"))]
    wanted = [str(f.validation_alias) for f in Settings.model_fields.values() if not isinstance(f.default, BaseModel)]
    assert sorted(found) == sorted(wanted)


def test_the_example_environment_cannot_work_by_accident(tmp_path: Path) -> None:
    """Copied and forgotten it is refused before anything is contacted."""
    (tmp_path / ".env").write_bytes((ROOT / ".env.example").read_bytes())
    (tmp_path / "cutover.toml").write_bytes((ROOT / "cutover.example.toml").read_bytes())
    with pytest.raises(UsageError) as error:
        _loaded({}, tmp_path)
    assert isinstance(error.value, WrongSettings)
    assert [told.split(" still ")[0] for told in error.value.mistakes] == [
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "slack.channel",
        "approvers.users",
        "SUPABASE_DB_URL",
        "SUPABASE_URL",
        "SUPABASE_SERVICE_ROLE_KEY",
        "STACK_AUTH_PROJECT_ID",
        "STACK_AUTH_SECRET_KEY",
    ]


def test_the_screens_are_not_stale() -> None:
    """What decides how they look is as it was when they were taken; `.venv/bin/python -m docs.screens` takes them."""
    assert screens.MADE_FROM.read_text(encoding="utf-8").strip() == screens.digest()
    shown = set(re.findall(r"docs/screens/[a-z]+\.png", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert shown == {path.relative_to(ROOT).as_posix() for path in screens.SCREENS.glob("*.png")}


def _loaded(environment: dict[str, str], directory: Path, config: Path | None = None) -> Settings:
    needs: tuple[settings.Need, ...] = () if config else ("slack", "source", "source_api", "target")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", environment)
        return settings.load(needs, config=config, directory=directory)
