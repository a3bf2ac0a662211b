// The bot as a process: how it is, how to kill it, its other commands; how long the night takes, and where the
// evidence is.

import { byId, element } from "./element.js";
import { chosen, shown } from "./dialogs.js";
import { say } from "./toast.js";
import { ask, on } from "./wire.js";

const COMMANDS = ["status", "doctor", "practice", "verify", "thaw"];
const STATES = { starting: "starting", running: "running", killed: "killed", ended: "ended" };

export function bot() {
  const state = element("p.state", { role: "status" }, "…");
  const kill = element("button.danger", { id: "kill", onclick: async () => say(await ask({ act: "kill" })) }, "Kill the bot (SIGKILL)");
  const start = element("button.primary", { id: "start", hidden: true, onclick: () => startAgain() }, "Start the bot");
  const output = element("pre.output", { tabindex: "0", hidden: true, "aria-label": "What the command printed" });
  const came = element("p.answer", { role: "status" });
  const table = element("tbody");
  const where = element("dl.where");
  const command = async (name) => {
    came.textContent = `cutover ${name} …`;
    const answer = await ask({ act: "command", name });
    came.textContent = answer.says;
    output.textContent = [answer.output, answer.errors].filter(Boolean).join("\n");
    output.hidden = !output.textContent;
  };
  const heads = ["Checkpoint", "Waited", "Checked", "Then worked"].map((text) => element("th", { scope: "col" }, text));
  byId("panel-bot").append(
    element("h2", {}, "The bot"),
    state,
    element("p.acts", {}, kill, start),
    element("h3", {}, "How long it takes"),
    element("div.wide", { tabindex: "0", role: "region", "aria-label": "How long it takes" }, element("table.times", {}, element("thead", {}, element("tr", {}, ...heads)), table)),
    element("h3", {}, "Evidence"),
    where,
    element("p.acts", {}, element("button", { id: "report", onclick: () => openReport() }, "Open the report")),
    element("h3", {}, "Other commands"),
    element("p.acts.small", {}, ...COMMANDS.map((name) => element("button", { onclick: () => command(name) }, `cutover ${name}`))),
    came,
    output,
  );
  on("world", (frame) => {
    const { bot: now, timeline, evidence } = frame;
    state.dataset.state = now.state;
    state.textContent = told(now);
    byId("bot-state").textContent = `bot ${STATES[now.state]}`;
    byId("bot-state").dataset.state = now.state;
    kill.disabled = now.pid === null;
    start.hidden = now.state !== "ended";
    table.replaceChildren(...timeline.map((one) => row(one)));
    where.replaceChildren(
      element("dt", {}, "Data directory"),
      element("dd", {}, element("code", {}, evidence.directory)),
      element("dt", {}, "The bot's log"),
      element("dd", {}, element("code", {}, evidence.log)),
    );
  });
}

/** The evidence page as it is now, in a dialog. */
export async function openReport() {
  const answer = await ask({ act: "report" });
  if (answer.failed) return say(answer);
  return shown("Report of the run", [framed()]);
}

export function framed() {
  return element(
    "div.report",
    {},
    element("p", {}, element("a", { href: "report", target: "_blank", rel: "noopener" }, "Open it alone")),
    element("iframe", { src: "report", title: "Report of the run" }),
  );
}

async function startAgain() {
  const choice = await chosen("Start the bot", [
    ["same", "Go on with this run", "primary"],
    ["new", "Open another run"],
  ]);
  if (choice) say(await ask({ act: "start", new: choice === "new" }));
}

function told(now) {
  const times = now.starts === 1 ? "started once" : `started ${now.starts} times`;
  switch (now.state) {
    case "running":
      return `Running as process ${now.pid}, ${times}.`;
    case "killed":
      return "Killed. It is started again in 2 seconds.";
    case "ended":
      return `Ended by itself with ${now.code}${now.code === 0 ? ": all is done." : "; its log says why."}`;
    default:
      return now.pid === null ? "Not started yet." : `Starting as process ${now.pid}.`;
  }
}

function row(one) {
  const refused = one.refused ? ` (refused ${one.refused}×)` : "";
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, one.title),
    element("td", {}, time(one.waited)),
    element("td", {}, (one.checked ? time(one.checked) : "not yet") + refused),
    element("td", {}, one.step === null ? "" : time(one.step)),
  );
}

export function time(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = String(Math.floor(seconds % 60)).padStart(2, "0");
  return minutes < 60 ? `${minutes} min ${rest} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
