"""argv -> command -> exit code. Here is also the one place where an error becomes a sentence and an exit code."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from bot import commands
from bot.commands.interrupted import SAYS_ITSELF, interrupted
from bot.errors import CutoverError, Interrupted, UsageError
from bot.misuse import misuse
from bot.redaction import known, redacted
from bot.terminal import NobodyReads, below, complain, finish, prepare, tell


@dataclass(frozen=True)
class _Chosen:
    """What the command line asks for, and the command, loaded. Typer only finds it out: called by it, a command that
    is interrupted would end with whatever typer makes of that.
    """

    name: str
    config: Path | None
    command: Callable[[], int]


app = typer.Typer(
    name="cutover",
    help="The Slack bot that takes a team through the night its production data leaves Supabase.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[Path | None, typer.Option("--config", help="A settings file other than ./cutover.toml.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress of long work.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  # it takes longer to load than all else here

        tell(f"cutover {version('cutover')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
    shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """`--debug` is read where errors are shown, since parsing itself may fail."""


@app.command("doctor")
def _doctor(
    config: Config = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="Prove now that the source is frozen.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> _Chosen:
    """Look around, days before the night.

    Every connection, token, permission and the match of the projects, each with its fix.
    """
    return _Chosen("doctor", config, partial(commands.doctor.doctor, config, freeze=freeze, as_json=json))


@app.command("practice")
def _practice(
    directory: Annotated[
        Path | None, typer.Argument(help="A directory of its own; one in the data directory by default.")
    ] = None,
    config: Config = None,
    probe_users: Annotated[
        int | None,
        typer.Option(min=10, max=5000, help="Create and delete so many marked users, to learn Stack Auth's pace."),
    ] = None,
    quiet: Quiet = False,
) -> _Chosen:
    """Export the living source once, so that the time is known.

    Every file is read again and every user looked at; nothing is written to the source and nobody is created.
    """
    practise = partial(commands.practice.practise, config, directory, probe_users=probe_users, quiet=quiet)
    return _Chosen("practice", config, practise)


@app.command("run")
def _run(
    *,
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", help="End after the handover.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Move an ended run to archive/ and open the next.")] = False,
    abandon: Annotated[
        str | None, typer.Option("--abandon", help="With --new: give up this run, whose journal is lost.")
    ] = None,
    log: Annotated[
        Literal["text", "json"] | None,
        typer.Option(
            "--log", help="How stderr is written: text for people (default on a terminal), json for programs."
        ),
    ] = None,
    quiet: Quiet = False,
) -> _Chosen:
    """Open a run, or go on with the one in the data directory.

    On a terminal it says what has happened, what it waits for, and what Ctrl-C would mean.
    """
    run = partial(commands.run.run, config, once=once, new=new, abandon=abandon, log=log, quiet=quiet)
    return _Chosen("run", config, run)


@app.command("status")
def _status(
    config: Config = None, json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False
) -> _Chosen:
    """Show the run: where it is, who may act, what to do next."""
    return _Chosen("status", config, partial(commands.status.status, config, as_json=json))


@app.command("verify")
def _verify(
    directory: Annotated[Path | None, typer.Argument(help="The bundle; the data directory by default.")] = None,
    anchor: Annotated[str | None, typer.Option("--anchor", help="A journal hash as Slack shows it.")] = None,
    config: Config = None,
    quiet: Quiet = False,
) -> _Chosen:
    """Read a whole bundle again, offline, and name every damage."""
    return _Chosen("verify", config, partial(commands.verify.verify, config, directory, anchor, quiet=quiet))


@app.command("report")
def _report(
    directory: Annotated[Path | None, typer.Argument(help="A run's directory; the data directory by default.")] = None,
    config: Config = None,
) -> _Chosen:
    """Write the evidence page of a run: report.html.

    Who said what, on which evidence, what was found and what came of it; offline, also in the middle of a night.
    """
    return _Chosen("report", config, partial(commands.report.report, config, directory))


@app.command("restore-sql")
def _restore_sql(
    table: Annotated[
        str | None, typer.Argument(help="By its key in metadata.json, or as schema.table; not with --all.")
    ] = None,
    directory: Annotated[Path | None, typer.Argument(help="The bundle; the data directory by default.")] = None,
    config: Config = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Every table and every sequence, into an empty copy of the schema.")
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="With --all: a schema that the copy lacks, such as auth; may be given again."),
    ] = None,
) -> _Chosen:
    """Print the SQL that loads exported tables, for psql."""
    chosen = partial(
        commands.restore_sql.chosen, config, table, directory, whole=whole, without=tuple(dict.fromkeys(without or ()))
    )
    return _Chosen("restore-sql", config, chosen)


@app.command("freeze-sql")
def _freeze_sql(
    config: Config = None,
    thaw: Annotated[bool, typer.Option("--thaw", help="Print the way back.")] = False,
) -> _Chosen:
    """Print the SQL that freezes Supabase, to paste or pipe."""
    return _Chosen("freeze-sql", config, partial(commands.freeze_sql.freeze_sql, config, thaw=thaw))


@app.command("thaw")
def _thaw(
    config: Config = None,
    check: Annotated[bool, typer.Option("--check", help="Show what it would do, and change nothing.")] = False,
) -> _Chosen:
    """Unfreeze Supabase: restore exactly what was set before.

    With or without the bot and Slack: it takes no lock and waits for no one.
    """
    return _Chosen("thaw", config, partial(commands.thaw.thaw, config, check=check))


@app.command("abort")
def _abort(
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> _Chosen:
    """End the run and unfreeze Supabase.

    With or without Slack, beside a bot that runs or hangs: it is stopped first. Writes are verified.
    """
    return _Chosen("abort", config, partial(commands.abort.abort, config, yes=yes))


@app.command("undo-users")
def _undo_users(
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it, they are only shown.")] = False,
    adopted_by: Annotated[
        list[str] | None,
        typer.Option("--adopted-by", help="Also those whom this later run has mapped; may be given again."),
    ] = None,
    quiet: Quiet = False,
) -> _Chosen:
    """Remove from Stack Auth the users that an ended run created.

    Exactly those: whoever was matched or brought up to date stays, and whom a later run has mapped since. It says first
    who has signed in since.
    """
    undo = partial(commands.undo_users.undo_users, config, yes=yes, adopted_by=adopted_by or (), quiet=quiet)
    return _Chosen("undo-users", config, undo)


@app.command("attention")
def _attention(
    config: Config = None,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, for a spreadsheet.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Only those listed for this reason.")] = None,
) -> _Chosen:
    """List the users whom somebody has to fix, with addresses.

    Who was migrated incompletely, why, and what to do; from the files in the data directory alone.
    """
    return _Chosen("attention", config, partial(commands.attention.attention, config, csv=csv, reason=reason))


@app.command("purge")
def _purge(
    now: Annotated[
        str | None, typer.Option("--now", metavar="WHY", help="Before its date too, for this reason.")
    ] = None,
    config: Config = None,
) -> _Chosen:
    """Remove the data of people when its retention has ended.

    Every file with rows, hashes or addresses, archives and practices too, and our files in Slack. Journal, sums and
    metadata.json stay, and purge.json says what was removed. Killed at any time, it goes on when it is run again.
    """
    return _Chosen("purge", config, partial(commands.purge.purge, config, now=now))


@app.command("manifest")
def _manifest(
    config: Config = None,
    name: Annotated[str, typer.Option("--name", help="What the app is called in Slack.")] = "Cutover",
    url: Annotated[
        str | None, typer.Option("--url", help="The public address, for HTTP in place of Socket Mode.")
    ] = None,
) -> _Chosen:
    """Print the Slack app to make, with the scopes it needs.

    For "Create New App", "From a manifest". The app-level token of Socket Mode is made by hand afterwards.
    """
    return _Chosen("manifest", config, partial(commands.manifest.manifest, config, name=name, url=url))


@app.command("rehearse")
def _rehearse(
    auto: Annotated[
        bool, typer.Option("--auto", help="Play the whole night by itself, in the terminal, without the page.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where the page is on this machine; 0 takes a free port.")
    ] = 0,
    users: Annotated[int, typer.Option("--users", min=60, help="How many users the company has.")] = 500,
    rows: Annotated[int, typer.Option("--rows", min=1000, help="How many rows its tables hold.")] = 20_000,
    plan: Annotated[
        Literal["default", "whole"], typer.Option("--plan", help="`whole`: with every gate that there is.")
    ] = "default",
) -> _Chosen:
    """Play a whole night on this machine, on a page.

    On a real PostgreSQL, with stand-ins for the services and the ordinary bot. The page shows the channel, lets you
    speak as several people, and breaks what you like.
    """
    rehearse = partial(commands.rehearse.rehearse, auto=auto, users=users, rows=rows, plan=plan, port=port)
    return _Chosen("rehearse", None, rehearse)


def main(is_loaded: Callable[[], None] = lambda: None) -> None:
    """The command `cutover`. Errors of `bot.errors` end with their sentence and code; anything else is a bug and ends
    with 1. TERM interrupts as INT does, also where no bot is yet that could stop at a safe point. `is_loaded` is called
    once the command is.
    """
    prepare()
    chosen = _parsed()
    is_loaded()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        code = chosen.command()
        finish()
    except Interrupted as error:
        code = _told_of_the_freeze(chosen, error)
    except (KeyboardInterrupt, NobodyReads):
        code = _told_of_the_freeze(chosen, interrupted(chosen.name))
    except CutoverError as error:
        _tell(error, str(error))
        code = error.exit_code
    except Exception as error:  # noqa: BLE001  # the handler at the top
        what = f"This is a bug in Cutover ({type(error).__name__}); a run is as its journal says; "
        what += "start again with --debug and report it."
        _tell(error, what)
        code = 1
    if chosen.name == "run" and code != Interrupted.exit_code:
        _leave(commands.frozen.left(chosen.config, well=code == 0))
    raise SystemExit(code)


def _parsed() -> _Chosen:
    """What was asked for, its module loaded. Ends the process itself after --help, and with a sentence when it is not
    to be understood. An interrupt meanwhile is `bot.__main__`'s business.
    """
    try:
        chosen = app(prog_name="cutover", standalone_mode=False)
    except typer.TyperException as error:
        wrong = misuse(error)
        complain(wrong if isinstance(wrong, str) else f"cutover: {wrong}")
        raise SystemExit(UsageError.exit_code) from None
    if isinstance(chosen, _Chosen):
        return chosen
    raise SystemExit(chosen or 0)


def _told_of_the_freeze(chosen: _Chosen, error: Interrupted) -> int:
    signal.signal(signal.SIGINT, _at_once)
    signal.signal(signal.SIGTERM, _at_once)
    if chosen.name not in SAYS_ITSELF:
        error = commands.frozen.under_a_freeze(error, chosen.config)
    _tell(error, str(error))
    return error.exit_code


def _leave(left: str) -> None:
    if left:
        complain(f"cutover: {left}")


def _at_once(number: int, frame: object) -> None:
    os._exit(Interrupted.exit_code)


def _tell(error: BaseException, sentence: str) -> None:
    if "--debug" in sys.argv[1:]:
        complain(redacted("".join(traceback.format_exception(error)), known()))
    complain(f"cutover: {below(sentence)}")
