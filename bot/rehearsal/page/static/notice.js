// The public page: what visitors see, and the switch for the maintenance notice.

import { byId, element } from "./element.js";
import { say } from "./toast.js";
import { ask, on } from "./wire.js";

export function notice() {
  const page = element("div.visitors", {});
  const box = element("input", {
    type: "checkbox",
    role: "switch",
    id: "notice-switch",
    onchange: async () => say(await ask({ act: "notice", on: box.checked })),
  });
  byId("panel-notice").append(
    element("h2", {}, "Public notice"),
    element("p.quiet", {}, "Users are to know why nothing can be saved. The bot looks for the notice when somebody says frozen."),
    element("label.switch", {}, box, element("span", {}, "Maintenance notice")),
    element("h3", {}, "What visitors see"),
    page,
  );
  on("world", (frame) => {
    box.checked = frame.notice;
    page.dataset.state = frame.notice ? "on" : "off";
    const [title, text] = frame.notice
      ? ["Back soon", "We are moving house. Nothing can be changed until we are done."]
      : ["Our shop", "Open as always."];
    page.replaceChildren(element("p.title", {}, title), element("p", {}, text));
  });
}
