// Who else reads a conversation: people in copy, and those to whom it is forwarded.

import * as session from "./session.js";
import { path, post } from "./api.js";
import { ask, Incomplete } from "./dialog.js";
import { el, field, toast } from "./dom.js";
import { nameOf } from "./subjects.js";
import { say } from "./words.js";

const ACCOUNT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Those whom the reader can take out of copy: those of his side, or himself where he is in copy. */
export function removable(conversation, side) {
  const copies = (conversation.participants ?? []).filter(({ role }) => role === "ROLE_COPY");
  const own = copies.find(({ name }) => name === session.user());
  return own ? [own] : copies.filter((each) => each.side === side);
}

export async function add(conversation, changed) {
  const person = account();
  const history = el("input", { type: "checkbox" });
  const answer = await ask({
    title: say("do.addParticipant"), lead: say("do.addLead"), confirm: say("do.addNow"),
    body: [field(say("people.account"), person, say("people.accountHint")), el("label", { class: "switch" }, history, say("people.history"))],
    act: (key) => post(path(conversation.name, ":addParticipant"), { user: named(person), shareHistory: history.checked }, { key }),
  });
  if (!answer) return;
  changed(answer.conversation);
  toast(say("event.PARTICIPANT_ADDED", { name: nameOf(answer.conversation, named(person)) }));
}

/** Takes one of `people` out of copy. */
export async function takeOut(conversation, people, changed) {
  const who = el("select", {}, ...people.map(({ name }) => el("option", { value: name }, nameOf(conversation, name))));
  const answer = await ask({
    title: say("do.removeParticipant"), lead: say("do.removeLead"), confirm: say("do.removeNow"),
    body: [field(say("people.who"), who)],
    act: (key) => post(path(conversation.name, ":removeParticipant"), { user: who.value }, { key }),
  });
  if (!answer) return;
  changed(answer.conversation);
  toast(say("event.PARTICIPANT_REMOVED", { name: nameOf(conversation, who.value) }));
}

/** The reader goes out of copy himself; `left` leads him away. */
export async function leave(conversation, left) {
  const answer = await ask({
    title: say("do.leave"), lead: say("do.leaveLead"), confirm: say("do.leave"),
    act: (key) => post(path(conversation.name, ":removeParticipant"), { user: session.user() }, { key }),
  });
  if (answer) left();
}

export async function passOn(conversation, changed) {
  const address = el("input", { type: "email", maxlength: 254, autocomplete: "off", spellcheck: "false", required: true });
  const person = account();
  const answer = await ask({
    title: say("do.forward"), lead: say("do.forwardLead"), confirm: say("do.forward"),
    body: [field(say("people.address"), address), field(say("people.accountOf"), person, say("people.accountOfHint"))],
    act: (key) => {
      if (!address.value.trim()) throw new Incomplete(say("people.addressMissing"));
      const user = person.value.trim() ? { user: named(person) } : {};
      return post(path(conversation.name, ":forward"), { address: address.value.trim(), ...user }, { key });
    },
  });
  if (!answer) return;
  changed(answer.conversation);
  toast(say("do.forwarded", { address: address.value.trim() }));
}

function account() {
  return el("input", { maxlength: 80, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
}

/** The resource name of the account in a field, with or without what all of them begin with. */
function named(input) {
  const id = input.value.trim().replace(/^users\//, "");
  if (!ACCOUNT.test(id)) throw new Incomplete(say("people.accountWrong"));
  return `users/${id}`;
}
