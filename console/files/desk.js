// The desk: the list of conversations, and beside it, or on a phone in its place, the one that is open.

import { Inbox } from "./inbox.js";
import { el, icon } from "./dom.js";
import { say } from "./words.js";

export const layout = "desk at-list";

let place = null;

export async function show({ main, parameter, signal }) {
  const list = el("section", { class: "pane list", "aria-label": say("inbox.title") });
  const thread = el("section", { class: "pane thread", "aria-label": say("thread.title") });
  main.replaceChildren(list, thread);
  place = { main, thread, inbox: new Inbox(list, signal), signal, open: null };
  await Promise.all([place.inbox.start(), open(parameter)]);
}

/** Another conversation, or none, while the list stays as it is. */
export function move(parameter) {
  return open(parameter, true);
}

async function open(parameter, hasCome = false) {
  const before = place.inbox.current;
  place.main.className = `desk at-${parameter ? "thread" : "list"}`;
  place.open?.abort();
  place.inbox.mark(parameter);
  if (!parameter) {
    if (hasCome) place.inbox.focus(before);
    place.thread.replaceChildren(el("div", { class: "empty" }, icon("inbox"), el("p", {}, say("thread.none"))));
    return;
  }
  place.open = new AbortController();
  place.signal.addEventListener("abort", () => place.open.abort(), { once: true });
  const { openThread } = await import("./thread.js");
  await openThread(place.thread, `conversations/${parameter}`, place.inbox, place.open.signal, hasCome);
}
