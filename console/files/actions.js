// What can be done with a conversation: what the API allows its reader now, and nothing else.

import * as session from "./session.js";
import { explain, path, post, Problem } from "./api.js";
import { ask, Incomplete, menu, show } from "./dialog.js";
import { button, el, field, toast } from "./dom.js";
import { add, leave, passOn, removable, takeOut } from "./people.js";
import { say } from "./words.js";

const REASONS = ["NO_CAPACITY", "OUT_OF_SCOPE", "UNCLEAR_NEEDS", "BUDGET", "DEADLINE", "POLICY", "OTHER"];

/**
 * Opens the list of actions for somebody on a side; `changed` takes over the conversation after one, `left` leads
 * away who does not take part any more.
 */
export function chooseAction(conversation, { side, changed, left }) {
  const may = new Set(conversation.allowedActions);
  const missing = new Map((conversation.unavailableActions ?? []).map((each) => [each.action, each]));
  const isClosed = conversation.state === "STATE_CLOSED";
  const items = [];
  // Repeating what is so already changes nothing and is not offered.
  const offer = (action, act, { isNeeded = true, isShown = false, danger = false, label = `do.${action}` } = {}) => {
    if (may.has(action) && isNeeded) items.push({ label: say(label), act, danger });
    else if (isShown && missing.has(action)) {
      const { reason, explanation } = missing.get(action);
      items.push({ label: say(label), act: null, hint: explain(new Problem(400, { reason, detail: explanation })) });
    }
  };
  const plainly = (action, done) => () => plain(conversation, action, done, changed);
  offer("revealPhone", () => reveal(conversation, changed), { isShown: true });
  offer("leaveFeedback", () => feedback(conversation, changed), { isShown: true });
  const people = removable(conversation, side);
  const isCopy = people.some(({ name }) => name === session.user());
  offer("addParticipant", () => add(conversation, changed));
  offer("removeParticipant", isCopy ? () => leave(conversation, left) : () => takeOut(conversation, people, changed),
    { isNeeded: people.length > 0, label: isCopy ? "do.leave" : undefined });
  offer("forward", () => passOn(conversation, changed));
  offer("reopen", plainly("reopen", "do.reopened"), { isNeeded: isClosed });
  offer("archive", plainly("archive", "do.archived"), { isNeeded: !conversation.archived });
  offer("unarchive", plainly("unarchive", "do.unarchived"), { isNeeded: conversation.archived });
  offer("decline", () => decline(conversation, changed), { danger: true });
  offer("close", () => close(conversation, changed), { isNeeded: !isClosed, danger: true });
  offer("unblock", plainly("unblock", "do.unblocked"), { isNeeded: conversation.blocked });
  offer("block", () => block(conversation, changed), { isNeeded: !conversation.blocked, danger: true });
  menu(say("thread.actions"), items);
}

async function plain(conversation, action, done, changed) {
  try {
    changed((await post(path(conversation.name, `:${action}`))).conversation);
    toast(say(done));
  } catch (error) {
    toast(explain(error));
  }
}

async function reveal(conversation, changed) {
  const answer = await ask({
    title: say("do.revealPhone"), lead: say("do.revealLead"), confirm: say("do.revealNow"),
    act: (key) => post(path(conversation.name, ":revealPhone"), {}, { key }),
  });
  if (!answer) return;
  changed(answer.conversation);
  const number = /^\+[0-9]{6,15}$/.test(answer.phone) ? el("a", { href: `tel:${answer.phone}` }, answer.phone) : answer.phone;
  show(say("do.phone"), el("p", { class: "number" }, number));
}

async function decline(conversation, changed) {
  const reason = el("select", { required: true }, el("option", { value: "" }, say("decline.choose")),
    ...REASONS.map((each) => el("option", { value: `DECLINE_REASON_${each}` }, say(`decline.${each}`))));
  const text = el("textarea", { rows: 4, maxlength: 20000 });
  const answer = await ask({
    title: say("do.decline"), lead: say("do.declineLead"), confirm: say("do.decline"),
    body: [field(say("decline.reason"), reason), field(say("decline.text"), text)],
    act: (key) => {
      if (!reason.value) throw new Incomplete(say("decline.choose"));
      return post(path(conversation.name, ":decline"), { reason: reason.value, text: text.value.trim() }, { key });
    },
  });
  if (answer) changed(answer.conversation);
}

async function close(conversation, changed) {
  const answer = await ask({
    title: say("do.close"), lead: say("do.closeLead"), confirm: say("do.close"),
    act: (key) => post(path(conversation.name, ":close"), {}, { key }),
  });
  if (answer) changed(answer.conversation);
}

async function block(conversation, changed) {
  const answer = await ask({
    title: say("do.block"), lead: say("do.blockLead"), confirm: say("do.block"),
    act: (key) => post(path(conversation.name, ":block"), {}, { key }),
  });
  if (answer) changed(answer.conversation);
}

async function feedback(conversation, changed) {
  const text = el("textarea", { rows: 4, maxlength: 2000 });
  // From the best to the poorest, so that the stars before a chosen one can be filled by a plain style.
  const stars = el("fieldset", { class: "stars" }, el("legend", {}, say("feedback.rating")),
    el("div", {}, ...[5, 4, 3, 2, 1].flatMap((number) => [
      el("input", { type: "radio", name: "rating", value: String(number), id: `star${number}` }),
      el("label", { for: `star${number}`, title: say(`feedback.${number}`) }, el("span", { class: "heard" }, say(`feedback.${number}`)), el("span", { "aria-hidden": "true" }, "★")),
    ])));
  const answer = await ask({
    title: say("do.leaveFeedback"), lead: say("feedback.lead"), confirm: say("feedback.send"),
    body: [stars, field(say("feedback.text"), text)],
    act: (key) => {
      const rating = Number(stars.querySelector(":checked")?.value ?? 0);
      if (!rating) throw new Incomplete(say("feedback.choose"));
      return post(path(conversation.name, ":leaveFeedback"), { rating, text: text.value.trim() }, { key });
    },
  });
  if (!answer) return;
  changed(answer.conversation);
  toast(say("feedback.thanks"));
}

/** The button that opens the list; hidden where there is nothing to do. */
export function actionsButton(open) {
  return button(say("thread.actions"), open, { drawing: "more", wordless: true, kind: "quiet", "aria-haspopup": "dialog" });
}
