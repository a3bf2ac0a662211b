"""The generated parts of the documentation, made from the code that they describe.

    python -m docs.generate            writes them
    python -m docs.generate --check    ends with 1, naming the pages, when one is stale

A part is in its page between `<!-- generated: NAME -->` and `<!-- end -->`; everything around it is written by
hand. Nothing here asks a service or runs a command: tables of the code are read as they are, and the names of checks,
which are arguments all over `bot/`, are found in its syntax.
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import typer.main
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

import bot.plan
from bot import cli, errors
from bot.obstacles import OBSTACLES, Obstacle
from bot.plan.checks import CHECKS
from bot.plan.gates import DEFAULT, KNOWN
from bot.plan.run import Phase
from bot.settings import Settings
from bot.settings.shape import InAnOpenRun
from bot.settings.words import form_of, keys_of
from bot.stackauth.users.reasons import REASONS
from docs import states
from tests.chat.replies import REPLIES, Reply
from tests.freeze.ways import NOT_CAUGHT, WAYS, Way
from tests.mistakes.cases import MISTAKES, Mistake
from tests.users.kinds import KINDS

ROOT = Path(__file__).parent.parent
VERDICTS = {"passed": "pass", "warned": "warn", "failed": "fail"}
_MAY_BE_FINDING = re.compile(rf"\b(?:{'|'.join(VERDICTS)})\b")
_NAMED_BY_OTHERS = {"bot/doctor.py"}
"""Where a finding takes the name of an edge that could not be asked at all."""


# -- checks -----------------------------------------------------------------------------------------------------------


def checks_in_code() -> dict[str, set[str]]:
    """The verdicts that each check can give, by its name. Raises ValueError where a name is not known."""
    found: dict[str, set[str]] = defaultdict(set)
    for where, told, call in _findings_in_code():
        if where.startswith("bot/rehearsal/") or where in _NAMED_BY_OTHERS:
            continue
        if told is None:
            raise ValueError(f"{where}:{call.lineno} gives a finding whose check's name is no constant")
        found[told].add(VERDICTS[getattr(call.func, "id", "")])
    return dict(found)


@cache
def _findings_in_code() -> tuple[tuple[str, str | None, ast.Call], ...]:
    """By module: the check that each call names whose result is a finding, if that is a constant."""
    found = list[tuple[str, str | None, ast.Call]]()
    for path in sorted((ROOT / "bot").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not _MAY_BE_FINDING.search(text):  # most modules, and reading their syntax takes long
            continue
        tree = ast.parse(text)
        for scope, call in _findings(tree, _constants(tree.body)):
            name = call.args[0]
            told = name.value if isinstance(name, ast.Constant) else scope.get(getattr(name, "id", ""))
            found.append((path.relative_to(ROOT).as_posix(), told if isinstance(told, str) else None, call))
    return tuple(found)


def _findings(node: ast.AST, scope: Mapping[str, str]) -> Iterator[tuple[Mapping[str, str], ast.Call]]:
    """Every call that makes a finding, with the text constants that it can see."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        scope = {**scope, **_constants(node.body)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in VERDICTS:
        yield scope, node
    for child in ast.iter_child_nodes(node):
        yield from _findings(child, scope)


def _constants(body: Iterable[ast.stmt]) -> dict[str, str]:
    return {
        target.id: statement.value.value
        for statement in body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name) and isinstance(statement.value.value, str)
    }


def waivable_in_code() -> dict[str, set[bool]]:
    """By check, whether its failing findings may be waived."""
    found: dict[str, set[bool]] = defaultdict(set)
    for name, check in CHECKS.items():
        found[name].add(check.waivable is not None)
    for _, told, call in _findings_in_code():
        if told is not None and getattr(call.func, "id", "") == "failed":
            found[told].add(any(keyword.arg == "waivable" for keyword in call.keywords))
    return found


def _may_be_waived(found: set[bool]) -> str:
    return "" if True not in found else "yes" if found == {True} else "some of its findings"


def checks_described() -> dict[str, dict[str, str]]:
    described: dict[str, dict[str, str]] = tomllib.loads((ROOT / "docs/checks.toml").read_text(encoding="utf-8"))
    return described


def _checks() -> str:
    verdicts, waivable = checks_in_code(), waivable_in_code()
    order = list(VERDICTS.values())
    rows = [
        (
            f"`{name}`",
            told["where"],
            told["asks"],
            ", ".join(sorted(verdicts.get(name, ()), key=order.index)),
            _may_be_waived(waivable.get(name, set())),
        )
        for name, told in checks_described().items()
    ]
    return _table(("check", "asked at", "what it asks", "verdicts", "may be waived"), rows)


def _examiners() -> str:
    rows = [
        (f"{DEFAULT.position(gate.name)} {gate.title}", ", ".join(f"`{name}`" for name in gate.examiners))
        for gate in DEFAULT.gates
    ]
    return _table(("gate", "examiners, in this order"), rows)


def _obstacles() -> str:
    rows = [
        (
            f"`{one.name}`",
            f"{_capital(one.shows)}.",
            one.next_step,
            ", ".join(f"`{name}`{_spared(name, one)}" for name, check in CHECKS.items() if one in check.obstacles),
        )
        for one in OBSTACLES
    ]
    return _table(("in the way", "how it comes about", "next step, and then the word again", "of which checks"), rows)


def _spared(check: str, one: Obstacle) -> str:
    """How much of a check's failing is spared where this is in the way."""
    if one.asked is None:
        return ""
    return {CHECKS[check].waivable: " (may be waived)", CHECKS[check].warns: " (a warning)"}.get(one.asked, "")


def _unmade() -> str:
    rows = [(f"`{name}`", ", ".join(f"`{one.name}`" for one in check.obstacles)) for name, check in CHECKS.items()]
    return _table(("check", "what can be in its way"), rows)


# -- users, settings, commands ----------------------------------------------------------------------------------------


def _kinds() -> str:
    rows = (
        (kind.name, kind.rule, ", ".join(f"`{reason}`" for reason in kind.reasons), "yes" if kind.signs_in else "no")
        for kind in KINDS
    )
    return _table(("kind of user", "what becomes of it", "reason", "can sign in"), rows)


def _reasons() -> str:
    rows = [
        (f"`{reason.name}`", reason.carried, reason.todo, "" if reason.creates else "unmapped")
        for reason in REASONS.values()
    ]
    return _table(("reason", "what is migrated", "what is left to do", "in the mapping"), rows)


def _environment() -> str:
    others = {name: f"`{other}`" for other, name in Settings.OTHER_NAMES.items()}
    rows = [
        (
            f"`{field.validation_alias}`",
            others.get(str(field.validation_alias), ""),
            _shown(field.default),
            "secret" if SecretStr in get_args(field.annotation) else "",
            _in_an_open_run(field),
        )
        for field in Settings.model_fields.values()
        if not isinstance(field.default, BaseModel)
    ]
    return _table(("variable", "or", "default", "", "changed in an open run"), rows)


def _sections() -> str:
    rows = []
    for section in Settings.SECTIONS:
        for keys, field in keys_of(section):
            override = f"`CUTOVER__{'__'.join(keys).upper()}`"
            rows.append(
                (f"`{'.'.join(keys)}`", _shown(field.default), form_of(field), _in_an_open_run(field), override)
            )
    return _table(("key", "default", "form", "changed in an open run", "environment override"), rows)


def _in_an_open_run(field: FieldInfo) -> str:
    [told] = (part.value for part in field.metadata if isinstance(part, InAnOpenRun))
    return str(told)


def _shown(default: Any) -> str:
    if default is None:
        return "none"
    if isinstance(default, tuple):
        return f"`{json.dumps(default)}`"
    return '`""`' if default == "" else f"`{default}`"


def exits_described() -> dict[str, dict[int, str]]:
    """By command and code, when it ends so; without what ends every command."""
    described: dict[str, dict[str, str]] = tomllib.loads((ROOT / "docs/exits.toml").read_text(encoding="utf-8"))
    return {command: {int(code): when for code, when in ends.items()} for command, ends in described.items()}


def _commands() -> str:
    group: Any = typer.main.get_command(cli.app)
    exits = exits_described()
    parts = []
    for name, command in group.commands.items():
        about = " ".join(command.help.split())
        lines = [f"### `cutover {name}`", "", about, ""]
        rows = [(f"`{_usage(p)}`", (p.help or "") + _least(p), _default(p)) for p in command.params]
        ends = _table(("exit", "when"), [(f"`{code}`", when) for code, when in exits[name].items()])
        parts.append("\n".join([*lines, _table(("option", "meaning", "default"), rows), "", ends]))
    return "\n\n".join(parts)


def _usage(parameter: Any) -> str:
    if not parameter.opts[0].startswith("-"):
        return str(parameter.opts[0]).upper()
    return str(parameter.opts[0]) if getattr(parameter, "is_flag", False) else f"{parameter.opts[0]} …"


def _least(parameter: Any) -> str:
    least = getattr(parameter, "min", None)
    return "" if least is None else f" At least {least:,}."


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if value is None or value is False or callable(value) else f"`{value}`"


def exit_codes() -> str:
    by_code: dict[int, list[str]] = {0: ["Done, all well."], 1: ["A bug in Cutover."]}
    for kind in vars(errors).values():
        if isinstance(kind, type) and kind.__module__ == "bot.errors" and vars(kind).get("exit_code", 1) > 1:
            by_code.setdefault(vars(kind)["exit_code"], []).append(" ".join((kind.__doc__ or "").split()))
    return _table(("code", "meaning"), [(f"`{code}`", " ".join(told)) for code, told in sorted(by_code.items())])


# -- the plan ---------------------------------------------------------------------------------------------------------


def _checkpoints() -> str:
    rows = [
        (
            f"{DEFAULT.position(gate.name)} {gate.title}",
            f"`{gate.signal}`",
            f"{_capital(gate.claim)}.",
            f"It {gate.starts}.",
            f"{_capital(gate.if_you_stop)}.",
        )
        for gate in DEFAULT.gates
    ]
    return _table(("checkpoint", "signal", "what must be true", "what the signal starts", "if you stop here"), rows)


def _gates() -> str:
    rows = [
        (
            f"`{gate.name}`",
            f"`{gate.signal}`",
            f"{_capital(gate.claim)}.",
            ", ".join(f"`{name}`" for name in gate.examiners),
            f"`{gate.step}`" if gate.step else "none",
        )
        for gate in KNOWN.values()
    ]
    return _table(("gate", "signal", "what must be true", "examiners", "step"), rows)


def _words() -> str:
    words = _of_the_plan("_WORDS")
    any_member = _of_the_plan("_FOR_ANY_MEMBER")
    rows = []
    for name, (phases, _) in words.items():
        shown = "the gate's signal" if name == "signal" else f"`{name}`"
        who = "every full member" if name in any_member else "approvers"
        rows.append((shown, who, *("yes" if phase in phases else "·" for phase in Phase)))
    return _table(("word", "who may", *(phase.value for phase in Phase)), rows)


def _moves() -> str:
    rows = []
    for command, (phases, _) in _of_the_plan("_MOVES").items():
        rows.append((f"`{command.__name__}`", *("yes" if phase in phases else "·" for phase in Phase)))
    return _table(("command", *(phase.value for phase in Phase)), rows)


def _of_the_plan(name: str) -> Any:
    """A table of the plan, in whichever of its modules it is."""
    for module in pkgutil.walk_packages(bot.plan.__path__, "bot.plan."):
        if name in vars(found := importlib.import_module(module.name)):
            return vars(found)[name]
    raise LookupError(f"no module of bot.plan holds {name}")


# -- the freeze -------------------------------------------------------------------------------------------------------


def _ways() -> str:
    rows = [(way.name, f"`{way.caught_by}`" if way.caught_by else "the watch", _when(way)) for way in WAYS]
    return _table(("the way", "caught by", "when"), rows)


def _when(way: Way) -> str:
    told = " (as a warning: it writes nothing yet)" if way.warns else ""
    match way.happens:
        case "later":
            return "at its next look, within 30 s"
        case "during":
            return "at the end of the quiet window"
        case _ if way.caught_by == "quiet-window":
            return "at the end of the quiet window"
        case _:
            return f"at `frozen`, within seconds{told}"


def _not_caught() -> str:
    return _table(("the way", "why"), NOT_CAUGHT)


# -- mistakes ---------------------------------------------------------------------------------------------------------


def _mistakes() -> str:
    parts = [
        f"## {place}\n\n{_table(('mistake', 'as it is written', 'exit', 'what `cutover run` says'), map(_made, made))}"
        for place, made in MISTAKES.items()
    ]
    return "\n\n".join(parts)


def _made(mistake: Mistake) -> tuple[str, str, str, str]:
    written = [
        *(f"`{option}`" for option in [" ".join(mistake.options)] if option),
        *(f"`{line}`" for line in f"{mistake.toml}\n{mistake.dotenv}".splitlines() if line),
        *(f"`{name}={value}`" if value else f"no `{name}`" for name, value in mistake.given.items()),
        *([f"the server: “{mistake.answers}”"] if mistake.answers else []),
    ]
    if len(mistake.given) > 3:
        written = ["no variable, no file"]
    says = [mistake.says] if isinstance(mistake.says, str) else [_ended(told) for told in mistake.says]
    return _capital(mistake.name), "<br>".join(written), f"`{mistake.code}`", "<br>".join(says)


def _ended(told: str) -> str:
    return told if told.endswith("?") else f"{told}."


# -- replies ----------------------------------------------------------------------------------------------------------


def _replies() -> str:
    parts = [
        f"## {group}\n\n{_table(('reply', 'what comes of it'), [(reply.kind, _comes_of(reply)) for reply in replies])}"
        for group, replies in REPLIES.items()
    ]
    return "\n\n".join(parts)


def _comes_of(reply: Reply) -> str:
    answers = [f"“{_by_name(answer)}”" for answer in reply.answers]
    told = [f"{_by_name(reply.private)} (to its author alone)"] if reply.private else []
    if len(reply.approves) == 1 and len(answers) == 1 and "more approver" not in reply.answers[0]:
        return "<br>".join(["Opens the gate.", *told])
    return "<br>".join([*told, *answers]) or "Nothing."


def _by_name(answer: str) -> str:
    """As people see it in Slack, on one line; what depends on the run's evidence is cut out."""
    for id_, name in {"U0ADA": "Ada", "U0BOB": "Bob", "U0GRACE": "Grace", "U0EVE": "Eve", "U0GUEST": "Gus"}.items():
        answer = answer.replace(f"<@{id_}>", f"@{name}")
    answer = answer.replace("<!subteam^S0OPS>", "@ops").replace("<#C0CUTOVER>", "#cutover").replace("{digest}", "…")
    return "<br>".join(answer.splitlines())


# -- pages ------------------------------------------------------------------------------------------------------------


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/plan.md": {"gates": _gates},
    "README.md": {"checkpoints": _checkpoints, "exit-codes": exit_codes},
    "docs/checks.md": {"checks": _checks, "examiners": _examiners},
    "docs/cannot-run.md": {"obstacles": _obstacles, "unmade": _unmade},
    "docs/users.md": {"kinds": _kinds, "reasons": _reasons},
    "docs/settings.md": {"environment": _environment, "sections": _sections},
    "docs/commands.md": {"commands": _commands, "exit-codes": exit_codes},
    "docs/mistakes.md": {"mistakes": _mistakes},
    "docs/replies.md": {"replies": _replies},
    "docs/freeze.md": {"ways": _ways, "not-caught": _not_caught},
    "docs/states.md": {"picture": states.picture, "words": _words, "moves": _moves},
}


def made_anew(page: str) -> str:
    """The page with its generated parts as they should be. Raises ValueError when it lacks the place for one."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, make in PARTS[page].items():
        place = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        made = make()
        text, found = place.subn(lambda around, made=made: f"{around[1]}\n{made}\n\n{around[2]}", text)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"{page} has {found} places for the generated part {name}")
    return text


def stale() -> list[str]:
    return [page for page in PARTS if made_anew(page) != (ROOT / page).read_text(encoding="utf-8")]


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '¦') for cell in line)} |" for line in lines)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--check"]:
        if pages := stale():
            print(f"Stale: {', '.join(pages)}. Run `.venv/bin/python -m docs.generate`.", file=sys.stderr)
        return 1 if pages else 0
    for page in PARTS:
        (ROOT / page).write_text(made_anew(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
