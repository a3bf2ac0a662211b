// Stack Auth's users as they appear, and signing in as one of them with the password they had.

import { byId, element } from "./element.js";
import { say } from "./toast.js";
import { ask, on } from "./wire.js";

const MOST = 60;
const known = new Map();

export function users() {
  const total = element("p.count", { role: "status" }, "0 users");
  const list = element("ul.people", { id: "users-list" });
  const filter = element("input", { type: "search", id: "filter", placeholder: "e-mail or id", autocomplete: "off", oninput: () => draw() });
  const email = element("input", { type: "email", id: "email", autocomplete: "off", required: true });
  const password = element("input", { type: "text", id: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const at = element("select", { id: "sign-in-at" }, element("option", { value: "stack-auth" }, "Stack Auth"), element("option", { value: "supabase" }, "Supabase"));
  const came = element("p.answer", { role: "status" });
  const draw = () => {
    const wanted = filter.value.trim().toLowerCase();
    const found = [...known.values()].reverse().filter((one) => !wanted || `${one.email} ${one.id} ${one.source} ${one.name}`.toLowerCase().includes(wanted));
    list.replaceChildren(
      ...found.slice(0, MOST).map((one) => person(one)),
      found.length > MOST ? element("li.quiet", {}, `and ${(found.length - MOST).toLocaleString("en")} more`) : "",
    );
  };
  const signIn = element(
    "form.grid",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        const answer = await ask({ act: "sign-in", at: at.value, email: email.value, password: password.value });
        came.className = `answer ${answer.failed || answer.isWell === false ? "bad" : "good"}`;
        came.textContent = answer.says;
      },
    },
    element("label", {}, "E-mail", email),
    element("label", {}, "The old password", password),
    element("label", {}, "At", at),
    submit("Sign in"),
  );
  byId("panel-users").append(
    element("h2", {}, "Stack Auth"),
    total,
    element("h3", {}, "Sign in as one of them"),
    element("p.quiet", {}, "The canary is the one user whose password is known; of the others nobody has it."),
    signIn,
    came,
    element("h3", {}, "Users"),
    element(
      "p.acts",
      {},
      element("label.filter", {}, "Find", filter),
      element("button", { onclick: async () => say(await ask({ act: "sign-up-early" })) }, "Two sign up early"),
    ),
    list,
  );
  on("introduction", (frame) => {
    known.clear();
    draw();
    if (!email.value) email.value = frame.canary.email;
    if (!password.value) password.value = frame.canary.password;
  });
  on("users", (frame) => {
    for (const one of frame.users) known.set(one.id, one);
    for (const id of frame.gone) known.delete(id);
    total.textContent = `${frame.total.toLocaleString("en")} ${frame.total === 1 ? "user" : "users"}`;
    draw();
  });
}

function submit(text) {
  const made = element("button.primary", {}, text);
  made.type = "submit";
  return made;
}

function person(one) {
  const ways = [one.password ? "password" : "", ...one.providers].filter(Boolean).join(", ") || "no way to sign in";
  return element(
    "li",
    {},
    element("strong", {}, one.email || one.name || "without an address"),
    element("span.quiet", {}, `${one.email ? (one.verified ? "verified" : "not verified") : ""} · ${ways} · ${one.source ? "migrated" : "signed up here"}`.replace(/^ · /, "")),
  );
}
