// Block Kit as Slack draws it: one function a type. A block of a type that is not known is said to be there.

import { element } from "./element.js";
import { entities, mrkdwn } from "./mrkdwn.js";

/** @param {{nameOf: Function, press: Function, paste: Function}} room  who is who, and what a press does */
export function blocks(list, room) {
  return list.map((block) => (DRAW[block.type] ?? unknown)(block, room));
}

const DRAW = {
  header: (block) => element("h3", {}, block.text.text),
  section: (block, room) =>
    element(
      "div.section",
      {},
      block.text ? element("div", {}, texted(block.text, room)) : null,
      block.fields ? element("div.fields", {}, ...block.fields.map((f) => element("div", {}, texted(f, room)))) : null,
      block.accessory ? button(block.accessory, room) : null,
    ),
  context: (block, room) =>
    element("div.context", {}, ...block.elements.map((one) => element("span", {}, texted(one, room)))),
  divider: () => element("hr"),
  actions: (block, room) => element("div.acts", {}, ...block.elements.map((one) => button(one, room))),
  table,
  rich_text: (block, room) => element("div", {}, ...block.elements.flatMap((part) => rich(part, room))),
  markdown: (block) => element("div.as-typed", {}, block.text),
  image: (block) => element("p.quiet", {}, `Image: ${block.alt_text}`),
};

function unknown(block) {
  return element("p.quiet", {}, `A block of the type ${block.type}`);
}

function texted(text, room) {
  return text.type === "mrkdwn" ? mrkdwn(text.text, room) : text.text;
}

function button(block, room) {
  const style = block.style ? `.${block.style}` : "";
  const attributes = { onclick: () => room.press(block), "data-key": block.action_id };
  return element(`button.slack${style}`, attributes, block.text.text);
}

function table(block) {
  const align = (block.column_settings ?? []).map((column) => column.align ?? "left");
  const row = (cells, tag) =>
    element("tr", {}, ...cells.map((one, at) => element(`${tag}.${align[at] ?? "left"}`, {}, cell(one))));
  const [head, ...body] = block.rows;
  const drawn = element(
    "table",
    {},
    element("thead", {}, row(head, "th")),
    element("tbody", {}, ...body.map((cells) => row(cells, "td"))),
  );
  return element("div.wide", { tabindex: "0", role: "region", "aria-label": "Table" }, drawn);
}

function cell(one) {
  return one.type === "rich_text" ? one.elements.flatMap((part) => part.elements).map((e) => e.text ?? "").join("") : String(one.text ?? one.value);
}

function rich(part, room) {
  return (part.elements ?? []).map((one) => {
    if (one.type === "user") return element("span.mention", {}, `@${room.nameOf(one.user_id)}`);
    return element("span.as-typed", {}, entities(one.text ?? ""));
  });
}
