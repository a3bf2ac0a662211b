// The channel and the thread that is open: every message by its ts, drawn anew when it changes, and nothing else is.

import { byId, element, replaceKeepingFocus } from "./element.js";
import { blocks } from "./blocks.js";
import { confirmed, chosen, shown, written } from "./dialogs.js";
import { message } from "./messages.js";
import { say as note } from "./toast.js";
import { ask, on } from "./wire.js";
import { speaker } from "./compose.js";
import { paste } from "./supabase.js";

const NEAR_THE_END = 80;
const known = new Map();
const people = new Map();
const seen = new Map();
const following = new Map();
let openTs = "";

const room = {
  nameOf: (id) => people.get(id)?.name ?? id,
  personOf: (id) => people.get(id) ?? { name: "An app", role: "app", bot: true },
  seenOf: (ts) => seen.get(ts) ?? 0,
  openThread,
  more,
  openFile,
  paste,
};

export function channel() {
  on("introduction", (frame) => {
    known.clear();
    for (const list of [byId("messages"), byId("replies")]) list.replaceChildren();
    people.clear();
    for (const person of frame.people) people.set(person.id, person);
    byId("channel-name").textContent = `# ${frame.channel}`;
  });
  on("messages", (frame) => {
    const touched = new Set();
    for (const one of frame.messages) {
      known.set(one.ts, one);
      touched.add(one.thread ?? one.ts);
      touched.add(one.ts);
    }
    draw(byId("messages"), byId("channel-scroll"), [...known.values()].filter((m) => !m.thread || !known.has(m.thread)), touched);
    if (openTs) drawThread(touched);
    drawPinned();
  });
  byId("thread-close").addEventListener("click", closeThread);
  byId("thread").addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeThread();
  });
  byId("newer").addEventListener("click", () => toTheEnd(byId("channel-scroll")));
  for (const scroll of [byId("channel-scroll"), byId("thread-scroll")]) {
    scroll.addEventListener("scroll", () => {
      following.set(scroll, isAtTheEnd(scroll));
      if (isAtTheEnd(byId("channel-scroll"))) byId("newer").hidden = true;
    });
    // A window that is turned or made small leaves the reader where the newest message is.
    new ResizeObserver(() => following.get(scroll) && toTheEnd(scroll)).observe(scroll);
  }
}

/** A thread opens beside the channel, or in its place where there is little room. */
export function openThread(ts) {
  openTs = ts;
  byId("replies").replaceChildren();
  byId("thread").hidden = false;
  document.body.classList.add("with-thread");
  drawThread(null);
  byId("thread-name").focus();
}

function closeThread() {
  const ts = openTs;
  openTs = "";
  byId("thread").hidden = true;
  byId("replies").replaceChildren();
  document.body.classList.remove("with-thread");
  const item = byId("messages").querySelector(`[data-ts="${ts}"]`);
  (item?.querySelector('[data-key="replies"]') ?? byId("write")).focus();
}

export const openedThread = () => openTs;

function repliesOf(ts) {
  return [...known.values()].filter((m) => m.thread === ts && !m.deleted).sort(byTs);
}

const byTs = (a, b) => (a.ts < b.ts ? -1 : 1);

function drawThread(touched) {
  const all = [...known.values()].filter((m) => m.ts === openTs || m.thread === openTs);
  draw(byId("replies"), byId("thread-scroll"), all, touched, true);
  seen.set(openTs, Math.max(...all.map((m) => Number(m.ts))));
  const parent = byId("messages").querySelector(`[data-ts="${openTs}"]`);
  if (parent) fill(parent, known.get(openTs), false);
}

function draw(list, scroll, all, touched, inThread = false) {
  const wasAtTheEnd = isAtTheEnd(scroll);
  let isNew = false;
  for (const one of all.sort(byTs)) {
    let item = list.querySelector(`[data-ts="${one.ts}"]`);
    if (!item) {
      item = element("li", { "data-ts": one.ts, tabindex: "-1" });
      if (one.type === "cutover_run") item.setAttribute("aria-live", "off");
      const behind = [...list.children].find((other) => other.dataset.ts > one.ts);
      list.insertBefore(item, behind ?? null);
      isNew = true;
    } else if (touched && !touched.has(one.ts)) {
      continue;
    }
    fill(item, one, inThread);
  }
  if (wasAtTheEnd) toTheEnd(scroll);
  else if (isNew && !inThread) byId("newer").hidden = false;
}

function fill(item, one, inThread) {
  const replies = inThread ? [] : repliesOf(one.ts);
  item.hidden = one.deleted && !replies.length;
  item.className = one.bot ? "of-bot" : "of-person";
  replaceKeepingFocus(item, ...message(one, { ...room, press: (button) => press(one, button) }, replies).filter(Boolean));
}

function drawPinned() {
  const header = [...known.values()].filter((m) => m.pinned && !m.deleted).sort(byTs).at(-1);
  byId("pinned").hidden = !header;
  if (!header) return;
  const now = /^\*Now:\* (.*)$/m.exec(header.text)?.[1] ?? "";
  const title = header.blocks.find((block) => block.type === "header")?.text.text ?? "Pinned";
  byId("pinned-line").textContent = `${title}: ${now.replaceAll(/[*`]/g, "")}`;
  byId("pinned-body").replaceChildren(...blocks(header.blocks, { ...room, press: (button) => press(header, button) }));
}

async function press(one, button) {
  if (button.confirm && !(await confirmed(button.confirm))) return;
  const answer = await ask({ act: "press", who: speaker(), ts: one.ts, action: button.action_id });
  note(answer);
}

async function more(one) {
  const choices = [];
  if (!one.thread && !one.deleted) choices.push(["reply", "Reply in its thread"]);
  if (!one.bot) choices.push(["edit", "Edit"]);
  choices.push(["delete", "Delete", "danger"]);
  const choice = await chosen(`Message of ${room.nameOf(one.user)}`, choices);
  if (choice === "reply") openThread(one.ts);
  if (choice === "delete") note(await ask({ act: "delete", ts: one.ts }));
  if (choice === "edit") {
    const text = await written("Edit the message", typedFrom(one.text));
    if (text) note(await ask({ act: "edit", ts: one.ts, text }));
  }
}

async function openFile(file) {
  const answer = await ask({ act: "open-file", id: file.id });
  if (answer.failed) note(answer);
  else shown(answer.name, [element("pre", { tabindex: "0", role: "region", "aria-label": answer.name }, answer.text)]);
}

function typedFrom(text) {
  const named = text.replaceAll(/<@(\w+)>/g, (_, id) => `@${room.nameOf(id)}`);
  return named.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function isAtTheEnd(scroll) {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_THE_END;
}

export function toTheEnd(scroll) {
  scroll.scrollTop = scroll.scrollHeight;
  byId("newer").hidden = true;
}
