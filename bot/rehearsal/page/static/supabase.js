// Supabase as its people use it: an SQL editor as the project's owner, sessions that stay open, a write by the API.

import { byId, element, replaceKeepingFocus } from "./element.js";
import { goTo } from "./tabs.js";
import { ask, on } from "./wire.js";

let sql = {};
let held = "";

export function supabase() {
  const state = element("p.state", { role: "status" }, "…");
  const answer = element("div.answer", { role: "status", "aria-label": "What Supabase answered" });
  const editor = element("textarea.code", { id: "sql", rows: "7", spellcheck: "false", placeholder: "SQL, as the project's owner" });
  const sessions = element("ul.rows", { id: "sessions" });
  const run = async (act, what) => {
    answer.replaceChildren(element("p.quiet", {}, `${what} …`));
    result(answer, what, await ask(act));
  };
  const fill = (text) => {
    editor.value = text;
    editor.focus();
    editor.setSelectionRange(0, 0);
    editor.scrollTop = 0;
  };
  const print = async (name) => {
    const printed = await ask({ act: "command", name });
    if (printed.failed || printed.code) result(answer, `cutover ${name}`, printed);
    else fill(printed.output);
  };
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("sql-run").click();
  });
  byId("panel-supabase").append(
    element("h2", {}, "Supabase"),
    state,
    element(
      "p.acts",
      {},
      element("button", { onclick: () => run({ act: "sql", sql: sql.write }, "Write a row by SQL") }, "Write a row by SQL"),
      element("button", { onclick: () => run({ act: "api-write" }, "Write a row by the API") }, "Write a row by the API"),
    ),
    element("h3", {}, element("label", { for: "sql" }, "SQL editor")),
    element(
      "p.acts.small",
      { role: "group", "aria-label": "Put into the editor" },
      element("button", { onclick: () => print("freeze-sql") }, "cutover freeze-sql"),
      element("button", { onclick: () => print("freeze-sql --thaw") }, "… --thaw"),
      element("button", { onclick: () => fill(sql["soft-freeze"]) }, "Soft freeze"),
      element("button", { onclick: () => fill(sql["soft-thaw"]) }, "Undo soft freeze"),
    ),
    editor,
    element(
      "p.acts",
      {},
      element("button.primary", { id: "sql-run", onclick: () => editor.value.trim() && run({ act: "sql", sql: editor.value }, "Run") }, "Run"),
      element("span.quiet", {}, "in a session of its own, closed behind it"),
    ),
    answer,
    element("h3", {}, "Sessions left open"),
    element("p.quiet", {}, "A session keeps the default that it was born with, whatever the database says since."),
    element("p.acts", {}, element("button", { onclick: () => run({ act: "open-session" }, "Open a session") }, "Open a session")),
    sessions,
  );
  on("introduction", (frame) => {
    sql = frame.sql;
  });
  on("world", (frame) => {
    state.dataset.state = frame.source.hooked ? "frozen" : frame.source.readOnly ? "soft" : "open";
    state.textContent = {
      frozen: "Frozen: the database's default and the API's hook are in place.",
      soft: "Soft freeze: only the database's default is read-only. The API still writes.",
      open: "Open: everything writes.",
    }[state.dataset.state];
    const now = JSON.stringify(frame.held);
    if (now === held) return;
    held = now;
    const write = (one) => run({ act: "sql", sql: sql.write, session: one.number }, `Write a row in session ${one.number}`);
    const close = (one) => run({ act: "close-session", session: one.number }, `Close session ${one.number}`);
    replaceKeepingFocus(
      sessions,
      ...frame.held.map((one) =>
        element(
          "li",
          {},
          element("span", {}, `Session ${one.number} (pid ${one.pid}): `, one.there ? (one.readOnly ? "born read-only" : "may write") : "ended by the server"),
          element("button", { "data-key": `write-${one.number}`, onclick: () => write(one) }, "Write"),
          element("button", { "data-key": `close-${one.number}`, onclick: () => close(one) }, "Close"),
        ),
      ),
    );
  });
}

/** Adds to what is in the editor: what comes in parts is run together. */
export function paste(text) {
  const editor = byId("sql");
  editor.value = editor.value ? `${editor.value.trimEnd()}\n${text}` : text;
  goTo("supabase");
  editor.focus();
}

function result(place, what, answer) {
  const failed = answer.failed || answer.isWell === false;
  const rows = answer.table ?? [];
  place.replaceChildren(
    element(`p.${failed ? "bad" : "good"}`, {}, element("strong", {}, `${what}: `), answer.says),
    ...(answer.notices ?? []).slice(-8).map((line) => element("p.quiet.code", {}, line)),
    rows.length ? grid(rows) : "",
  );
}

function grid([head, ...body]) {
  const row = (cells, tag) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
  const drawn = element("table", {}, element("thead", {}, row(head, "th")), element("tbody", {}, ...body.map((cells) => row(cells, "td"))));
  return element("div.wide", { tabindex: "0", role: "region", "aria-label": "Rows" }, drawn);
}
