// One conversation: what was written and what happened, the newest at the bottom, as it goes on.

import * as session from "./session.js";
import { actionsButton, chooseAction } from "./actions.js";
import { explain, get, path, post } from "./api.js";
import { entitle, go } from "./app.js";
import { Composer } from "./composer.js";
import { announce, button, dress, el, icon, line, trouble, waiting, written } from "./dom.js";
import { event, message } from "./entry.js";
import { face } from "./inbox.js";
import { OfferCard } from "./offer.js";
import { counterpart, nameOf, subjectOf, titleOf, topicOf } from "./subjects.js";
import { watch } from "./watch.js";
import { dateAndTime, day, learn, say } from "./words.js";

const PAGE = 30;
const READ_AFTER = 800;
const SETTLE = 250;
const NEAR_END = 120;
// What proposes something new: the card of an offer stands at the latest of these.
const PROPOSALS = /^TYPE_OFFER_(SENT|REVISED|COUNTERED|REVIVED)$/;

/** Shows a conversation in `pane`; with `hasCome` the reader came from another one, and is led to it. */
export async function openThread(pane, name, inbox, signal, hasCome = false) {
  pane.replaceChildren(waiting());
  await Promise.all([learn("thread"), dress("thread.css")]);
  if (signal.aborted) return;
  const thread = new Thread(pane, name, inbox, signal);
  await thread.start(hasCome);
}

class Thread {
  constructor(pane, name, inbox, signal) {
    Object.assign(this, { pane, name, inbox, signal, conversation: null, subject: null, token: "", side: "", readUpTo: "", timer: 0 });
    this.entries = [];
    this.nodes = new Map();
    this.offers = new Map();
    this.list = el("ol", { class: "timeline", "aria-label": say("thread.history") });
    this.earlier = button(say("thread.earlier"), () => this.#page(), { kind: "quiet" });
    this.scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("thread.history") });
    this.latest = button(say("thread.latest"), () => this.#toEnd(true), { kind: "primary latest", drawing: "down", hidden: true });
    this.state = el("p", { class: "lost", hidden: true });
    this.composer = new Composer(name, { signal, sent: (sent) => this.#add([{ name: "", createTime: sent.createTime, message: sent }], { isOwn: true }) });
    this.title = el("h1", { tabindex: "-1" });
    this.facts = el("p", { class: "soft" });
    this.closedTag = el("span", { class: "tag", hidden: true }, say("state.closed"));
    this.head = el("header", {});
    this.about = el("div", {});
  }

  async start(hasCome) {
    const back = el("a", { class: "button wordless quiet back", href: "/console", "data-local": true, "aria-label": say("thread.back") }, icon("back"));
    this.back = back;
    try {
      const order = { pageSize: PAGE, orderBy: "TIMELINE_ORDER_NEWEST_FIRST" };
      const [found, page] = await Promise.all([
        get(path(this.name), {}, { signal: this.signal }),
        get(path(this.name, "/timeline"), order, { signal: this.signal }),
      ]);
      this.#frame();
      this.#take(found.conversation);
      this.token = page.nextPageToken ?? "";
      this.#add((page.entries ?? []).reverse(), {});
      this.earlier.hidden = !this.token;
    } catch (error) {
      if (this.signal.aborted) return;
      const again = error.status === 404 ? null : button(say("app.retry"), () => openThread(this.pane, this.name, this.inbox, this.signal));
      this.pane.replaceChildren(el("header", {}, back), trouble(error.status === 404 ? say("thread.missing") : explain(error), again));
      return;
    }
    if (hasCome) this.title.focus({ preventScroll: true });
    this.composer.start();
    this.#toEnd();
    this.#watchSight();
    void this.#learnSubject();
    await watch(this.name, {
      after: this.entries.findLast?.((each) => each.name)?.name ?? this.entries.at(-1)?.name ?? "",
      signal: this.signal,
      onEntry: (entry) => this.#live(entry),
      onState: (state) => { this.state.hidden = state === "live"; this.state.textContent = state === "live" ? "" : say(state === "gone" ? "thread.missing" : "thread.offline"); },
    });
  }

  #frame() {
    this.scroll.replaceChildren(el("div", { class: "earlier" }, this.earlier), this.list, this.composer.outbox);
    this.pane.replaceChildren(this.head, this.about, this.state, this.scroll, this.latest, this.composer.node);
    // Whoever is at the end stays there, whatever grows above: a card that arrives, the keyboard of a phone.
    this.isPinned = true;
    let top = 0;
    const grown = new ResizeObserver(() => { if (this.isPinned) this.#toEnd(); });
    for (const each of [this.list, this.composer.outbox, this.scroll]) grown.observe(each);
    this.signal.addEventListener("abort", () => grown.disconnect(), { once: true });
    this.scroll.addEventListener("scroll", () => {
      // What grows below moves nobody: only going up is going away.
      if (this.#isAtEnd()) this.isPinned = true;
      else if (this.scroll.scrollTop < top - 1) this.isPinned = false;
      top = this.scroll.scrollTop;
      if (this.isPinned) this.latest.hidden = true;
      if (this.scroll.scrollTop < 40 && this.token && !this.isPaging) void this.#page();
    }, { passive: true });
  }

  // ------------------------------------------------------------------------------------- the conversation

  #take(conversation) {
    this.conversation = conversation;
    this.side = sideOf(conversation);
    this.inbox.update(conversation);
    const isTeam = this.side === "SIDE_SELLER" && session.seats().includes(conversation.seller);
    this.composer.allow(conversation, { isTeam });
    this.#drawHead();
    this.#drawChanged();
  }

  #called = (name) => nameOf(this.conversation, name);

  #changed = (conversation) => { this.#take(conversation); void this.#refresh(); };

  #left = () => { void this.inbox.load(); void go("/console"); };

  async #refresh() {
    try {
      this.#take((await get(path(this.name), {}, { signal: this.signal })).conversation);
    } catch {
      // It is looked at again with the next entry.
    }
  }

  async #learnSubject() {
    this.subject = await subjectOf(this.conversation, this.signal);
    if (!this.signal.aborted) this.#drawHead();
  }

  #drawHead() {
    const { conversation } = this;
    const other = this.#called(counterpart(conversation));
    const title = line(titleOf(conversation));
    entitle(`${title} · ${other}`);
    const copies = (conversation.participants ?? []).filter(({ role }) => role === "ROLE_COPY").map((each) => this.#called(each.name));
    const facts = [other, say(`topic.${topicOf(conversation)}`), conversation.marketplace && say("thread.via", conversation), copies.length && say("thread.copies", { names: copies.join(", ") })];
    this.title.textContent = title;
    this.facts.textContent = line(facts.filter(Boolean).join(" · "));
    this.closedTag.hidden = conversation.state !== "STATE_CLOSED";
    if (!this.head.firstChild) {
      this.head.append(this.back, face(other), el("div", { class: "titles" }, this.title, this.facts), this.closedTag,
        actionsButton(() => chooseAction(this.conversation, { side: this.side, changed: this.#changed, left: this.#left })));
    }
    const wasOpen = this.about.querySelector("details")?.open ?? false;
    this.about.replaceChildren(...about(conversation, this.subject));
    if (wasOpen) this.about.querySelector("details").open = true;
  }

  // ----------------------------------------------------------------------------------------- the timeline

  async #page() {
    if (this.isPaging) return;
    this.isPaging = true;
    this.earlier.disabled = true;
    try {
      const query = { pageSize: PAGE, orderBy: "TIMELINE_ORDER_NEWEST_FIRST", pageToken: this.token };
      const answer = await get(path(this.name, "/timeline"), query, { signal: this.signal });
      this.token = answer.nextPageToken ?? "";
      const height = this.scroll.scrollHeight - this.scroll.scrollTop;
      this.#add((answer.entries ?? []).reverse(), { isEarlier: true });
      this.earlier.hidden = !this.token;
      this.scroll.scrollTop = this.scroll.scrollHeight - height;
    } catch (error) {
      if (!this.signal.aborted) announce(explain(error));
    }
    this.earlier.disabled = false;
    this.isPaging = false;
  }

  #live(entry) {
    const isNear = this.isPinned;
    const isOwn = entry.message?.author === session.user();
    this.#add([entry], { isOwn });
    if (entry.message && !isOwn) {
      announce(`${say("message.new", { name: this.#called(entry.message.author) })}: ${entry.message.text ?? ""}`);
      if (!isNear) this.latest.hidden = false;
    }
    const { resource = "" } = entry.event ?? {};
    if (resource.startsWith("offers/")) void this.offers.get(resource)?.refresh();
    // Whatever happened may have changed what can be done; several things at once are asked about once.
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { void this.#refresh(); if (entry.event) void this.#learnSubject(); }, SETTLE);
  }

  #add(entries, { isEarlier = false, isOwn = false }) {
    const wasNear = this.isPinned;
    const fresh = [];
    for (const entry of entries) {
      const key = entry.message?.name ?? entry.name;
      const known = this.nodes.get(key);
      if (known) {
        // What this page has sent comes once more, now with its place in the timeline.
        known.entry.name ||= entry.name;
        continue;
      }
      fresh.push({ entry, key });
    }
    const items = fresh.map(({ entry, key }) => {
      const node = el("li", { "data-key": key });
      this.nodes.set(key, { entry, node });
      return node;
    });
    if (isEarlier) this.list.prepend(...items);
    else this.list.append(...items);
    this.entries = isEarlier ? [...fresh.map((each) => each.entry), ...this.entries] : [...this.entries, ...fresh.map((each) => each.entry)];
    for (const { key } of fresh) this.#drawEntry(key);
    this.#drawDays();
    this.#placeOffers();
    for (const node of items) this.sight?.observe(node);
    if (!isEarlier && (isOwn || wasNear)) this.#toEnd();
  }

  #drawEntry(key) {
    const { entry, node } = this.nodes.get(key);
    const receipt = entry.message ? this.#receiptOf(entry.message) : "";
    node.className = entry.message ? (entry.message.side === this.side ? "own" : "theirs") : "fact";
    node.replaceChildren(entry.message ? message(entry.message, { side: this.side, readTime: receipt, called: this.#called }) : event(entry.event, entry.createTime, this.#called));
    Object.assign(this.nodes.get(key), { receipt, name: this.#nameIn(entry) });
  }

  /** The lines that read otherwise by now: what was read meanwhile, and who is called otherwise. */
  #drawChanged() {
    const changed = [...this.nodes].filter(([, { entry, receipt, name }]) => this.#nameIn(entry) !== name || (entry.message && this.#receiptOf(entry.message) !== receipt));
    for (const [key] of changed) this.#drawEntry(key);
    if (changed.length) this.#placeOffers();
  }

  /** What whoever it names is called: who wrote it, or about whom it is. */
  #nameIn(entry) {
    return this.#called(entry.message?.author ?? entry.event?.resource);
  }

  /** When the other side read a message of ours: its own time, or that of a receipt for a later one. */
  #receiptOf(sent) {
    if (sent.side !== this.side) return "";
    if (sent.readTime) return sent.readTime;
    const receipts = this.conversation.readReceipts ?? [];
    return receipts.find((each) => each.side !== sent.side && !each.inCopy && each.message >= sent.name)?.readTime ?? "";
  }

  #drawDays() {
    for (const each of this.list.querySelectorAll(".day")) each.remove();
    // Each message says when it was read: of the notices about it the newest is enough.
    const reads = this.entries.filter((entry) => entry.event?.type === "TYPE_MESSAGE_READ");
    reads.forEach((entry, index) => { this.nodes.get(entry.name).node.hidden = index < reads.length - 1; });
    let last = "";
    for (const entry of this.entries) {
      const name = day(entry.createTime);
      if (name === last) continue;
      last = name;
      this.nodes.get(entry.message?.name ?? entry.name).node.before(el("li", { class: "day" }, el("h2", {}, name)));
    }
  }

  #placeOffers() {
    const latest = new Map();
    for (const entry of this.entries) if (PROPOSALS.test(entry.event?.type ?? "")) latest.set(entry.event.resource, entry);
    for (const [name, entry] of latest) {
      if (!this.offers.has(name)) this.offers.set(name, new OfferCard(name, this.signal, () => { void this.#refresh(); }));
      const card = this.offers.get(name).node;
      const { node } = this.nodes.get(entry.name);
      if (card.parentNode !== node) node.append(card);
    }
  }

  // ------------------------------------------------------------------------------------------ where one is

  #isAtEnd() {
    return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < NEAR_END;
  }

  #toEnd(isSmooth = false) {
    this.latest.hidden = true;
    this.scroll.scrollTo({ top: this.scroll.scrollHeight, behavior: isSmooth ? "smooth" : "instant" });
  }

  /** Reading is what somebody does with a message in sight, in a window that is used, for a moment. */
  #watchSight() {
    const inSight = new Set();
    let timer = 0;
    const look = () => {
      clearTimeout(timer);
      if (document.visibilityState === "visible" && document.hasFocus()) timer = setTimeout(read, READ_AFTER);
    };
    const read = () => {
      const seen = [...inSight].map((node) => this.nodes.get(node.dataset.key)?.entry.message)
        .filter((each) => each && each.side !== this.side && each.kind !== "KIND_INTERNAL_NOTE").map((each) => each.name);
      const newest = seen.sort().at(-1) ?? "";
      if (newest > this.readUpTo) void this.#markRead(newest);
    };
    this.sight = new IntersectionObserver((changes) => {
      for (const { target, isIntersecting } of changes) inSight[isIntersecting ? "add" : "delete"](target);
      look();
    }, { threshold: 0.6 });
    for (const { node } of this.nodes.values()) this.sight.observe(node);
    document.addEventListener("visibilitychange", look, { signal: this.signal });
    window.addEventListener("focus", look, { signal: this.signal });
    this.signal.addEventListener("abort", () => { clearTimeout(timer); clearTimeout(this.timer); this.sight.disconnect(); }, { once: true });
  }

  async #markRead(newest) {
    const mine = (this.conversation.readReceipts ?? []).find((each) => each.user === session.user());
    if (!this.conversation.allowedActions?.includes("markRead") || mine?.message >= newest) { this.readUpTo = newest; return; }
    const before = this.readUpTo;
    this.readUpTo = newest;
    try {
      this.#take((await post(path(this.name, ":markRead"), { message: newest }, { signal: this.signal })).conversation);
    } catch {
      this.readUpTo = before;
    }
  }
}

/** On which side somebody of this session stands. */
function sideOf(conversation) {
  if (conversation.buyer === session.user()) return "SIDE_BUYER";
  if (session.seats().includes(conversation.seller)) return "SIDE_SELLER";
  return conversation.participants?.find((each) => each.name === session.user())?.side ?? "";
}

/** What stands above the timeline: needs, questions with their answers, and where the conversation comes from. */
function about(conversation, subject) {
  const parts = [];
  const needs = conversation.summary || subject?.needs?.text || subject?.requirements || "";
  const questions = [...(subject?.needs?.answers ?? []), ...(subject?.inquiries ?? [])].filter((each) => each.question);
  if (needs || questions.length) {
    parts.push(el("details", { class: "needs" }, el("summary", {}, el("span", {}, say("thread.summary")), needs ? el("span", { class: "soft" }, needs) : ""),
      needs ? el("p", {}, ...written(needs)) : "",
      questions.length ? el("dl", {}, ...questions.flatMap(({ question, answer }) => [el("dt", {}, ...written(question)), el("dd", {}, ...written(answer || "…"))])) : ""));
  }
  const lines = [];
  if (conversation.declineReason && !conversation.declineReason.endsWith("UNSPECIFIED")) lines.push(say("thread.declined", { reason: say(`decline.${conversation.declineReason.replace("DECLINE_REASON_", "")}`) }));
  if (conversation.reopenDeadline && conversation.allowedActions?.includes("sendMessage")) lines.push(say("thread.reopens", { time: dateAndTime(conversation.reopenDeadline) }));
  if (conversation.feedback) lines.push(`${"★".repeat(conversation.feedback.rating)}${"☆".repeat(5 - conversation.feedback.rating)} ${conversation.feedback.text}`);
  const origin = conversation.origin ? el("a", { href: `/${conversation.origin}`, "data-local": true }, say("thread.from")) : null;
  if (lines.length || origin) parts.push(el("p", { class: "lines" }, ...lines.map((each) => el("span", {}, line(each))), origin));
  return parts;
}
