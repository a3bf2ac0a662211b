// What can go wrong, by service: switches that stay on, and blows that strike once.

import { byId, element } from "./element.js";
import { say } from "./toast.js";
import { ask, on } from "./wire.js";

const boxes = new Map();

export function faults() {
  on("introduction", (frame) => {
    boxes.clear();
    const services = Map.groupBy ? Map.groupBy(frame.faults, (fault) => fault.service) : grouped(frame.faults);
    byId("panel-faults").replaceChildren(
      element("h2", {}, "Faults"),
      element("p.quiet", {}, "The bot is to get through all of this. Nothing it did is done twice, and nothing is lost."),
      ...[...services].flatMap(([service, list]) => [
        element("h3", {}, service),
        element("ul.faults", {}, ...list.map((fault) => element("li", {}, fault.blow ? blow(fault) : lasting(fault)))),
      ]),
    );
  });
  on("world", (frame) => {
    for (const [name, box] of boxes) box.checked = frame.faults.includes(name);
    byId("tab-faults").dataset.count = frame.faults.length || "";
  });
}

function lasting(fault) {
  const box = element("input", {
    type: "checkbox",
    role: "switch",
    "aria-describedby": `fault-${fault.name}`,
    onchange: async () => say(await ask({ act: "fault", name: fault.name, on: box.checked })),
  });
  boxes.set(fault.name, box);
  return element("div", {}, element("label.switch", {}, box, element("span", {}, fault.title)), meets(fault));
}

function blow(fault) {
  const strike = async () => say(await ask({ act: "strike", name: fault.name }));
  return element("div", {}, element("button", { "aria-describedby": `fault-${fault.name}`, onclick: strike }, fault.title), meets(fault));
}

function meets(fault) {
  return element("p.quiet", { id: `fault-${fault.name}` }, fault.meets);
}

function grouped(list) {
  const groups = new Map();
  for (const fault of list) groups.set(fault.service, [...(groups.get(fault.service) ?? []), fault]);
  return groups;
}
