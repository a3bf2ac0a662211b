// The line that leads, the clock, and the end of the night, at which the report opens.

import { byId, element } from "./element.js";
import { framed, time } from "./bot.js";
import { shown } from "./dialogs.js";
import { suggest } from "./compose.js";
import { mrkdwn } from "./mrkdwn.js";
import { goTo, show } from "./tabs.js";
import { on } from "./wire.js";

let hint = "";
let world = null;
let ahead = 0;
let isOver = false;

export function night() {
  on("open", () => {
    byId("lost").hidden = true;
  });
  on("lost", () => {
    byId("lost").hidden = false;
  });
  on("world", (frame) => {
    world = frame;
    ahead = frame.now - Date.now() / 1000;
    lead(frame.hint);
    tick();
    const over = frame.evidence.over && frame.evidence.verified !== "";
    if (over && !isOver) end(frame);
    isOver = over;
  });
  setInterval(tick, 1000);
}

function tick() {
  if (!world) return;
  const seconds = Math.max(0, Math.floor((world.ended ?? Date.now() / 1000 + ahead) - world.began));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const short = `${hours ? `${minutes}`.padStart(2, "0") : minutes}:${String(seconds % 60).padStart(2, "0")}`;
  byId("clock").textContent = hours ? `${hours}:${short}` : short;
}

function lead(now) {
  const key = JSON.stringify(now);
  if (key === hint) return;
  hint = key;
  byId("hint-says").replaceChildren(mrkdwn(now.says, { nameOf: (id) => id }));
  const acts = [];
  if (now.text) acts.push(element("button", { id: "hint-fill", onclick: () => (show("channel"), suggest(now.who, now.text)) }, "Write it for me"));
  if (now.tab) acts.push(element("button", { id: "hint-show", onclick: () => goTo(now.tab) }, "Show me"));
  byId("hint-acts").replaceChildren(...acts);
}

function end(frame) {
  const verdicts = frame.evidence.verified.split("\n").filter(Boolean);
  const bad = verdicts.filter((line) => line.startsWith("fail"));
  shown("The night is over", [
    element("p", {}, `It took ${time(frame.ended - frame.began)}. `, bad.length ? `cutover verify found: ${bad.join("; ")}` : `cutover verify: all of ${verdicts.length} checks pass.`),
    element("p", {}, "Evidence: ", element("code", {}, frame.evidence.directory)),
    framed(),
  ]);
}
