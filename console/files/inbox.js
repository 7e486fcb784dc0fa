// The list of conversations: folders and filters that the API has, page by page, the most recent first.

import * as session from "./session.js";
import { explain, get } from "./api.js";
import { button, el, icon, line, trouble, waiting } from "./dom.js";
import { counterpart, isTitled, learnTitle, nameOf, shortName, titleOf, topicOf } from "./subjects.js";
import { brief, count, say } from "./words.js";

const PAGE = 25;
const REFRESH_SECONDS = 30;
const FOLDERS = {
  all: {},
  unread: { unreadOnly: true },
  inquiries: { topic: "CONVERSATION_TOPIC_INQUIRY" },
  requests: { topic: "CONVERSATION_TOPIC_ORDER_REQUEST" },
  orders: { topic: "CONVERSATION_TOPIC_ORDER" },
  copies: { inCopy: true },
  archive: { archived: true },
};

export function face(text) {
  const hue = [...text].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 6, 7);
  return el("span", { class: `face hue${hue}`, "aria-hidden": "true" }, [...text][0] ?? "?");
}

export class Inbox {
  constructor(pane, signal) {
    this.signal = signal;
    this.folder = FOLDERS[session.recall("folder")] ? session.recall("folder") : "all";
    this.found = new Map();
    this.token = "";
    this.choice = 0;
    this.current = "";
    this.rows = el("ul", { class: "rows" });
    this.seen = new IntersectionObserver((changes) => this.#name(changes));
    signal.addEventListener("abort", () => this.seen.disconnect(), { once: true });
    this.foot = el("div", { class: "more" });
    this.folders = el("div", { class: "folders", role: "group", "aria-label": say("inbox.folders") });
    this.seats = el("span", {});
    const again = button(say("inbox.refresh"), () => this.load(), { drawing: "refresh", wordless: true, kind: "quiet" });
    pane.replaceChildren(
      el("header", {}, el("div", { class: "row" }, el("h1", {}, say("inbox.title")), this.seats, again), this.folders),
      el("div", { class: "scroll" }, this.rows, this.foot),
    );
  }

  async start() {
    this.#choices();
    const visible = () => { if (document.visibilityState === "visible") void this.refresh(); };
    document.addEventListener("visibilitychange", visible, { signal: this.signal });
    const timer = setInterval(visible, REFRESH_SECONDS * 1000);
    this.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    await this.load();
  }

  /** Marks the conversation that is open. */
  mark(id) {
    this.current = id;
    for (const link of this.rows.querySelectorAll("a")) {
      if (link.pathname === `/conversations/${id}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /** Leads back to where the reader came from. */
  focus(id) {
    this.rows.querySelector(`a[href="/conversations/${CSS.escape(id)}"]`)?.focus();
  }

  /** Takes over what somebody else has learned of a conversation. */
  update(conversation) {
    if (!this.found.has(conversation.name)) return;
    this.found.set(conversation.name, conversation);
    this.#draw();
  }

  async load() {
    // What was asked for before belongs to another folder, or to another seat.
    this.choice += 1;
    this.found.clear();
    this.token = "";
    this.rows.replaceChildren();
    this.foot.replaceChildren(waiting());
    await this.#page();
  }

  /** Looks at the first page again, without a word where nothing can be heard. */
  async refresh() {
    const { choice } = this;
    try {
      const answer = await this.#fetch("");
      if (choice !== this.choice) return;
      const rest = [...this.found.values()].filter((each) => !answer.conversations.some(({ name }) => name === each.name));
      const oldest = answer.conversations.at(-1)?.lastEntryTime ?? "";
      this.found = new Map([...answer.conversations, ...rest.filter((each) => each.lastEntryTime < oldest)].map((each) => [each.name, each]));
      if (this.found.size <= answer.conversations.length) this.token = answer.nextPageToken ?? "";
      this.#draw();
    } catch {
      // The next look may succeed.
    }
  }

  async #page() {
    const { choice } = this;
    try {
      const answer = await this.#fetch(this.token);
      if (choice !== this.choice) return;
      for (const each of answer.conversations) this.found.set(each.name, each);
      this.token = answer.nextPageToken ?? "";
      this.#draw();
    } catch (error) {
      if (this.signal.aborted || choice !== this.choice) return;
      this.foot.replaceChildren(trouble(explain(error), error.isPassing ? button(say("app.retry"), () => this.#page()) : null));
    }
  }

  async #fetch(pageToken) {
    const folder = FOLDERS[this.folder];
    const seller = folder.inCopy ? "" : session.seat();
    const answer = await get("/v1/conversations", { seller, ...folder, pageSize: PAGE, pageToken }, { signal: this.signal });
    return { conversations: [], ...answer };
  }

  #name(changes) {
    for (const { target, isIntersecting } of changes) {
      const conversation = this.found.get(target.dataset.name);
      if (!isIntersecting || !conversation) continue;
      this.seen.unobserve(target);
      learnTitle(conversation, this.signal, () => target.querySelector(".about")?.replaceChildren(...named(conversation)));
    }
  }

  #choices() {
    this.folders.replaceChildren(...Object.keys(FOLDERS).map((name) => button(say(`folder.${name}`), () => {
      this.folder = name;
      session.remember("folder", name);
      this.#choices();
      void this.load();
    }, { "aria-pressed": String(name === this.folder) })));
    const seats = session.seats();
    if (seats.length < 2) return;
    const select = el("select", { "aria-label": say("inbox.seat"), onchange: () => { session.sit(select.value); void this.load(); } },
      ...seats.map((seat) => el("option", { value: seat }, seat ? shortName(seat) : say("inbox.asBuyer"))));
    select.value = session.seat();
    this.seats.replaceChildren(select);
  }

  #draw() {
    const focused = this.rows.contains(document.activeElement) ? document.activeElement.pathname : "";
    this.rows.replaceChildren(...[...this.found.values()].map((each) => row(each)));
    for (const each of this.rows.querySelectorAll("li[data-name]")) this.seen.observe(each);
    this.mark(this.current);
    if (focused) this.rows.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    if (this.token) this.foot.replaceChildren(button(say("inbox.more"), () => this.#page()));
    else if (this.found.size) this.foot.replaceChildren();
    else this.foot.replaceChildren(el("div", { class: "empty" }, icon("inbox"), el("p", {}, say(`inbox.empty${this.folder === "all" ? "" : "Folder"}`))));
  }
}

/** A conversation about a request or order: only that says what it is called, and it is asked when it is seen. */
function named(conversation) {
  return [el("span", {}, line(titleOf(conversation))), isTitled(conversation) && conversation.subject ? el("span", { class: "kind" }, ` · ${say(`topic.${topicOf(conversation)}`)}`) : ""];
}

function row(conversation) {
  const unread = conversation.unreadCount ?? 0;
  const name = nameOf(conversation, counterpart(conversation));
  const isClosed = conversation.state === "STATE_CLOSED";
  return el("li", { class: unread ? "unread" : "", "data-name": isTitled(conversation) ? null : conversation.name },
    el("a", { href: `/${conversation.name}`, "data-local": true },
      face(name),
      el("span", {}, el("div", { class: "name" }, name), el("div", { class: "about" }, ...named(conversation))),
      el("span", { class: "side" },
        el("time", { datetime: conversation.lastEntryTime }, brief(conversation.lastEntryTime)),
        unread ? el("span", { class: "badge" }, el("span", { "aria-hidden": "true" }, String(unread)), el("span", { class: "heard" }, count("inbox.unread", unread)))
          : isClosed ? el("span", { class: "tag" }, say("state.closed")) : null)));
}
