// Slack's mrkdwn as its readers see it: fences, code, bold, italic, strike, quotes, links, mentions and the three
// entities. Made of nodes, never of markup.

import { element } from "./element.js";

const CODE = /(```[\s\S]*?```|`[^`\n]+`)/;
const CONTROL = /<([^<>|]*)(?:\|([^<>]*))?>/;
const MARKS = [
  ["strong", /(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])/],
  ["em", /(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])/],
  ["s", /(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])/],
];
const FENCE = "```";

/** @param {{nameOf: Function, paste: Function}} room  a person's name by id, and where a block of code may be put */
export function mrkdwn(text, { nameOf, paste }) {
  const made = document.createDocumentFragment();
  text.split(CODE).forEach((part, place) => {
    if (!(place % 2)) made.append(...formatted(part, nameOf));
    else if (part.startsWith(FENCE)) made.append(...fenced(part.slice(3, -3).replace(/^\n/, "").replace(/\n$/, ""), paste));
    else made.append(element("code", {}, entities(part.slice(1, -1))));
  });
  return made;
}

export function entities(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function fenced(code, paste) {
  const copied = entities(code);
  const shown = element("pre", { tabindex: "0", role: "region", "aria-label": "Code" }, element("code", {}, copied));
  if (!copied.includes("\n")) return [shown];
  return [shown, element("button.paste", { onclick: () => paste(copied) }, "Add to the SQL editor")];
}

function formatted(text, nameOf) {
  for (const [tag, mark] of MARKS) {
    const found = mark.exec(text);
    if (found) {
      const after = text.slice(found.index + found[0].length);
      const inner = element(tag, {}, ...formatted(found[1], nameOf));
      return [...formatted(text.slice(0, found.index), nameOf), inner, ...formatted(after, nameOf)];
    }
  }
  const found = CONTROL.exec(text);
  if (!found) return lines(entities(text));
  const after = text.slice(found.index + found[0].length);
  return [...formatted(text.slice(0, found.index), nameOf), control(found[1], found[2], nameOf), ...formatted(after, nameOf)];
}

function control(target, label, nameOf) {
  if (target.startsWith("@")) return element("span.mention", {}, `@${nameOf(target.slice(1))}`);
  if (target.startsWith("#")) return element("span.mention", {}, `#${label ?? target.slice(1)}`);
  if (target.startsWith("!")) return element("span.mention", {}, `@${label ?? target.slice(1)}`);
  // A rehearsal leads nowhere else: an address is shown, and not followed.
  return element("span.address", {}, entities(label ?? target));
}

function lines(text) {
  return text.split("\n").flatMap((line, place) => (place ? [element("br"), line] : [line]));
}
