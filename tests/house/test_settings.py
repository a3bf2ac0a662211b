"""Settings: who overrides whom, and that every mistake is reported at once and without showing a value."""

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot import settings
from bot.connection_string import CUT_OFF
from bot.errors import UsageError, WrongSettings
from bot.plan.timetable import timers
from bot.settings import Need, Settings
from tests.mistakes.cases import NOTHING_SET
from tests.plan.histories import night_at

_ALL: tuple[Need, ...] = ("slack", "source", "source_api", "target")
_WHOLE = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "SUPABASE_DB_URL": "postgresql://postgres:s3cret%40word@db.abcdefghijklmnopqrst.supabase.co:5432/postgres",
    "SUPABASE_URL": "https://abcdefghijklmnopqrst.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "eyJ.eyJ.sig",
    "STACK_AUTH_PROJECT_ID": "p-1",
    "STACK_AUTH_SECRET_KEY": "ssk_1",
    "CUTOVER__SLACK__CHANNEL": "C0CUTOVER",
    "CUTOVER__APPROVERS__USERS": '["U0ADA", "U0GRACE"]',
}


def _mistakes(*told: str) -> str:
    return str(WrongSettings(told))


def _loaded(environment: Mapping[str, str], directory: Path, *needs: Need, config: Path | None = None) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", dict(environment))
        return settings.load(needs, config=config, directory=directory)


def _refused(environment: Mapping[str, str], directory: Path, *needs: Need, config: Path | None = None) -> str:
    with pytest.raises(UsageError) as error:
        _loaded(environment, directory, *needs, config=config)
    return str(error.value)


def test_the_environment_goes_over_dotenv_goes_over_the_file(tmp_path: Path) -> None:
    """Key by key: what one leaves out the next one gives."""
    (tmp_path / "cutover.toml").write_text(
        '[export]\nworkers = 1\nexclude_tables = ["public.a"]\ninclude_schemas = ["app"]\n[users]\nretain_days = 30\n'
    )
    (tmp_path / ".env").write_text(
        "CUTOVER__EXPORT__WORKERS=2\nCUTOVER__EXPORT__EXCLUDE_TABLES='[\"public.b\"]'\nSLACK_BOT_TOKEN=xoxb-env\n"
    )
    told = _loaded({"CUTOVER__EXPORT__WORKERS": "3"}, tmp_path)
    assert told.export.workers == 3
    assert told.export.exclude_tables == ("public.b",)
    assert told.export.include_schemas == ("app",)
    assert told.users.retain_days == 30
    assert told.slack_bot_token is not None
    assert told.slack_bot_token.get_secret_value() == "xoxb-env"


def test_nothing_set_and_no_file_is_fine_for_a_command_that_needs_nothing(tmp_path: Path) -> None:
    """`cutover status` in an empty directory has every default, and an empty value counts as none."""
    told = _loaded({"SLACK_BOT_TOKEN": "", "CUTOVER__EXPORT__WORKERS": ""}, tmp_path)
    assert told == Settings()
    assert told.slack_bot_token is None
    assert told.migration_data_dir == Path("migration-data")


def test_a_config_file_by_name_takes_the_place_of_the_one_in_the_directory(tmp_path: Path) -> None:
    """`--config` names the only file that is read; one that is not there is a mistake."""
    (tmp_path / "cutover.toml").write_text("[export]\nworkers = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("[export]\nworkers = 7\n")
    assert _loaded({}, tmp_path, config=other).export.workers == 7
    assert _refused({}, tmp_path, config=tmp_path / "none.toml") == (
        _mistakes("--config names none.toml, and there is no such file")
    )


def test_a_mistake_is_one_line_and_several_are_one_each(tmp_path: Path) -> None:
    """What is wrong first, then what was not done and what to do."""
    tail = (
        "Nothing was contacted or written; fix the environment, .env or cutover.toml (cutover.example.toml shows every "
        "key), and start again."
    )
    whole = {name: value for name, value in _WHOLE.items() if name != "SLACK_BOT_TOKEN"}
    assert _refused(whole, tmp_path, *_ALL) == f"SLACK_BOT_TOKEN is missing. {tail}"
    (tmp_path / "cutover.toml").write_text('[slack]\nchanel = "C0CUTOVER"\n')
    assert _refused(whole, tmp_path, *_ALL) == (
        "The settings have 2 mistakes:\nUnknown setting `slack.chanel`; did you mean `slack.channel`?\n"
        f"SLACK_BOT_TOKEN is missing.\n{tail}"
    )


def test_every_missing_setting_is_reported_at_once(tmp_path: Path) -> None:
    """An empty environment gets the whole list."""
    assert _refused({}, tmp_path, *_ALL) == _mistakes(*NOTHING_SET)


def test_wrong_forms_unknown_keys_and_missing_values_are_reported_together(tmp_path: Path) -> None:
    """Of the environment, of `.env` and of the file; and what is wrong is not called missing too."""
    (tmp_path / "cutover.toml").write_text('[slack]\nchannel = "#cutover"\ncolour = "red"\n[windows]\nminutes = 4\n')
    (tmp_path / ".env").write_text("CUTOVER__DOORS__OPEN=1\nCUTOVER__EXPORT__WORKERS=0\n")
    environment = {
        "PORT": "here",
        "SLACK_BOT_TOKEN": "bot",
        "SLACK_APP_TOKEN": "app",
        "CUTOVER__APPROVERS__USERS": "ada",
        "CUTOVER__USERS__PACE": "fast",
        "CUTOVER__CHECKPOINTS__FREEZE__APPROVALS": "0",
        "SUPABASE_DB_URL": "mysql://root@db/x",
        "SUPABASE_URL": "db.example.org",
        "STACK_AUTH_API_URL": "https://[",
        "STACK_AUTH_PROJECT_ID": "p-1",
    }
    assert _refused(environment, tmp_path, *_ALL) == _mistakes(
        "Unknown setting `windows.minutes`; did you mean `window.minutes`?",
        "Unknown setting `CUTOVER__DOORS__OPEN`",
        "Unknown setting `slack.colour`",
        "Unknown setting `CUTOVER__USERS__PACE`",
        "PORT must be a whole number from 1 to 65535",
        "slack.channel is not a channel ID (C0… or G0…, at the end of the channel's details)",
        'approvers.users is not a list of user IDs (["U0…"], each from the menu of a profile)',
        "checkpoints.freeze.approvals must be a whole number from 1 to 9",
        "export.workers must be a whole number from 1 to 32",
        "SLACK_BOT_TOKEN does not begin with xoxb-; put in the Bot User OAuth Token of the app (xoxb-…, under OAuth & "
        "Permissions)",
        "SLACK_APP_TOKEN does not begin with xapp-; put in an app-level token with the scope connections:write "
        "(xapp-…, under Basic Information)",
        "SUPABASE_DB_URL does not begin with postgresql://",
        "SUPABASE_SERVICE_ROLE_KEY is missing",
        "SUPABASE_URL is not an http(s) address; write https://PROJECT-REF.supabase.co",
        "STACK_AUTH_SECRET_KEY is missing",
        "STACK_AUTH_API_URL is not an http(s) address; write https://api.stack-auth.com",
    )


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[[plan.own]]\nname = 'dns'\nafter = 'users'\nclaim = 'x'", "plan.own: an entry lacks `signal`"),
        (f"[[plan.own]]\nname = 'dns'\nafter = 'users'\nsignal = 'dns-ready'\nclaim = 'x'\ntitle = '{61 * 'x'}'",
         "plan.own: `title` must be a text, up to 60 characters"),
        ("[plan]\nown = 'dns'", "plan.own must be a list of tables: name, after, signal, claim, title, checklist"),
        ("[checkpoints.live]\nurls = [{url = 'app.example.com'}]",
         "checkpoints.live.urls: `url` must be an http(s) address"),
        ("[checkpoints.live]\nurls = [{url = 'https://app.example.com', status = 99}]",
         "checkpoints.live.urls: `status` must be a whole number from 100 to 599"),
        ("[checkpoints.freeze]\nchecklist = 'x'",
         "checkpoints.freeze.checklist must be a table of key and text, up to 20"),
        ("[freeze]\nmode = 'robot'", "freeze.mode must be `people` or `bot`"),
        ("[freeze]\nhold_locks = 'perhaps'", "freeze.hold_locks must be `true` or `false`"),
        ("[export]\nexclude_tables = 'public.logs'", "export.exclude_tables must be a list of texts"),
        ("[users]\nretain_days = 1.5", "users.retain_days must be a whole number from 1 to 3650"),
    ],
)  # fmt: skip
def test_a_value_of_another_form_is_reported_with_the_right_one(toml: str, told: str, tmp_path: Path) -> None:
    """Of an entry in a list of tables, by its key."""
    (tmp_path / "cutover.toml").write_text(toml)
    assert _refused(_WHOLE, tmp_path) == _mistakes(told)


_OWN = "[[plan.own]]\nname = 'dns'\nafter = 'users'\nsignal = 'dns-ready'\nclaim = 'x'\n"


@pytest.mark.parametrize(
    ("toml", "variables", "told"),
    [
        ("[slack]\nchanel = 'C0X'", {}, "Unknown setting `slack.chanel`; did you mean `slack.channel`?"),
        ("", {"CUTOVER__SLACK__CHANEL": "C0X"},
         "Unknown setting `CUTOVER__SLACK__CHANEL`; did you mean `CUTOVER__SLACK__CHANNEL`?"),
        ("", {"CUTOVER__SLAK__CHANNEL": "C0X"},
         "Unknown setting `CUTOVER__SLAK__CHANNEL`; did you mean `CUTOVER__SLACK__CHANNEL`?"),
        ("", {"CUTOVER_EXPORT_WORKERS": "3"},
         "Unknown setting `CUTOVER_EXPORT_WORKERS`; did you mean `CUTOVER__EXPORT__WORKERS`?"),
        ("[exports]\nworkers = 1", {}, "Unknown setting `exports.workers`; did you mean `export.workers`?"),
        ("[export]\nexclude_table = []", {},
         "Unknown setting `export.exclude_table`; did you mean `export.exclude_tables`?"),
        ("channel = 'C0X'", {}, "Unknown setting `channel`; did you mean `slack.channel`?"),
        ("[export]\nretain_days = 3", {}, "Unknown setting `export.retain_days`; did you mean `users.retain_days`?"),
        ("[slack]\nbot_token = 'pl4nted'", {}, "Unknown setting `slack.bot_token`; did you mean `SLACK_BOT_TOKEN`?"),
        ("[checkpoints.freeze]\napproval = 2", {},
         "Unknown setting `checkpoints.freeze.approval`; did you mean `checkpoints.freeze.approvals`?"),
        ("[checkpoints.freez]\napprovals = 2", {},
         "Unknown setting `checkpoints.freez`; did you mean `checkpoints.freeze`?"),
        (f"{_OWN}titel = 'DNS'", {}, "Unknown setting `plan.own.titel`; did you mean `plan.own.title`?"),
        ("[colours]\nred = 1", {}, "Unknown setting `colours.red`"),
    ],
)  # fmt: skip
def test_an_unknown_setting_gets_the_nearest_known_one(
    toml: str, variables: dict[str, str], told: str, tmp_path: Path
) -> None:
    """As its reader wrote it, in the file or as a variable; where nothing is near, nothing is suggested."""
    (tmp_path / "cutover.toml").write_text(toml)
    assert _refused({**_WHOLE, **variables}, tmp_path, *_ALL) == _mistakes(told)


def test_what_was_meant_is_not_called_missing_too(tmp_path: Path) -> None:
    """One mistake is reported once, however often it was made."""
    whole = {name: value for name, value in _WHOLE.items() if name != "CUTOVER__SLACK__CHANNEL"}
    (tmp_path / "cutover.toml").write_text("[slack]\nchanel = 'C0X'\nchannl = 'C0X'\n[slak]\nchannel = 'C0X'\n")
    assert _refused(whole, tmp_path, *_ALL) == _mistakes(
        "Unknown setting `slak.channel`; did you mean `slack.channel`?",
        "Unknown setting `slack.chanel`; did you mean `slack.channel`?",
        "Unknown setting `slack.channl`; did you mean `slack.channel`?",
    )


def test_what_is_missing_may_be_under_a_name_that_is_hardly_another_one(tmp_path: Path) -> None:
    """A variable of a service may be any tool's, so that it is named only beside what is missing."""
    whole = {name: value for name, value in _WHOLE.items() if name != "SLACK_BOT_TOKEN"}
    (tmp_path / ".env").write_text("SLACK_BOT_TOKN=xoxb-1\nSUPABASE_ACCESS_TOKEN=x\nSLACK_CHANEL=x\n")
    assert _refused(whole, tmp_path, *_ALL) == _mistakes(
        "SLACK_BOT_TOKEN is missing, and `SLACK_BOT_TOKN` is set; did you mean `SLACK_BOT_TOKEN`?"
    )


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-…"}, "SLACK_BOT_TOKEN still holds a placeholder; put in the Bot User"),
        ({"SLACK_APP_TOKEN": "xapp-REPLACE-ME"}, "SLACK_APP_TOKEN still holds a placeholder; put in an app-level"),
        ({"SUPABASE_SERVICE_ROLE_KEY": "<your key>"}, "SUPABASE_SERVICE_ROLE_KEY still holds a placeholder; put in"),
        ({"STACK_AUTH_SECRET_KEY": "changeme"}, "STACK_AUTH_SECRET_KEY still holds a placeholder; put in the project"),
        ({"STACK_AUTH_PROJECT_ID": "${STACK_PROJECT}"}, "STACK_AUTH_PROJECT_ID still holds a placeholder; put in"),
        ({"CUTOVER__SLACK__CHANNEL": "C0…"}, "slack.channel still holds a placeholder; put in the channel's ID"),
        ({"CUTOVER__SLACK__CHANNEL": "C00REPLACEME"}, "slack.channel still holds a placeholder; put in the channel's"),
        ({"CUTOVER__APPROVERS__USERS": '["U0ADA", "U0…"]'}, "approvers.users still holds a placeholder; put in user"),
        ({"SUPABASE_URL": "https://YOUR-REF.supabase.co"}, "SUPABASE_URL still holds a placeholder; write https://"),
        ({"SUPABASE_DB_URL": "postgresql://postgres:[YOUR-PASSWORD]@db.abcdefghijklmnopqrst.supabase.co/postgres"},
         "SUPABASE_DB_URL still holds [YOUR-PASSWORD] in place of the database password"),
        ({"SUPABASE_DB_URL": "postgresql://postgres:pw@db.YOUR-REF.supabase.co/postgres"},
         "SUPABASE_DB_URL still holds a placeholder in place of the project's ref; copy"),
    ],
)  # fmt: skip
def test_a_placeholder_that_was_left_in_is_named(given: dict[str, str], begins: str, tmp_path: Path) -> None:
    """With what belongs there."""
    told = _refused({**_WHOLE, **given}, tmp_path, *_ALL)
    assert told.startswith(begins)


@pytest.mark.parametrize(
    "given",
    [
        {"SUPABASE_URL": "https://api.my-company.example.com"},
        {"SUPABASE_URL": "https://ref.example.com"},
        {"SUPABASE_URL": "https://[fe80::abcd]"},
        {"CANARY_EMAIL": "canary@example.com", "CANARY_PASSWORD": "changeme"},
    ],
)
def test_what_only_looks_like_a_placeholder_is_taken(given: dict[str, str], tmp_path: Path) -> None:
    """A name of one's own, and a password, which may be anything."""
    _loaded({**_WHOLE, **given}, tmp_path, *_ALL)
    odd = "postgresql://postgres:changeme@db.abcdefghijklmnopqrst.supabase.co/postgres"
    _loaded({**_WHOLE, "SUPABASE_DB_URL": odd}, tmp_path, *_ALL)


def test_values_of_dotenv_are_literal_and_paths_know_the_home(tmp_path: Path) -> None:
    """`${…}` and `$` may be pieces of a password; `~` is the home of whoever starts the bot."""
    dsn = "postgresql://postgres:a${HOME}b$HOME@db.abcdefghijklmnopqrst.supabase.co:5432/postgres"
    (tmp_path / ".env").write_text(
        f'SUPABASE_DB_URL={dsn}\nSLACK_BOT_TOKEN="xoxb-${{HOME}}"\nMIGRATION_DATA_DIR=~/data\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {"HOME": str(tmp_path)})
        told = settings.load(directory=tmp_path)
        (tmp_path / "cutover.toml").write_text("[export]\nworkers = 7\n")
        assert settings.load(config=Path("~/cutover.toml"), directory=tmp_path / "elsewhere").export.workers == 7
    assert told.supabase_db_url is not None
    assert told.supabase_db_url.get_secret_value() == dsn
    assert told.slack_bot_token is not None
    assert told.slack_bot_token.get_secret_value() == "xoxb-${HOME}"
    assert told.migration_data_dir == tmp_path / "data"


def test_a_mark_before_the_first_letter_is_no_letter(tmp_path: Path) -> None:
    """As some editors write it into every file."""
    (tmp_path / "cutover.toml").write_text("[export]\nworkers = 7\n", encoding="utf-8-sig")
    (tmp_path / ".env").write_text("SLACK_BOT_TOKEN=xoxb-env\n", encoding="utf-8-sig")
    told = _loaded({}, tmp_path)
    assert told.export.workers == 7
    assert told.slack_bot_token is not None


@pytest.mark.parametrize(
    ("url", "mistake"),
    [
        ("https://abcdefghijklmnopqrst.supabase.co/rest/v1/",
         "SUPABASE_URL has a path (/rest/v1…) behind the host; write the address without it, as in "
         "https://PROJECT-REF.supabase.co"),
        ("https://supabase.com/dashboard/project/abcdefghijklmnopqrst",
         "SUPABASE_URL has a path (/dashboard…) behind the host; write the address without it, as in "
         "https://PROJECT-REF.supabase.co"),
        ("https://abcdefghijklmnopqrst.supabase.co/pl4nted",
         "SUPABASE_URL has a path behind the host; write the address without it, as in "
         "https://PROJECT-REF.supabase.co"),
        ("https://abcdefghijklmnopqrst.supabase.co?apikey=pl4nted",
         "SUPABASE_URL holds more than an address (a user, or something behind ? or #); write "
         "https://PROJECT-REF.supabase.co"),
        ("https://db.abcdefghijklmnopqrst.supabase.co",
         "SUPABASE_URL names the database's host; write https://PROJECT-REF.supabase.co, without db. before the ref"),
    ],
)  # fmt: skip
def test_an_address_that_is_more_than_one_blames_what_is_too_much(url: str, mistake: str, tmp_path: Path) -> None:
    """A path is named only where it is one of the service's own."""
    assert _refused({**_WHOLE, "SUPABASE_URL": url}, tmp_path, *_ALL) == _mistakes(mistake)


def _key(ref: str, role: str = "service_role") -> str:
    claims = json.dumps({"iss": "supabase", "ref": ref, "role": role}).encode()
    return f"eyJ.{urlsafe_b64encode(claims).decode().rstrip('=')}.pl4nted"


def test_connection_string_address_and_keys_are_of_one_project(tmp_path: Path) -> None:
    """Wherever a ref can be read: told with which setting says which, and never with a key."""
    mixed = {
        "SUPABASE_SECRET_KEY": _key("zyxwvutsrqponmlkjihg"),
        "SUPABASE_DB_URL": "postgresql://postgres.pooledpooledpooledpo:pw@aws-0-eu-west-1.pooler.supabase.com:5432/postgres",
    }
    whole = {name: value for name, value in _WHOLE.items() if name != "SUPABASE_SERVICE_ROLE_KEY"}
    assert _refused({**whole, **mixed}, tmp_path, *_ALL) == _mistakes(
        "The settings name different Supabase projects (SUPABASE_DB_URL says pooledpooledpooledpo, SUPABASE_URL says "
        "abcdefghijklmnopqrst, SUPABASE_SECRET_KEY says zyxwvutsrqponmlkjihg); take connection string, URL and keys "
        "from one project"
    )
    _loaded({**whole, "SUPABASE_SECRET_KEY": _key("abcdefghijklmnopqrst")}, tmp_path, *_ALL)


@pytest.mark.parametrize(
    ("dsn", "mistake"),
    [
        ("", "SUPABASE_DB_URL is missing"),
        ("db.example.org", "SUPABASE_DB_URL does not begin with postgresql://"),
        ("postgresql://postgres:p@ss@db.example.org:5432/postgres", f"SUPABASE_DB_URL {CUT_OFF}"),
    ],
)
def test_a_malformed_dsn_is_reported_by_what_is_wrong_with_it(tmp_path: Path, dsn: str, mistake: str) -> None:
    """As tests/freeze/test_dsn.py has every kind, here under its setting."""
    assert _refused({**_WHOLE, "SUPABASE_DB_URL": dsn}, tmp_path, *_ALL) == _mistakes(mistake)


def test_files_that_are_not_valid_are_reported_with_the_place(tmp_path: Path) -> None:
    """And the other mistakes are reported all the same."""
    (tmp_path / "cutover.toml").write_text("[export]\nworkers = four\n")
    (tmp_path / ".env").write_text("SLACK_BOT_TOKEN=xoxb-1\nthis is no line\n")
    assert _refused({"CUTOVER__NOPE__X": "1"}, tmp_path) == _mistakes(
        "cutover.toml is not valid TOML at line 2, column 11",
        ".env is not valid at line 2",
        "Unknown setting `CUTOVER__NOPE__X`",
    )


def test_http_mode_needs_its_two_settings_and_no_app_token(tmp_path: Path) -> None:
    """A signing secret and a port take the place of the app token."""
    environment = {**_WHOLE, "SLACK_SIGNING_SECRET": "signing", "PORT": "3000"}
    del environment["SLACK_APP_TOKEN"]
    assert _loaded(environment, tmp_path, *_ALL).port == 3000


def test_the_secrets_are_all_secret_values_and_the_password_by_itself(tmp_path: Path) -> None:
    """The password as it is in the DSN and as it is meant, since the one or the other may be quoted by somebody."""
    canary = {"CANARY_EMAIL": "canary@example.com", "CANARY_PASSWORD": "known", "STACK_AUTH_PUBLISHABLE_KEY": "pck_1"}
    more = {"SUPABASE_ANON_KEY": "anon", "SLACK_SIGNING_SECRET": "signing", **canary}
    secrets = _loaded({**_WHOLE, **more}, tmp_path).secrets
    named = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SUPABASE_DB_URL", "SUPABASE_SERVICE_ROLE_KEY")
    assert set(secrets) == {
        *(_WHOLE[name] for name in (*named, "STACK_AUTH_SECRET_KEY")),
        "anon",
        "signing",
        "s3cret%40word",
        "s3cret@word",
        *canary.values(),
    }


_NAMES = [*_WHOLE, "SLACK_SIGNING_SECRET", "SUPABASE_ANON_KEY", "PORT", "CUTOVER__EXPORT__WORKERS", "SLACK_API_URL"]
_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30).map(lambda text: f"pl4nted{text}")
_PREFIXES = st.sampled_from(["", "xoxb-", "postgresql://u:", "postgresql://u:p@h:", "https://", "[", '["'])


@pytest.mark.parametrize(
    ("dsn", "password"),
    [
        ("host=h user=u password=pl4nted dbname=d", "pl4nted"),
        (r"host=h password='pl4 \'nted' user=u", "pl4 'nted"),
        ("postgresql://u:p@ss/w#rd@h/d", "p@ss/w#rd"),
    ],
)
def test_the_password_is_found_in_either_form(dsn: str, password: str) -> None:
    """Also as a log line could quote it."""
    assert password in Settings(SUPABASE_DB_URL=dsn).secrets


@how(deadline=None)
@given(values=st.dictionaries(st.sampled_from(_NAMES), st.builds(str.__add__, _PREFIXES, _VALUES), min_size=1))
def test_no_mistake_ever_shows_a_value(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> None:
    """Whatever is in whichever setting: the sentence names the setting, and a value may be a secret astray."""
    try:
        _loaded({**_WHOLE, **values}, tmp_path_factory.getbasetemp(), *_ALL)
    except UsageError as error:
        assert "pl4nted" not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None


def _numbers(model: type[BaseModel], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting that is a number, by its place."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from _numbers(type(field.default), (*place, name))
        elif set(get_args(field.annotation) or (field.annotation,)) & {int, float}:
            yield (*place, name), field


_NUMBERS = dict(_numbers(Settings))
_HOSTILE = [
    "nan",
    "inf",
    "-inf",
    "1e10",
    "1e-9",
    "1e308",
    "5e-324",
    "-0.0",
    "0",
    "-1",
    "9" * 5000,
    "true",
    "0x10",
    "1_0",
]


@how(deadline=None)
@given(
    place=st.sampled_from(sorted(_NUMBERS)),
    value=st.sampled_from(_HOSTILE) | st.floats().map(repr) | st.integers().map(str) | st.floats(0, 1).map(repr),
    filed=st.booleans(),
)
def test_a_number_is_refused_in_one_sentence_or_the_bot_can_work_with_it(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, ...], value: str, filed: bool
) -> None:
    """No end, no number, huge or tiny: from the environment or the file, it is refused before anything is contacted, or
    lies within its bounds, and a gate that waits can be reminded of or not.
    """
    directory = tmp_path_factory.mktemp("numbers")
    name, field = ".".join(place), _NUMBERS[place]
    environment = dict(_WHOLE)
    if len(place) == 1:
        name = str(field.validation_alias)
        environment[name] = value
    elif filed:
        (directory / "cutover.toml").write_text(f"[{'.'.join(place[:-1])}]\n{place[-1]} = {value}\n")
    else:
        environment[f"CUTOVER__{'__'.join(place).upper()}"] = value
    try:
        told = _loaded(environment, directory, *_ALL)
    except UsageError as error:
        assert isinstance(error, WrongSettings)
        assert len(error.mistakes) <= 2
        assert name in str(error) or "cutover.toml" in str(error)
        return
    found = reduce(getattr, place, cast(Any, told))
    least, most = (next(getattr(part, end) for part in field.metadata if hasattr(part, end)) for end in ("ge", "le"))
    assert least <= found <= most
    interval = timedelta(minutes=told.reminders.minutes)
    assert not interval or interval >= timedelta(seconds=0.6)
    timers(night_at("export waits").run, interval)


@pytest.mark.parametrize("minutes", ["0.0099", "525600.1", "-1", "nan", "never"])
def test_reminders_are_never_or_from_often_to_yearly(minutes: str, tmp_path: Path) -> None:
    """0 is never; the sentence names both ends."""
    assert _refused({**_WHOLE, "CUTOVER__REMINDERS__MINUTES": minutes}, tmp_path, *_ALL) == (
        _mistakes("reminders.minutes must be 0 (never) or a number from 0.01 to 525,600")
    )
    for good in ("0", "0.01", "525600"):
        told = _loaded({**_WHOLE, "CUTOVER__REMINDERS__MINUTES": good}, tmp_path, *_ALL)
        assert told.reminders.minutes == float(good)


@pytest.mark.parametrize(
    ("table", "consequence"),
    [("auth.users", "no user can be created"), ("auth.identities", "nobody keeps an account at a provider")],
)
def test_people_and_their_accounts_are_never_left_out(table: str, consequence: str, tmp_path: Path) -> None:
    """Refused before anything is contacted, and no hindrance to the way back."""
    environment = {**_WHOLE, "CUTOVER__EXPORT__EXCLUDE_TABLES": f'["public.logs", "{table}"]'}
    mistake = f"export.exclude_tables names {table}, without which {consequence}; remove it from the list"
    assert _refused(environment, tmp_path, *_ALL) == _mistakes(f"{mistake}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", environment)
        assert settings.for_the_way_back(config=None, directory=tmp_path).mistakes == (mistake,)


_TOO_MANY = "checkpoints.{}.approvals asks for more approvers than approvers.users names"
_TOO_FEW = (
    "approvers.users names {}, and with approvers.deny_same_person the gates together take {}, since whoever opens all "
    "the others may not open the last"
)
_NO_GROUP = 'approvers.groups is not a list of user group IDs (["S0…"], from the address of the group in Slack)'


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"CHECKPOINTS__USERS__APPROVALS": "3"}, _TOO_MANY.format("users")),
        (
            {"APPROVERS__USERS": '["U0ADA"]', "APPROVERS__DENY_SAME_PERSON": "true"},
            _TOO_FEW.format("one person", 2),
        ),
        (
            {
                "APPROVERS__DENY_SAME_PERSON": "true",
                "CHECKPOINTS__FREEZE__APPROVALS": "2",
                "CHECKPOINTS__EXPORT__APPROVALS": "2",
            },
            _TOO_FEW.format("2 people", 3),
        ),
        (
            {"APPROVERS__USERS": '["U0ADA", "U0ADA"]', "CHECKPOINTS__FREEZE__APPROVALS": "2"},
            _TOO_MANY.format("freeze"),
        ),
        ({"APPROVERS__GROUPS": '["admins"]'}, _NO_GROUP),
    ],
)
def test_a_gate_that_nobody_could_open_refuses_to_start(given: dict[str, str], told: str, tmp_path: Path) -> None:
    """Found at the start, not at the gate in the middle of the night."""
    environment = _WHOLE | {f"CUTOVER__{name}": value for name, value in given.items()}
    assert _refused(environment, tmp_path, *_ALL) == _mistakes(f"{told}")


def test_two_are_enough_where_one_of_them_opens_a_gate_alone(tmp_path: Path) -> None:
    """Two at the freeze gate and one at the export gate leave one who has not opened both."""
    several = {"CUTOVER__APPROVERS__DENY_SAME_PERSON": "true", "CUTOVER__CHECKPOINTS__FREEZE__APPROVALS": "2"}
    assert _loaded(_WHOLE | several, tmp_path, *_ALL).checkpoints.freeze.approvals == 2


def test_the_members_of_a_group_are_counted_when_slack_can_be_asked(tmp_path: Path) -> None:
    """By `doctor` and when a run is opened; who is in it may change until then."""
    environment = _WHOLE | {"CUTOVER__APPROVERS__USERS": "[]", "CUTOVER__APPROVERS__GROUPS": '["S0ONCALL"]'}
    told = _loaded(environment | {"CUTOVER__CHECKPOINTS__USERS__APPROVALS": "2"}, tmp_path, *_ALL)
    assert (told.approvers.groups, told.checkpoints.users.approvals) == (("S0ONCALL",), 2)


_OTHER_NAMES = {
    "SUPABASE_SECRET_KEY": ("SUPABASE_SERVICE_ROLE_KEY", "supabase_service_role_key", "sb_secret_pl4nted"),
    "SUPABASE_PUBLISHABLE_KEY": ("SUPABASE_ANON_KEY", "supabase_anon_key", "sb_publishable_pl4nted"),
    "HEXCLAVE_PROJECT_ID": ("STACK_AUTH_PROJECT_ID", "stack_auth_project_id", "pl4nted"),
    "HEXCLAVE_SECRET_SERVER_KEY": ("STACK_AUTH_SECRET_KEY", "stack_auth_secret_key", "ssk_pl4nted"),
    "HEXCLAVE_API_URL": ("STACK_AUTH_API_URL", "stack_auth_api_url", "https://pl4nted.example.com"),
}


@pytest.mark.parametrize("other", _OTHER_NAMES)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_the_services_newer_names_are_taken(other: str, place: str, tmp_path: Path) -> None:
    """In either place, as the same setting: also as a secret that no log may hold."""
    name, field, value = _OTHER_NAMES[other]
    environment = {key: kept for key, kept in _WHOLE.items() if key != name}
    if place == ".env":
        (tmp_path / ".env").write_text(f"{other}={value}\n")
    else:
        environment[other] = value
    told = _loaded(environment, tmp_path, *_ALL)
    found = getattr(told, field)
    assert value == (found if isinstance(found, str) else found.get_secret_value())
    assert isinstance(found, str) or value in told.secrets
    assert set(_OTHER_NAMES) == set(Settings.OTHER_NAMES)


@pytest.mark.parametrize("other", _OTHER_NAMES)
def test_two_names_that_disagree_are_refused(other: str, tmp_path: Path) -> None:
    """Wherever the two are; the same value twice is no mistake."""
    name, _, value = _OTHER_NAMES[other]
    (tmp_path / ".env").write_text(f"{name}={value}x\n")
    environment = {key: kept for key, kept in _WHOLE.items() if key != name} | {other: value}
    assert _refused(environment, tmp_path, *_ALL) == (
        _mistakes(f"{name} and {other} are the same setting and disagree; keep one of them")
    )
    (tmp_path / ".env").write_text(f"{name}={value}\n")
    _loaded(environment, tmp_path, *_ALL)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_x"},
         "SUPABASE_SERVICE_ROLE_KEY holds a publishable key (sb_publishable_…) and takes the secret key "
         "(or legacy service_role key)"),
        ({"SUPABASE_SERVICE_ROLE_KEY": "", "SUPABASE_SECRET_KEY": "sb_publishable_x"},
         "SUPABASE_SECRET_KEY holds a publishable key (sb_publishable_…) and takes the secret key "
         "(or legacy service_role key)"),
        ({"SUPABASE_ANON_KEY": "sb_secret_x"},
         "SUPABASE_ANON_KEY holds a secret key (sb_secret_…) and takes the publishable key (or legacy anon key)"),
        ({"STACK_AUTH_PUBLISHABLE_KEY": "ssk_x"},
         "STACK_AUTH_PUBLISHABLE_KEY holds a secret server key (ssk_…) and takes the project's publishable client key "
         "(pck_…)"),
        ({"CANARY_EMAIL": "canary@example.com"},
         "CANARY_PASSWORD is missing, and CANARY_EMAIL is set: a canary takes both"),
        ({"CANARY_PASSWORD": "pl4nted"},
         "CANARY_EMAIL is missing, and CANARY_PASSWORD is set: a canary takes both"),
        ({"STACK_AUTH_SECRET_KEY": "pck_x"},
         "STACK_AUTH_SECRET_KEY holds a publishable client key (pck_…) and takes the project's secret server key "
         "(ssk_…)"),
    ],
)  # fmt: skip
def test_a_key_in_the_place_of_another_is_refused(given: dict[str, str], told: str, tmp_path: Path) -> None:
    """By its beginning, before anything is contacted, under the name that it was given by."""
    assert _refused({**_WHOLE, **given}, tmp_path, *_ALL) == _mistakes(f"{told}")


@pytest.mark.parametrize("name", ["SUPABASE_URL", "STACK_AUTH_API_URL", "HEXCLAVE_API_URL", "SLACK_API_URL"])
def test_a_key_is_sent_unencrypted_to_this_machine_alone(name: str, tmp_path: Path) -> None:
    """`http://` is for stand-ins on a loopback address."""
    for host in ("example.com", "10.0.0.1", "localhost.example.com", "0.0.0.0"):
        assert _refused({**_WHOLE, name: f"http://{host}/"}, tmp_path, *_ALL) == _mistakes(
            f"{name} is an http:// address of another machine, which would be sent the key unencrypted; write https://"
        )
    for url in ("http://127.0.0.1:1/", "http://localhost/", "http://[::1]:3/", "https://example.com"):
        _loaded({**_WHOLE, name: url}, tmp_path, *_ALL)


def test_the_way_back_needs_the_connection_alone(tmp_path: Path) -> None:
    """Whatever else is wrong is reported beside it, and the public API is asked only where it can be."""
    (tmp_path / "cutover.toml").write_text("[export]\nworkers = four\n")
    (tmp_path / ".env").write_bytes(b"\xff\xfe=1")
    broken = {
        "SUPABASE_DB_URL": _WHOLE["SUPABASE_DB_URL"],
        "SUPABASE_URL": "http://example.com",
        "SUPABASE_SECRET_KEY": "sb_publishable_x",
        "PORT": "here",
        "CUTOVER__NOPE__X": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", broken)
        found = settings.for_the_way_back(config=None, directory=tmp_path)
        assert found.settings.supabase_db_url is not None
        assert not found.asks_api
        assert found.mistakes == (
            "cutover.toml is not valid TOML at line 2, column 11",
            ".env cannot be read (UnicodeDecodeError)",
            "Unknown setting `CUTOVER__NOPE__X`",
            "PORT must be a whole number from 1 to 65535",
        )
        assert [mistake.split()[0] for mistake in found.api_mistakes] == ["SUPABASE_URL", "SUPABASE_SECRET_KEY"]
        patch.setattr(os, "environ", {"SUPABASE_DB_URL": _WHOLE["SUPABASE_DB_URL"]})
        (tmp_path / ".env").unlink()
        (tmp_path / "cutover.toml").unlink()
        bare = settings.for_the_way_back(config=None, directory=tmp_path)
        assert (bare.asks_api, bare.mistakes, bare.api_mistakes) == (False, (), ())
        patch.setattr(os, "environ", {"PORT": "here"})
        with pytest.raises(UsageError) as refusal:
            settings.for_the_way_back(config=None, directory=tmp_path)
    assert str(refusal.value) == _mistakes("PORT must be a whole number from 1 to 65535", "SUPABASE_DB_URL is missing")
