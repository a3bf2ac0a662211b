// Who speaks, and what they write: Enter sends, Shift and Enter begins a line. What a slash command answers is for its
// author alone, and shown as that.

import { byId, element } from "./element.js";
import { openedThread, toTheEnd } from "./channel.js";
import { say as note } from "./toast.js";
import { ask, on } from "./wire.js";

export const speaker = () => byId("who").value;

export function compose() {
  on("introduction", (frame) => {
    const before = speaker();
    const people = frame.people.filter((person) => !person.bot);
    byId("who").replaceChildren(
      ...people.map((person) => element("option", { value: person.id }, `${person.name} (${person.role})`)),
    );
    if (people.some((person) => person.id === before)) byId("who").value = before;
  });
  form(byId("write-form"), byId("write"), () => null);
  form(byId("reply-form"), byId("reply"), openedThread);
}

/** Puts words into somebody's mouth, for a person to read and send. */
export function suggest(who, text) {
  byId("who").value = who;
  const field = byId("write");
  field.value = text;
  fit(field);
  field.focus();
}

function form(made, field, threadOf) {
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    const thread = threadOf();
    field.value = "";
    fit(field);
    const answer = await ask({ act: "say", who: speaker(), text, ...(thread ? { thread } : {}) });
    if (answer.failed && !field.value) field.value = text;
    if (answer.onlyYou) whisper(answer.onlyYou);
    else toTheEnd(byId(thread ? "thread-scroll" : "channel-scroll"));
    note(answer);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      made.requestSubmit();
    }
  });
  field.addEventListener("input", () => fit(field));
}

function fit(field) {
  field.rows = Math.min(6, field.value.split("\n").length);
}

function whisper(text) {
  const plain = text.replaceAll(/[*`]/g, "").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  byId("messages").append(
    element("li.whisper", {}, element("p.quiet", {}, "Only visible to you"), element("p", {}, plain)),
  );
  toTheEnd(byId("channel-scroll"));
}
