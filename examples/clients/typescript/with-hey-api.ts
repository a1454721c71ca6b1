// Imports a conference, renames the event and saves it as a calendar, with a client that
// @hey-api/openapi-ts generates. Follows each task with server-sent events.
//
// Usage: node with-hey-api.ts URL FILE NAME CALENDAR

import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { argv, env } from "node:process";

import { client } from "./generated/hey-api/client.gen.ts";
import {
  exportEvent,
  getEvent,
  importEvent,
  signIn,
  updateEvent,
  watchTask,
} from "./generated/hey-api/index.ts";
import type { SucceededTask } from "./generated/hey-api/index.ts";

const [, , url, file, name, calendar] = argv;
const { EVENTIMPORT_EMAIL: email, EVENTIMPORT_PASSWORD: password } = env;
if (!url || !file || !name || !calendar || !email || !password) {
  throw new Error("Pass URL FILE NAME CALENDAR; set EVENTIMPORT_EMAIL and EVENTIMPORT_PASSWORD.");
}
const throwOnError = true;

/** Show each state of a task until it has ended, and return the task if it has succeeded. */
async function follow(taskUrl: string): Promise<SucceededTask> {
  const path = { task_id: taskUrl.split("/").pop() ?? "" };
  for (;;) {
    // A stream can end before its task does. Then open the next one.
    const { stream } = await watchTask({ path, throwOnError });
    for await (const task of stream) {
      console.log(task.state, task.progress.message ?? "Waiting");
      if (task.state === "SUCCESS") return task;
      if (task.state === "FAILURE") throw new Error(JSON.stringify(task.result.errors));
      if (task.state === "REVOKED") throw new Error("The task was cancelled.");
    }
  }
}

client.setConfig({ baseUrl: url });
client.interceptors.error.use(
  (error, response) => new Error(`Status ${response?.status}: ${JSON.stringify(error)}`),
);
const session = await signIn({ body: { email, password }, throwOnError });
client.setConfig({ auth: session.data.access_token });

const upload = new File([await openAsBlob(file)], basename(file));
const accepted = await importEvent({
  path: { source_type: "auto" },
  body: { file: upload },
  throwOnError,
});
const imported = await follow(accepted.data.task_url);
if (imported.kind !== "import" || imported.result.id === null) {
  throw new Error("No event was imported.");
}

const path = { resource_id: imported.result.id };
const read = await getEvent({ path, throwOnError });
const event = read.data.data;
console.log(`${event.attributes.name} starts at ${event.attributes["starts-at"]}`);

const changed = await updateEvent({
  path,
  // Rejected with 412 if another client has changed the event since.
  headers: { "if-match": read.response.headers.get("ETag") ?? "*" },
  body: { data: { type: "event", id: event.id, attributes: { name } } },
  throwOnError,
});
console.log(`Renamed to ${changed.data.data.attributes.name}`);

const started = await exportEvent({
  path: { event_key: event.id, export_format: "ical" },
  throwOnError,
});
const exported = await follow(started.data.task_url);
if (exported.kind !== "export") throw new Error("No file was exported.");
const download = await fetch(new URL(exported.result.download_url, url));
if (!download.ok) throw new Error(`The download failed with status ${download.status}.`);
const content = new Uint8Array(await download.arrayBuffer());
await writeFile(calendar, content);
console.log(`Saved ${calendar} with ${content.length} bytes`);
