// One message as a list item: who, when, what, and what can be done about it.

import { blocks } from "./blocks.js";
import { element } from "./element.js";
import { mrkdwn } from "./mrkdwn.js";

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function clock(seconds) {
  return CLOCK.format(new Date(seconds * 1000));
}

/** The content of a message's item. `room` is who is who and what a person may do with it; `replies` its thread. */
export function message(shown, room, replies = []) {
  if (shown.deleted) return [element("p.quiet", {}, "This message was deleted."), thread(shown, replies, room)];
  const author = room.personOf(shown.user);
  const body = shown.bot && shown.blocks.length ? blocks(shown.blocks, room) : [element("div", {}, mrkdwn(shown.text, room))];
  return [
    element("span.face", { "aria-hidden": "true", "data-role": author.role }, author.name.slice(0, 1).toUpperCase()),
    element(
      "div.body",
      {},
      element(
        "p.by",
        {},
        element("strong", {}, author.name),
        author.bot ? element("span.app", {}, "APP") : null,
        author.role === "guest" ? element("span.app", {}, "GUEST") : null,
        element("time.quiet", { datetime: new Date(shown.ts * 1000).toISOString() }, clock(shown.ts)),
        shown.edited ? element("span.quiet", {}, "(edited)") : null,
        shown.pinned ? element("span.quiet", {}, "📌 pinned") : null,
        element("button.more", { "data-key": "more", "aria-label": `More about the message of ${author.name} at ${clock(shown.ts)}`, onclick: () => room.more(shown) }, "⋯"),
      ),
      ...body,
      files(shown, room),
      thread(shown, replies, room),
    ),
  ];
}

function files(shown, room) {
  if (!shown.files.length) return null;
  const open = (file) => element("button.file", { "data-key": file.id, onclick: () => room.openFile(file) }, `📄 ${file.title}`);
  return element("div.acts", {}, ...shown.files.map(open));
}

function thread(shown, replies, room) {
  if (!replies.length) return null;
  const fresh = replies.filter((reply) => Number(reply.ts) > room.seenOf(shown.ts)).length;
  const count = `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`;
  return element(
    "button.replies",
    { "data-key": "replies", onclick: () => room.openThread(shown.ts) },
    count,
    fresh && fresh < replies.length ? element("span.fresh", {}, `${fresh} new`) : null,
    element("span.quiet", {}, `last at ${clock(replies.at(-1).ts)}`),
  );
}
