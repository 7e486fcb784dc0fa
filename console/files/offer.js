// An offer in the timeline: what is proposed, until when, and the answer of whoever may give one.

import { explain, get, path, post } from "./api.js";
import { proposal } from "./counter.js";
import { ask, Incomplete } from "./dialog.js";
import { button, el, field, toast, waiting, written } from "./dom.js";
import { dateAndTime, money, say, times, until } from "./words.js";

const SEEN = 1_000;
const MOODS = { STATE_ACCEPTED: "good", STATE_DECLINED: "bad", STATE_WITHDRAWN: "bad", STATE_EXPIRED: "bad" };

export class OfferCard {
  /** `name` of the offer; `changed` is called when an answer was given here. */
  constructor(name, signal, changed) {
    this.name = name;
    this.signal = signal;
    this.changed = changed;
    this.offer = null;
    this.node = el("section", { class: "offer", "aria-label": say("offer.title") }, waiting());
    this.#whenSeen();
    void this.refresh();
  }

  async refresh() {
    try {
      this.#take((await get(path(this.name), {}, { signal: this.signal })).offer);
    } catch (error) {
      if (!this.signal.aborted && !this.offer) this.node.replaceChildren(el("p", { class: "soft" }, explain(error)));
    }
  }

  #take(offer) {
    this.offer = offer;
    this.#draw();
    this.#open();
  }

  #draw() {
    const { currentRevision: revision, state, newQuote, allowedActions: allowed = [] } = this.offer;
    const { terms } = revision;
    const isOpen = state === "STATE_OPEN";
    const isCounter = revision.author === "AUTHOR_BUYER";
    const facts = [[say("offer.delivery"), say("offer.days", { count: terms.deliveryDays })]];
    if (terms.startTime) facts.push([say("offer.start"), dateAndTime(terms.startTime)]);
    if (terms.expireTime) facts.push([say("offer.expires"), `${dateAndTime(terms.expireTime)}${isOpen ? ` (${until(terms.expireTime)})` : ""}`]);
    facts.push([say("offer.payment"), say(terms.paymentMethod === "PAYMENT_METHOD_ONLINE" ? "offer.online" : "offer.offline")]);
    const waits = isOpen && !allowed.includes("accept") && !isCounter ? say("offer.waitsBuyer") : isOpen && isCounter ? say("offer.waitsSeller") : "";
    // Asking once more would change nothing.
    const isAsked = state === "STATE_EXPIRED" && newQuote?.revision === revision.number;
    this.node.replaceChildren(
      el("div", { class: "row" }, el("h3", {}, say(isCounter ? "offer.counter" : "offer.title")),
        el("span", { class: `tag ${MOODS[state] ?? ""}` }, say(`offer.${state}`))),
      el("p", { class: "total" }, money(revision.total)),
      el("ul", { class: "items" }, ...terms.lineItems.map((item) => el("li", {}, el("span", {}, item.quantity > 1 ? `${item.quantity} × ${item.title}` : item.title), el("span", {}, money(times(item.unitPrice, item.quantity || 1)))))),
      terms.scope ? el("p", { class: "said" }, ...written(terms.scope)) : "",
      revision.note ? el("blockquote", { class: "said" }, ...written(revision.note)) : "",
      el("dl", {}, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
      waits ? el("p", { class: "hint" }, waits) : "",
      ...(isAsked ? [el("p", { class: "hint" }, say("offer.newQuoteSince", { time: dateAndTime(newQuote.requestTime) })), newQuote.text ? el("blockquote", { class: "said" }, ...written(newQuote.text)) : ""] : []),
      this.#choices(allowed, isAsked),
    );
  }

  #choices(allowed, isAsked) {
    const choices = [];
    if (allowed.includes("decline")) choices.push(button(say("offer.decline"), () => this.#decline()));
    if (allowed.includes("counter")) choices.push(button(say("offer.propose"), () => this.#counter()));
    if (allowed.includes("requestNewQuote") && !isAsked) choices.push(button(say("offer.newQuote"), () => this.#askAnew()));
    if (allowed.includes("accept")) choices.push(button(say("offer.accept"), () => this.#accept(), { kind: "primary" }));
    return choices.length ? el("div", { class: "choices" }, ...choices) : "";
  }

  async #accept() {
    const { currentRevision: revision } = this.offer;
    const isOnline = revision.terms.paymentMethod === "PAYMENT_METHOD_ONLINE";
    const token = el("input", { autocomplete: "off", maxlength: 200, required: true });
    const answer = await ask({
      title: say("offer.acceptTitle", { amount: money(revision.total) }),
      lead: say(isOnline ? "offer.acceptOnline" : "offer.acceptOffline"),
      body: isOnline ? [field(say("offer.token"), token, say("offer.tokenHint"))] : [],
      confirm: say("offer.acceptNow"),
      act: (key) => {
        if (isOnline && !token.value.trim()) throw new Incomplete(say("reason.PAYMENT_TOKEN_REQUIRED"));
        // The revision that was shown: whatever came since is not what was agreed to.
        const body = { revision: revision.number, ...(isOnline ? { paymentToken: token.value.trim() } : {}) };
        return this.#answer(":accept", body, key);
      },
    });
    if (answer) toast(say("offer.accepted"));
  }

  async #decline() {
    const { currentRevision: revision } = this.offer;
    const reason = el("textarea", { rows: 3, maxlength: 2000 });
    const answer = await ask({
      title: say("offer.declineTitle"), body: [field(say("offer.reason"), reason)], confirm: say("offer.decline"), kind: "primary",
      act: (key) => this.#answer(":decline", { revision: revision.number, reason: reason.value.trim() }, key),
    });
    if (answer) toast(say("offer.declined"));
  }

  async #counter() {
    const { currentRevision: revision } = this.offer;
    const proposed = proposal(revision.terms);
    const note = el("textarea", { rows: 3, maxlength: 2000 });
    const answer = await ask({
      title: say("offer.proposeTitle"), lead: say("offer.proposeLead"), confirm: say("offer.proposeNow"),
      body: [...proposed.fields, field(say("offer.note"), note)],
      act: (key) => this.#answer(":counter", { revision: revision.number, terms: proposed.terms(), note: note.value.trim() }, key),
    });
    // Where the seller has rules, it is answered by now.
    if (answer) toast(say(answer.offer.state === "STATE_OPEN" ? "offer.proposed" : `offer.${answer.offer.state}`));
  }

  async #askAnew() {
    const text = el("textarea", { rows: 3, maxlength: 2000 });
    const answer = await ask({
      title: say("offer.newQuote"), lead: say("offer.newQuoteLead"), confirm: say("offer.newQuote"),
      body: [field(say("offer.note"), text)],
      act: (key) => this.#answer(":requestNewQuote", { text: text.value.trim() }, key),
    });
    if (answer) toast(say("offer.newQuoteAsked"));
  }

  async #answer(verb, body, key) {
    try {
      const answer = await post(path(this.name, verb), body, { key });
      this.#take(answer.offer);
      this.changed();
      return answer;
    } catch (error) {
      // What is refused has mostly changed meanwhile.
      void this.refresh();
      throw error;
    }
  }

  /** Only what somebody looks at counts as opened: in sight, for a moment, in the window that is used. */
  #whenSeen() {
    let timer = 0;
    this.isSeen = false;
    const observer = new IntersectionObserver(([{ isIntersecting }]) => {
      clearTimeout(timer);
      this.isInSight = isIntersecting;
      look();
    }, { threshold: 0.5 });
    const look = () => {
      clearTimeout(timer);
      if (!this.isInSight || document.visibilityState !== "visible" || !document.hasFocus()) return;
      timer = setTimeout(() => { this.isSeen = true; observer.disconnect(); this.#open(); }, SEEN);
    };
    observer.observe(this.node);
    document.addEventListener("visibilitychange", look, { signal: this.signal });
    window.addEventListener("focus", look, { signal: this.signal });
    this.signal.addEventListener("abort", () => { clearTimeout(timer); observer.disconnect(); }, { once: true });
  }

  #open() {
    if (!this.isSeen || !this.offer || this.offer.firstOpenTime || !this.offer.allowedActions?.includes("open")) return;
    this.isSeen = false;
    post(path(this.name, ":open"), {}, { signal: this.signal }).then(({ offer }) => this.#take(offer), () => {});
  }
}
