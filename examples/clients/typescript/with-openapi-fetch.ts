// Imports a conference, renames the event and saves it as a calendar, with types that
// openapi-typescript generates for openapi-fetch. Follows each task by polling.
//
// Usage: node with-openapi-fetch.ts URL FILE NAME CALENDAR

import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { argv, env } from "node:process";
import { setTimeout } from "node:timers/promises";

import createClient from "openapi-fetch";

import type { components, paths } from "./generated/openapi-types.ts";

type SucceededTask = components["schemas"]["SucceededTask"];

const [, , url, file, name, calendar] = argv;
const { EVENTIMPORT_EMAIL: email, EVENTIMPORT_PASSWORD: password } = env;
if (!url || !file || !name || !calendar || !email || !password) {
  throw new Error("Pass URL FILE NAME CALENDAR; set EVENTIMPORT_EMAIL and EVENTIMPORT_PASSWORD.");
}

/** Return the body of a response, or throw the errors that the service sent. */
function bodyOf<T>(answer: { data?: T | undefined; error?: unknown; response: Response }): T {
  if (answer.data !== undefined) return answer.data;
  throw new Error(`Status ${answer.response.status}: ${JSON.stringify(answer.error)}`);
}

/** Show each state of a task until it has ended, and return the task if it has succeeded. */
async function follow(taskUrl: string): Promise<SucceededTask> {
  const path = { task_id: taskUrl.split("/").pop() ?? "" };
  const headers = new Headers();
  for (;;) {
    const answer = await client.GET("/v1/tasks/{task_id}", { params: { path }, headers });
    // A task that has not changed since is an empty 304.
    if (answer.response.status !== 304) {
      const task = bodyOf(answer);
      console.log(task.state, task.progress.message ?? "Waiting");
      if (task.state === "SUCCESS") return task;
      if (task.state === "FAILURE") throw new Error(JSON.stringify(task.result.errors));
      if (task.state === "REVOKED") throw new Error("The task was cancelled.");
      headers.set("If-None-Match", answer.response.headers.get("ETag") ?? "");
    }
    await setTimeout(1000 * Number(answer.response.headers.get("Retry-After") ?? 1));
  }
}

const anonymous = createClient<paths>({ baseUrl: url });
const session = bodyOf(await anonymous.POST("/v1/auth/session", { body: { email, password } }));
const headers = { Authorization: `Bearer ${session.access_token}` };
const client = createClient<paths>({ baseUrl: url, headers });

const upload = await openAsBlob(file);
const form = new FormData();
form.append("file", upload, basename(file));
const accepted = await client.POST("/v1/events/import/{source_type}", {
  params: { path: { source_type: "auto" } },
  body: { file: upload },
  bodySerializer: () => form,
});
const imported = await follow(bodyOf(accepted).task_url);
if (imported.kind !== "import" || imported.result.id === null) {
  throw new Error("No event was imported.");
}

const path = { resource_id: imported.result.id };
const read = await client.GET("/v1/events/{resource_id}", { params: { path } });
const event = bodyOf(read).data;
console.log(`${event.attributes.name} starts at ${event.attributes["starts-at"]}`);

const changed = await client.PATCH("/v1/events/{resource_id}", {
  // Rejected with 412 if another client has changed the event since.
  params: { path, header: { "if-match": read.response.headers.get("ETag") ?? "*" } },
  body: { data: { type: "event", id: event.id, attributes: { name } } },
});
console.log(`Renamed to ${bodyOf(changed).data.attributes.name}`);

const started = await client.GET("/v1/events/{event_key}/export/{export_format}", {
  params: { path: { event_key: event.id, export_format: "ical" } },
});
const exported = await follow(bodyOf(started).task_url);
if (exported.kind !== "export") throw new Error("No file was exported.");
const download = await fetch(new URL(exported.result.download_url, url));
if (!download.ok) throw new Error(`The download failed with status ${download.status}.`);
const content = new Uint8Array(await download.arrayBuffer());
await writeFile(calendar, content);
console.log(`Saved ${calendar} with ${content.length} bytes`);
