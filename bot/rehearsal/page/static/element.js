// Elements are made here and nowhere else: text is always text, never markup.

/**
 * @param {string} tag  "button.primary" makes a button of the class primary
 * @param {object} attributes  `on…` are listeners, true and false switch an attribute, the rest is set as it is
 */
export function element(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  if (name === "button") made.type = "button";
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(key, value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Puts new content in, and the focus back where it was, on whatever bears the same data-key; else on `parent`. */
export function replaceKeepingFocus(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  parent.replaceChildren(...children);
  if (!focused || focused === parent || parent.contains(document.activeElement)) return;
  const again = key ? parent.querySelector(`[data-key="${CSS.escape(key)}"]`) : null;
  (again ?? parent).focus({ preventScroll: true });
}
