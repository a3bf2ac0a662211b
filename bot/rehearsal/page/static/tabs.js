// The tools, one at a time, by the pattern for tabs: arrows move, Tab goes into the panel. Where there is room for one
// column only, the channel is a tab like the others.

import { byId } from "./element.js";

const narrow = matchMedia("(max-width: 44rem)");
const all = () => [...document.querySelectorAll("[role=tab]")];
let tool = "supabase";

export function tabs() {
  for (const tab of all()) {
    tab.addEventListener("click", () => show(tab.dataset.tab));
    tab.addEventListener("keydown", move);
  }
  narrow.addEventListener("change", mark);
  mark();
}

/** `channel`, or the name of a tool. */
export function show(name) {
  if (name !== "channel") tool = name;
  document.body.dataset.view = name === "channel" ? "channel" : "tools";
  mark();
}

/** Shows a tool and takes the focus into it. */
export function goTo(name) {
  show(name);
  (name === "channel" ? byId("write") : byId(`panel-${name}`)).focus();
}

function mark() {
  const chosen = narrow.matches && document.body.dataset.view === "channel" ? "channel" : tool;
  for (const tab of all()) {
    const isChosen = tab.dataset.tab === chosen;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
    if (tab.dataset.tab !== "channel") byId(`panel-${tab.dataset.tab}`).hidden = tab.dataset.tab !== tool;
  }
}

function move(event) {
  const there = all().filter((tab) => tab.offsetParent !== null);
  const at = there.indexOf(event.currentTarget);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: there.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = there[(to + there.length) % there.length];
  show(next.dataset.tab);
  next.focus();
}
