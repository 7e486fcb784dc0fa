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
  const here = place;
  const before = here.inbox.current;
  here.main.className = `desk at-${parameter ? "thread" : "list"}`;
  here.open?.abort();
  here.inbox.mark(parameter);
  if (!parameter) {
    if (hasCome) here.inbox.focus(before);
    here.thread.replaceChildren(el("div", { class: "empty" }, icon("inbox"), el("p", {}, say("thread.none"))));
    return;
  }
  // Its own: whoever has chosen another conversation while this one was still coming sees that one alone.
  const mine = new AbortController();
  here.open = mine;
  here.signal.addEventListener("abort", () => mine.abort(), { once: true, signal: mine.signal });
  const { openThread } = await import("./thread.js").finally(() => mine.signal.throwIfAborted());
  await openThread(here.thread, `conversations/${parameter}`, here.inbox, mine.signal, hasCome);
}
