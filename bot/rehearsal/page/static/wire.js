// The one WebSocket: frames by kind to whoever listens, acts out with a number, their answers back. Lost, it dials
// again by itself; what was asked meanwhile is refused, since nobody knows what became of it.

const LONGEST_WAIT = 5000;
const listeners = new Map();
const asked = new Map();
let socket = null;
let number = 0;
let wait = 250;

export function on(kind, listener) {
  listeners.set(kind, [...(listeners.get(kind) ?? []), listener]);
}

function tell(kind, frame) {
  for (const listener of listeners.get(kind) ?? []) listener(frame);
}

export function connect() {
  const address = new URL("live", location.href);
  address.protocol = "ws:";
  address.search = "";
  socket = new WebSocket(address);
  socket.addEventListener("open", () => {
    wait = 250;
    tell("open", {});
  });
  socket.addEventListener("message", (event) => {
    const frame = JSON.parse(event.data);
    if (frame.kind === "answer") {
      asked.get(frame.number)?.(frame);
      asked.delete(frame.number);
    } else {
      tell(frame.kind, frame);
    }
  });
  socket.addEventListener("close", () => {
    for (const answer of asked.values()) answer({ failed: true, says: "The connection was lost; look what became of it." });
    asked.clear();
    tell("lost", {});
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  });
}

/** @returns {Promise<object>} `says` is one line for a person, "" when the page itself shows what came of it. */
export function ask(act) {
  if (socket?.readyState !== WebSocket.OPEN) {
    return Promise.resolve({ failed: true, says: "The rehearsal does not answer; nothing was done." });
  }
  number += 1;
  socket.send(JSON.stringify({ ...act, number }));
  return new Promise((answer) => asked.set(number, answer));
}
