// One native dialog at a time, a new element for each: it holds the focus, Escape closes it, and the focus goes back to
// where it came from.

import { byId, element } from "./element.js";

function open(kind, title, body, acts) {
  const before = byId("dialog");
  before?.close("");
  before?.remove();
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "dialog-title" }, title),
    ...body,
    element("p.acts", {}, ...acts),
  );
  const dialog = element(`dialog.${kind}`, { id: "dialog", "aria-labelledby": "dialog-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((answered) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      answered(dialog.returnValue);
    }),
  );
}

function choice(value, text, kind = "") {
  const made = element(`button${kind ? `.${kind}` : ""}`, { value }, text);
  made.type = "submit";
  return made;
}

/** Slack's confirm dialog of a button; true when a person says yes. */
export async function confirmed(confirm) {
  const body = [element("p.as-typed", {}, confirm.text.text)];
  const yes = choice("yes", confirm.confirm?.text ?? "Yes", confirm.style === "danger" ? "danger" : "primary");
  const no = choice("", confirm.deny?.text ?? "Cancel");
  return (await open("ask", confirm.title.text, body, [yes, no])) === "yes";
}

/** @returns {Promise<string>} the value of what was chosen, "" for nothing */
export function chosen(title, choices) {
  return open("ask", title, [], [...choices.map(([value, text, kind]) => choice(value, text, kind)), choice("", "Cancel")]);
}

/** @returns {Promise<string>} what was written, "" for nothing */
export async function written(title, text) {
  const field = element("textarea", { rows: "3", "aria-label": title, maxlength: "4000" });
  field.value = text;
  const answer = await open("ask", title, [field], [choice("yes", "Save", "primary"), choice("", "Cancel")]);
  return answer === "yes" ? field.value.trim() : "";
}

/** A dialog that shows something and is closed; `acts` may be more choices, whose value comes back. */
export function shown(title, body, acts = []) {
  return open("show", title, body, [...acts.map(([value, text]) => choice(value, text)), choice("", "Close", "primary")]);
}
