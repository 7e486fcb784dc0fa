// Follows a conversation as it goes on: server-sent events over fetch, since EventSource sends no token.

import { headers, path, pause, refusal } from "./api.js";

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
// The gateway breaks each silence of 15 seconds: three of them mean that nobody is there.
const SILENCE = 50_000;
// A tab that nobody looks at gives its connection back.
const HIDDEN = 60_000;

/**
 * Calls `onEntry` with each entry made after `after`, over any number of connections, until `signal` aborts.
 * `onState` is told `live`, `lost`, or `gone` where it is refused for good.
 */
export async function watch(name, { after, signal, onEntry, onState }) {
  let last = after;
  let wait = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      await visible(signal);
      if (signal.aborted) return;
      await connection(name, last, signal, {
        open: () => { wait = FIRST_PAUSE; onState("live"); },
        entry: (entry) => { last = entry.name; onEntry(entry); },
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error.status >= 400 && !error.isPassing) { onState("gone"); return; }
    }
    if (signal.aborted) return;
    if (document.visibilityState === "visible") onState("lost");
    await back(wait * (0.75 + Math.random() / 2), signal).catch(() => {});
    wait = Math.min(wait * 2, LONGEST_PAUSE);
  }
}

async function connection(name, last, signal, { open, entry }) {
  const own = new AbortController();
  const stop = () => own.abort();
  let timer = setTimeout(stop, SILENCE);
  let hidden = 0;
  const onVisibility = () => {
    clearTimeout(hidden);
    if (document.visibilityState === "hidden") hidden = setTimeout(stop, HIDDEN);
  };
  signal.addEventListener("abort", stop, { once: true });
  document.addEventListener("visibilitychange", onVisibility);
  try {
    const answer = await fetch(path(name, ":watch"), {
      headers: headers({ accept: "text/event-stream", ...(last ? { "last-event-id": last } : {}) }),
      signal: own.signal, cache: "no-store", credentials: "omit",
    });
    if (!answer.ok) throw await refusal(answer);
    open();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = parser((kind, data) => { if (kind === "entry") entry(JSON.parse(data).entry); });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE);
      parse(value);
    }
  } finally {
    clearTimeout(timer);
    clearTimeout(hidden);
    own.abort();
    signal.removeEventListener("abort", stop);
    document.removeEventListener("visibilitychange", onVisibility);
  }
}

/** Takes pieces of a stream wherever they were cut, and tells of each event in it. */
function parser(tell) {
  let rest = "";
  let kind = "message";
  let data = [];
  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) tell(kind, data.join("\n"));
        kind = "message";
        data = [];
      } else if (line.startsWith("event:")) kind = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
  };
}

/** Returns once somebody can see the page. */
function visible(signal) {
  if (document.visibilityState === "visible") return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.visibilityState !== "visible" && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look, { once: true });
  });
}

/** Waits that long, or until the network is back or the page is looked at again. */
function back(milliseconds, signal) {
  return Promise.race([
    pause(milliseconds, signal),
    new Promise((resolve) => { window.addEventListener("online", resolve, { once: true }); }),
  ]);
}
