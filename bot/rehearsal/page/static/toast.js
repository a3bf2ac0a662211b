// One line about what was just done, where the page itself does not show it.

import { byId, element } from "./element.js";

const SECONDS = 6;
let timer = 0;

export function say(answer) {
  if (!answer.says) return;
  byId("toast")?.remove();
  const kind = answer.failed || answer.isWell === false ? ".bad" : "";
  document.body.append(element(`p.toast${kind}`, { id: "toast", role: "status" }, answer.says));
  clearTimeout(timer);
  timer = setTimeout(() => byId("toast")?.remove(), SECONDS * 1000);
}
