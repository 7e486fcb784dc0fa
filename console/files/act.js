// The page behind the link of a mail by which its reader answers an offer or declines an inquiry. It shows;
// only a click acts, so that no program that follows links in mails does. Nobody has to be signed in: who has
// the link is asked for nothing else.

import { explain, get, post } from "./api.js";
import { button, el, waiting } from "./dom.js";
import { dateAndTime, has, learn, money, say } from "./words.js";

const WHERE = "/v1/magicLink";

export async function show({ main, fragment, signal }) {
  await learn("link");
  if (signal.aborted) return;
  const link = fragment?.get("link") ?? "";
  const card = el("div", { class: "card narrow" });
  main.replaceChildren(card);
  if (link) await look({ card, link, signal });
  else card.replaceChildren(title(), el("p", {}, say("link.incomplete")));
}

async function look(place) {
  const { card, link, signal } = place;
  card.replaceChildren(title(), waiting());
  try {
    const answer = await get(WHERE, {}, { link, isPublic: true, signal });
    card.replaceChildren(...question(place, answer.link));
  } catch (error) {
    if (signal.aborted) return;
    const again = error.isPassing ? button(say("app.retry"), () => look(place), { kind: "wide" }) : null;
    card.replaceChildren(title(), el("p", { class: "problem", role: "alert" }, why(error)), again ?? "");
  }
}

/** What it is about, and a button for each thing that can be done. */
function question(place, found) {
  const isOffer = found.kind === "KIND_OFFER";
  const { counterpart = "" } = found;
  const lead = isOffer ? say("link.offer", { counterpart }) : counterpart ? say("link.inquiry", { counterpart }) : say("link.inquiryUnnamed");
  const problem = el("p", { class: "problem", role: "alert" });
  const needsMeans = Boolean(found.paymentTokenRequired);
  const able = (found.allowedActions ?? []).filter((action) => !(needsMeans && action === "accept"));
  const buttons = able.map((action) => button(
    say(isOffer ? `link.${action}` : "link.declineInquiry"),
    () => use(place, found, action, buttons, problem),
    { kind: action === "accept" ? "primary wide" : "wide" },
  ));
  const missing = new Set((found.unavailableActions ?? []).map((each) => words(each.reason, each.explanation)));
  return [
    title(),
    el("p", {}, lead),
    found.total ? el("p", { class: "amount" }, money(found.total)) : "",
    buttons.length ? el("p", { class: "hint" }, say("link.until", { time: dateAndTime(found.expireTime) })) : "",
    needsMeans && found.allowedActions?.includes("accept") ? el("p", {}, say("link.needsMeans")) : "",
    ...[...missing].map((text) => el("p", { class: "problem" }, text)),
    problem,
    ...buttons,
    reading(found),
  ];
}

async function use({ card, link, signal }, found, action, buttons, problem) {
  for (const each of buttons) each.disabled = true;
  problem.textContent = "";
  try {
    await post(`${WHERE}:use`, { token: link, action }, { isPublic: true, signal });
    const what = found.kind === "KIND_INQUIRY" ? "inquiryDeclined" : action === "accept" ? "accepted" : "declined";
    const done = el("p", { class: "done", role: "status", tabindex: "-1" }, say(`link.${what}`));
    card.replaceChildren(title(), done, reading(found));
    done.focus();
  } catch (error) {
    if (signal.aborted) return;
    problem.textContent = why(error);
    for (const each of buttons) each.disabled = false;
  }
}

function why(error) {
  return has(`link.why.${error.reason}`) ? say(`link.why.${error.reason}`) : explain(error);
}

function words(reason, explanation) {
  for (const key of [`link.why.${reason}`, `reason.${reason}`]) if (has(key)) return say(key);
  return explanation || say("reason.UNKNOWN");
}

function title() {
  return el("h1", {}, say("link.title"));
}

function reading(found) {
  return el("p", {}, el("a", { href: `/${found.conversation}`, "data-local": true }, say("link.read")));
}
