"""What may be posted: Block Kit, texts and metadata, held to the documented limits; and the refusal that says what
is wrong.

`checked_blocks` collects every complaint before it refuses, each with a JSON pointer to the place, as Slack does. A
field that a block does not have is a complaint too. Lengths are counted in characters.
"""

import json
import re
from collections.abc import Callable, Collection
from typing import Any

from bot.rehearsal.standins.slack.workspace import Json

BLOCKS_PER_MESSAGE = 50
CHARACTERS_IN_BLOCKS = 13_200
CHARACTERS_IN_TABLES = 10_000
CHARACTERS_IN_MARKDOWN = 12_000
PINS_PER_CHANNEL = 100
POSTED_TEXT = 40_000
UPDATED_TEXT = 4_000
SCHEDULED_SECONDS_AHEAD = 120 * 24 * 60 * 60
SCHEDULED_WITHIN_FIVE_MINUTES = 30
SCHEDULED_LOCKED_SECONDS = 60
"""So shortly before it comes, a scheduled message cannot be deleted any more."""
METADATA_BYTES = 8_000  # unpublished; a cautious guess

_EVENT_TYPE = re.compile(r"[A-Za-z0-9_]{1,255}")


class Refused(Exception):
    """Slack's "no": an error by its name, what is wrong in detail, and further fields of the answer."""

    def __init__(self, error: str, *messages: str, **fields: Any) -> None:
        super().__init__(error, *messages)
        self.error = error
        self.messages = messages
        self.fields = fields

    def answer(self) -> Json:
        detail = {"response_metadata": {"messages": list(self.messages)}} if self.messages else {}
        return {"ok": False, "error": self.error, **self.fields, **detail}


def checked_metadata(metadata: Any) -> Json | None:
    """None for `{}`, which takes metadata away. Values are flat, or one level of objects or lists of objects deep."""
    if metadata == {}:
        return None
    if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
        raise Refused("invalid_metadata_format", "[ERROR] exactly event_type and event_payload are expected")
    event_type, payload = metadata["event_type"], metadata["event_payload"]
    if not isinstance(event_type, str) or not _EVENT_TYPE.fullmatch(event_type):
        raise Refused("invalid_metadata_format", "[ERROR] event_type may hold letters, digits and underscores only")
    if not isinstance(payload, dict):
        raise Refused("invalid_metadata_format", "[ERROR] event_payload must be an object")
    for key, value in payload.items():
        parts = value if isinstance(value, list) else [value]
        flat = not isinstance(value, list) and _is_flat(value)
        if not flat and not all(isinstance(part, dict) and all(map(_is_flat, part.values())) for part in parts):
            raise Refused("invalid_metadata_format", f"[ERROR] event_payload.{key} is neither flat nor an object")
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > METADATA_BYTES:
        raise Refused("metadata_too_large")
    return metadata


def _is_flat(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def checked_blocks(blocks: Any) -> list[Json]:
    """The blocks as they came, or Refused."""
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    inspection = _Inspection()
    if len(blocks) > BLOCKS_PER_MESSAGE:
        inspection.complain(f"no more than {BLOCKS_PER_MESSAGE} items allowed", "/blocks")
    for index, block in enumerate(blocks):
        inspection.block(block, f"/blocks/{index}")
    if inspection.complaints:
        raise Refused("invalid_blocks", *inspection.complaints)
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise Refused("invalid_attachments", "[ERROR] only_one_table_allowed [json-pointer:/blocks]")
    if sum(map(_characters, blocks)) > CHARACTERS_IN_BLOCKS:
        raise Refused("msg_blocks_too_long")
    return blocks


def _characters(node: Any) -> int:
    if isinstance(node, list):
        return sum(map(_characters, node))
    if not isinstance(node, dict):
        return 0
    return sum(
        len(value) if key == "text" and isinstance(value, str) else _characters(value) for key, value in node.items()
    )


class _Inspection:
    """One walk over the blocks of one message."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._block_ids: set[str] = set()
        self._action_ids: set[str] = set()
        self._in_markdown = 0

    def complain(self, what: str, where: str) -> None:
        self.complaints.append(f"[ERROR] {what} [json-pointer:{where}]")

    # What any part may be

    def fields(self, part: Any, where: str, required: str, optional: str = "") -> bool:
        """True when `part` is an object with all the required fields. A field it does not know is a complaint too."""
        if not isinstance(part, dict):
            self.complain("must be an object", where)
            return False
        for name in sorted(part.keys() - {"type", *required.split(), *optional.split()}):
            self.complain(f"invalid additional property: {name}", where)
        missing = [name for name in required.split() if part.get(name) is None]
        for name in missing:
            self.complain(f"missing required field: {name}", where)
        return not missing

    def string(self, value: Any, where: str, most: int, least: int = 1) -> None:
        if not isinstance(value, str):
            self.complain("must be a string", where)
        elif len(value) < least:
            self.complain(f"must be more than {least - 1} characters", where)
        elif len(value) > most:
            self.complain(f"must be less than {most + 1} characters", where)

    def items(self, value: Any, where: str, most: int) -> list[Any]:
        if not isinstance(value, list):
            self.complain("must be an array", where)
            return []
        if not value:
            self.complain("no fewer than 1 items allowed", where)
        if len(value) > most:
            self.complain(f"no more than {most} items allowed", where)
        return value

    def one_of(self, value: Any, where: str, allowed: Collection[str]) -> bool:
        if value in allowed:
            return True
        self.complain(f"must be one of: {', '.join(sorted(allowed))}", where)
        return False

    def text(self, part: Any, where: str, most: int, kinds: Collection[str] = ("plain_text", "mrkdwn")) -> None:
        if not self.fields(part, where, "text", "emoji verbatim"):
            return
        if not self.one_of(part.get("type"), f"{where}/type", kinds):
            return
        misplaced = "verbatim" if part["type"] == "plain_text" else "emoji"
        if misplaced in part:
            self.complain(f"invalid additional property: {misplaced}", where)
        self.string(part["text"], f"{where}/text", most)

    # Blocks

    def block(self, block: Any, where: str) -> None:
        kind = block.get("type") if isinstance(block, dict) else None
        inspect = _BLOCKS.get(kind) if isinstance(kind, str) else None
        if inspect is None:
            self.complain(f"unsupported type: {kind}", f"{where}/type")
            return
        if "block_id" in block:
            self.string(block["block_id"], f"{where}/block_id", 255)
            if block["block_id"] in self._block_ids:
                self.complain("block_id already exists", f"{where}/block_id")
            self._block_ids.add(str(block["block_id"]))
        inspect(self, {key: value for key, value in block.items() if key != "block_id"}, where)

    def header(self, block: Json, where: str) -> None:
        if self.fields(block, where, "text"):
            self.text(block["text"], f"{where}/text", 150, ("plain_text",))

    def divider(self, block: Json, where: str) -> None:
        self.fields(block, where, "")

    def section(self, block: Json, where: str) -> None:
        self.fields(block, where, "", "text fields accessory expand")
        if "text" not in block and "fields" not in block:
            self.complain("missing required field: text or fields", where)
        if "text" in block:
            self.text(block["text"], f"{where}/text", 3000)
        if "fields" in block:
            for index, part in enumerate(self.items(block["fields"], f"{where}/fields", 10)):
                self.text(part, f"{where}/fields/{index}", 2000)
        if "accessory" in block:
            self.element(block["accessory"], f"{where}/accessory")

    def context(self, block: Json, where: str) -> None:
        if self.fields(block, where, "elements"):
            for index, part in enumerate(self.items(block["elements"], f"{where}/elements", 10)):
                if isinstance(part, dict) and part.get("type") == "image":
                    self.image(part, f"{where}/elements/{index}")
                else:
                    self.text(part, f"{where}/elements/{index}", 3000)

    def actions(self, block: Json, where: str) -> None:
        if self.fields(block, where, "elements"):
            for index, part in enumerate(self.items(block["elements"], f"{where}/elements", 25)):
                if isinstance(part, dict) and part.get("type") == "image":
                    self.complain("unsupported type: image", f"{where}/elements/{index}/type")
                else:
                    self.element(part, f"{where}/elements/{index}")

    def image(self, block: Json, where: str) -> None:
        if self.fields(block, where, "image_url alt_text", "title"):
            self.string(block["image_url"], f"{where}/image_url", 3000)
            self.string(block["alt_text"], f"{where}/alt_text", 2000)
            if "title" in block:
                self.text(block["title"], f"{where}/title", 2000, ("plain_text",))

    def markdown(self, block: Json, where: str) -> None:
        if self.fields(block, where, "text"):
            self.string(block["text"], f"{where}/text", CHARACTERS_IN_MARKDOWN)
            self._in_markdown += len(str(block["text"]))
            if self._in_markdown > CHARACTERS_IN_MARKDOWN >= len(str(block["text"])):
                self.complain(f"all markdown must be less than {CHARACTERS_IN_MARKDOWN + 1} characters", where)

    def element(self, part: Any, where: str) -> None:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "image":
            self.image(part, where)
        elif kind == "button":
            self.button(part, where)
        else:
            self.complain(f"unsupported type: {kind}", f"{where}/type")

    def button(self, part: Json, where: str) -> None:
        if not self.fields(part, where, "text", "action_id url value style confirm accessibility_label"):
            return
        self.text(part["text"], f"{where}/text", 75, ("plain_text",))
        for name, most in (("action_id", 255), ("url", 3000), ("value", 2000), ("accessibility_label", 75)):
            if name in part:
                self.string(part[name], f"{where}/{name}", most)
        if "action_id" in part:
            if part["action_id"] in self._action_ids:
                self.complain("action_id already exists", f"{where}/action_id")
            self._action_ids.add(str(part["action_id"]))
        if "style" in part:
            self.one_of(part["style"], f"{where}/style", ("primary", "danger"))
        if "confirm" in part and self.fields(part["confirm"], f"{where}/confirm", "title text confirm deny", "style"):
            confirm = part["confirm"]
            self.text(confirm["text"], f"{where}/confirm/text", 300)
            for name, most in (("title", 100), ("confirm", 30), ("deny", 30)):
                self.text(confirm[name], f"{where}/confirm/{name}", most, ("plain_text",))

    # Tables

    def table(self, block: Json, where: str) -> None:
        if not self.fields(block, where, "rows", "column_settings"):
            return
        for number, row in enumerate(self.items(block["rows"], f"{where}/rows", 100)):
            for column, cell in enumerate(self.items(row, f"{where}/rows/{number}", 20)):
                self.cell(cell, f"{where}/rows/{number}/{column}")
        if _characters(block["rows"]) > CHARACTERS_IN_TABLES:
            self.complain(f"all cells must be less than {CHARACTERS_IN_TABLES + 1} characters", f"{where}/rows")
        if "column_settings" in block:
            for column, setting in enumerate(self.items(block["column_settings"], f"{where}/column_settings", 20)):
                place = f"{where}/column_settings/{column}"
                if self.fields(setting, place, "", "align is_wrapped") and "align" in setting:
                    self.one_of(setting["align"], f"{place}/align", ("left", "center", "right"))

    def cell(self, cell: Any, where: str) -> None:
        kind = cell.get("type") if isinstance(cell, dict) else None
        if kind == "raw_text":
            if self.fields(cell, where, "text"):
                self.string(cell["text"], f"{where}/text", CHARACTERS_IN_TABLES)
        elif kind == "raw_number":
            if self.fields(cell, where, "value text"):
                self.string(cell["text"], f"{where}/text", CHARACTERS_IN_TABLES)
                if isinstance(cell["value"], bool) or not isinstance(cell["value"], int | float):
                    self.complain("must be a number", f"{where}/value")
        elif kind == "rich_text":
            self.rich_text(cell, where)
        else:
            self.complain("failed to match any allowed schemas", where)

    # Rich text

    def rich_text(self, block: Json, where: str) -> None:
        if self.fields(block, where, "elements"):
            for index, part in enumerate(self.items(block["elements"], f"{where}/elements", 1000)):
                self.rich_text_part(part, f"{where}/elements/{index}")

    def rich_text_part(self, part: Any, where: str) -> None:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in _RICH_TEXT_PARTS:
            self.complain(f"unsupported type: {kind}", f"{where}/type")
        elif self.fields(part, where, "elements", _RICH_TEXT_PARTS[kind]):
            if kind == "rich_text_list":
                self.one_of(part.get("style"), f"{where}/style", ("bullet", "ordered"))
            for index, inner in enumerate(part["elements"] if isinstance(part["elements"], list) else []):
                place = f"{where}/elements/{index}"
                if kind == "rich_text_list":
                    self.rich_text_part(inner, place)
                else:
                    self.inline(inner, place)

    def inline(self, part: Any, where: str) -> None:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in _INLINE:
            self.complain(f"unsupported type: {kind}", f"{where}/type")
        elif self.fields(part, where, *_INLINE[kind]) and kind == "text":
            self.string(part["text"], f"{where}/text", CHARACTERS_IN_BLOCKS)


_RICH_TEXT_PARTS = {
    "rich_text_section": "",
    "rich_text_list": "style indent offset border",
    "rich_text_preformatted": "border language",
    "rich_text_quote": "border",
}
_INLINE: dict[str, tuple[str, str]] = {  # type of element -> fields it must have, fields it may have
    "text": ("text", "style"),
    "link": ("url", "text unsafe style"),
    "user": ("user_id", "style"),
    "usergroup": ("usergroup_id", "style"),
    "channel": ("channel_id", "style"),
    "emoji": ("name", "unicode style skin_tone"),
    "broadcast": ("range", "style"),
    "color": ("value", "style"),
    "date": ("timestamp format", "url fallback style"),
}
_BLOCKS: dict[str, Callable[[_Inspection, Json, str], None]] = {
    "header": _Inspection.header,
    "divider": _Inspection.divider,
    "section": _Inspection.section,
    "context": _Inspection.context,
    "actions": _Inspection.actions,
    "image": _Inspection.image,
    "markdown": _Inspection.markdown,
    "table": _Inspection.table,
    "rich_text": _Inspection.rich_text,
}
