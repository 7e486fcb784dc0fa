// What a conversation is about: its order request or order, from the services that keep them.

import * as session from "./session.js";
import { get, path } from "./api.js";
import { line } from "./dom.js";
import { say } from "./words.js";

const TOPICS = { orderRequests: "request", orders: "order" };
const AT_ONCE = 4;
const TITLES = 200;

const titles = new Map(Object.entries(session.recall("titles") ?? {}));
const queue = [];
let running = 0;

/** `sellers/acme` as people say it. */
export const shortName = (name) => (name ?? "").split("/").pop();

/** What somebody wants to be called by those he talks to, else his id. */
export function nameOf(conversation, name) {
  return line(conversation.participants?.find((each) => each.name === name)?.displayName || shortName(name));
}

/** `inquiry`, `request` or `order`. */
export const topicOf = (conversation) => TOPICS[conversation.subject?.split("/")[0]] ?? "inquiry";

/** Who is on the other side, seen by somebody of this session. */
export function counterpart(conversation) {
  return conversation.buyer === session.user() ? conversation.seller : conversation.buyer;
}

/** The title as far as it is known without asking. */
export function titleOf(conversation) {
  return conversation.title || titles.get(conversation.subject) || say(`topic.${topicOf(conversation)}`);
}

export const isTitled = (conversation) => Boolean(conversation.title || !conversation.subject || titles.has(conversation.subject));

/** The order request or order behind a conversation; null where there is none, or nobody says. */
export async function subjectOf(conversation, signal) {
  if (!conversation.subject) return null;
  try {
    const answer = await get(path(conversation.subject), {}, { signal, attempts: 2 });
    const found = answer.orderRequest ?? answer.order ?? null;
    if (found) keep(conversation.subject, await titleIn(found, signal));
    return found;
  } catch {
    return null;
  }
}

/** Learns the title of a conversation that has just been seen in a list, a few at a time. */
export function learnTitle(conversation, signal, told) {
  queue.push(async () => {
    if (signal.aborted || (!isTitled(conversation) && (await subjectOf(conversation, signal)) === null)) return;
    told();
  });
  next();
}

function next() {
  if (running >= AT_ONCE || !queue.length) return;
  running += 1;
  void queue.shift()().finally(() => { running -= 1; next(); });
  next();
}

async function titleIn(found, signal) {
  const snapshot = found.packageSnapshot;
  if (snapshot?.listingTitle) return `${snapshot.listingTitle}: ${snapshot.title}`;
  const first = found.lineItems?.[0]?.title ?? "";
  const [listing, id] = (found.package ?? "").split("/packages/");
  // The positions of an offer name what the seller wrote, which alone says little.
  if (!id || first.includes(":")) return first;
  const title = await listingTitle(listing, signal);
  return title && !first.startsWith(title) ? `${title}: ${first}` : first;
}

async function listingTitle(name, signal) {
  if (!titles.has(name)) {
    const answer = await get(path(name), {}, { signal, attempts: 1 }).catch(() => null);
    keep(name, answer?.listing?.title ?? "");
  }
  return titles.get(name) ?? "";
}

function keep(name, title) {
  if (!title) return;
  titles.set(name, title);
  session.remember("titles", Object.fromEntries([...titles].slice(-TITLES)));
}
