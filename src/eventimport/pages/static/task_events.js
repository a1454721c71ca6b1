// Follows a task to its end: by server-sent events, and by polling where these don't come through.
// `fetch` reads the events, since the browser's EventSource cannot send an access token.

import { ApiError, authorization, request } from "./api.js";

const POLL_MILLISECONDS = 1000;
const MAX_MILLISECONDS = 10000;
const FINAL = new Set(["SUCCESS", "FAILURE", "REVOKED"]);

export function isFinal(task) {
  return FINAL.has(task.state);
}

// Calls `tell` with each state of the task, and gives back the last. Throws ApiError where the task
// is not to be seen (any more), and AbortError.
export async function followTask(taskUrl, tell, signal) {
  let streams = true;
  let wait = POLL_MILLISECONDS;
  for (;;) {
    try {
      if (streams) {
        const last = await readEvents(`${taskUrl}/events`, tell, signal);
        if (last && isFinal(last)) return last;
        streams = Boolean(last);
      }
      const task = await request("GET", taskUrl, { signal });
      tell(task);
      if (isFinal(task)) return task;
      wait = POLL_MILLISECONDS;
    } catch (error) {
      const lost = !(error instanceof ApiError) || error.status === 0 || error.status >= 500;
      if (error.name === "AbortError" || !lost) throw error;
      streams = false;
      wait = Math.min(wait * 2, MAX_MILLISECONDS);
    }
    await pause(wait, signal);
  }
}

// Reads one stream of events to its end; the last task that it told, or null where it told none.
async function readEvents(url, tell, signal) {
  const headers = { Accept: "text/event-stream", ...authorization() };
  const response = await fetch(url, { headers, signal });
  if (!response.ok || !response.body) return null;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let last = null;
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return last;
    buffer += value;
    const events = buffer.split(/\r?\n\r?\n/);
    buffer = events.pop();
    for (const event of events) {
      const data = dataOf(event);
      if (!data) continue;
      last = JSON.parse(data);
      tell(last);
      if (isFinal(last)) {
        await reader.cancel();
        return last;
      }
    }
  }
}

function dataOf(event) {
  const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
