// One conversation: what was written and what happened, the newest at the bottom.

import { explain, get, path } from "./api.js";
import { button, el, icon, trouble, waiting, written } from "./dom.js";
import { shortName } from "./inbox.js";
import { clock, has, learn, say } from "./words.js";

const PAGE = 30;

export async function openThread(pane, name, inbox, signal) {
  pane.replaceChildren(waiting());
  await learn("thread");
  const back = el("a", { class: "button wordless quiet back", href: "/console", "data-local": true, "aria-label": say("thread.back") }, icon("back"));
  try {
    const answer = await get(path(name, "/timeline"), { pageSize: PAGE, orderBy: "TIMELINE_ORDER_NEWEST_FIRST" }, { signal });
    pane.replaceChildren(back, el("ol", {}, ...(answer.entries ?? []).reverse().map(entry)));
  } catch (error) {
    if (signal.aborted) return;
    const again = button(say("app.retry"), () => openThread(pane, name, inbox, signal));
    pane.replaceChildren(back, trouble(error.status === 404 ? say("thread.missing") : explain(error), again));
  }
}

function entry({ message, event, createTime }) {
  const time = el("time", { datetime: createTime }, clock(createTime));
  if (message) return el("li", {}, el("b", {}, shortName(message.author)), " ", time, el("p", {}, ...written(message.text ?? "")));
  const key = `event.${event.type.replace(/^TYPE_/, "")}`;
  return el("li", {}, say(has(key) ? key : "event.other", { name: shortName(event.resource) }), " ", time);
}
