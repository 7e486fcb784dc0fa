// One line of a timeline: a message, or what happened, in words.

import * as session from "./session.js";
import { explain, headers, path, post, refusal } from "./api.js";
import { button, el, icon, line, toast, written } from "./dom.js";
import { bytes, clock, has, money, say } from "./words.js";

const NAMED = new Set(["PARTICIPANT_ADDED", "PARTICIPANT_REMOVED", "PHONE_REVEALED"]);
const GOOD = /ACCEPTED|CONFIRMED|PAID|COMPLETED|CONVERTED/;
// Until the API says otherwise.
let hasTranslator = true;
const BAD = /DECLINED|FAILED|CANCELLED|EXPIRED|WITHDRAWN/;

/** A message. `readTime`: when the other side read it, if it did; `called`: what people are called. */
export function message(sent, { side, readTime, called }) {
  const isOwn = sent.side === side;
  const isNote = sent.kind === "KIND_INTERNAL_NOTE";
  const isMine = sent.author === session.user();
  const text = el("div", { class: "text", dir: "auto" }, ...written(sent.text ?? ""));
  const marks = [el("time", { datetime: sent.createTime }, clock(sent.createTime))];
  if (isOwn && !isNote) marks.push(readTime ? say("message.read", { time: clock(readTime) }) : say("message.sent"));
  if (sent.channel === "CHANNEL_EMAIL") marks.push(say("message.email"));
  const meta = el("p", { class: "meta" }, ...marks.flatMap((mark, index) => (index ? [" · ", mark] : [mark])));
  return el("article", { class: `bubble${isOwn ? " own" : ""}${isNote ? " note" : ""}` },
    el("h3", { class: isMine && !isNote ? "heard" : "" }, isMine ? say("message.you") : called(sent.author),
      isNote ? el("span", { class: "soft" }, ` · ${say("message.note")}`) : null),
    sent.text ? text : null,
    ...(sent.attachments ?? []).map(document_),
    !isOwn && sent.text && mayTranslate(sent) ? translation(sent, text) : null,
    meta);
}

/** What happened. */
export function event(happened, createTime, called) {
  const type = happened.type.replace(/^TYPE_/, "");
  const key = `event.${type}`;
  const parts = [say(has(key) ? key : "event.other", { name: called(happened.resource) })];
  if (happened.forwardAddress) parts.push(say("event.to", { address: happened.forwardAddress }));
  if (happened.byLink) parts.push(say("event.byLink"));
  const amount = happened.amount && !NAMED.has(type) ? el("b", {}, ` · ${money(happened.amount)}`) : null;
  const mood = GOOD.test(type) ? "good" : BAD.test(type) ? "bad" : "";
  return el("p", { class: `happened ${mood}` }, el("span", {}, parts.join(" "), amount), " ",
    el("time", { datetime: createTime }, clock(createTime)));
}

function document_(attachment) {
  const kind = say(attachment.kind === "KIND_OFFER" ? "message.offerFile" : "message.file");
  const load = el("button", { type: "button", class: "file", onclick: () => download(attachment, load) }, icon("file"),
    el("span", {}, el("b", {}, line(attachment.filename)), el("span", { class: "soft" }, `${kind} · ${bytes(attachment.sizeBytes)}`)), icon("down"),
    el("span", { class: "heard" }, say("message.download")));
  return load;
}

async function download(attachment, load) {
  load.disabled = true;
  try {
    const answer = await fetch(path(attachment.name, ":download"), { headers: headers(), credentials: "omit", cache: "no-store" });
    if (!answer.ok) throw await refusal(answer);
    const url = URL.createObjectURL(await answer.blob());
    el("a", { href: url, download: attachment.filename }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    toast(explain(error));
  } finally {
    load.disabled = false;
  }
}

const mayTranslate = (sent) => "translations" in sent && hasTranslator && sent.language !== document.documentElement.lang;

/** The message in the reader's language and back; the original is never lost. */
function translation(sent, text) {
  const target = document.documentElement.lang;
  const original = [...text.childNodes];
  let found = sent.translations.find((each) => each.language === target) ?? null;
  let isShown = false;
  const turn = button(say("message.translate"), async () => {
    turn.disabled = true;
    try {
      found ??= (await post(path(sent.name, ":translate"), { targetLanguage: target })).translation;
      if (!found.engine && found.sourceLanguage === target) {
        toast(say("message.sameLanguage"));
        turn.remove();
        return;
      }
      isShown = !isShown;
      text.replaceChildren(...(isShown ? written(found.text) : original));
      text.lang = isShown ? target : sent.language ?? "";
      turn.textContent = say(isShown ? "message.original" : "message.translate");
    } catch (error) {
      toast(explain(error));
      if (error.reason === "TRANSLATION_NOT_CONFIGURED") {
        hasTranslator = false;
        for (const each of document.querySelectorAll(".translate")) each.remove();
      }
    } finally {
      turn.disabled = false;
    }
  }, { kind: "quiet small translate" });
  return turn;
}
