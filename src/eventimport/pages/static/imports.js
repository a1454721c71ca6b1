// The list of earlier imports.

import { request } from "./api.js";
import { byId, element, show } from "./elements.js";

const NAMES = {
  PENDING: "waiting",
  STARTED: "running",
  SUCCESS: "imported",
  FAILURE: "not imported",
  REVOKED: "cancelled",
};
const CLASSES = { SUCCESS: "good", FAILURE: "bad" };

// Fills the list; `open` is called with the URL of the task that somebody wants to see.
export async function showImports(open) {
  const { data, meta } = await request("GET", "/v1/import-jobs?page%5Bsize%5D=20");
  show("imports", data.length > 0);
  const items = data.map(({ attributes: job }) => element("li", {},
    element("div", {},
      element("p", {}, job["event-name"] || job["file-name"] || "Archive"),
      element("p", { class: "hint" }, stateOf(job), " · ", timeOf(job["created-at"])),
    ),
    element("button", { type: "button", class: "quiet", onclick: () => open(job["task-url"]) },
      "Show", element("span", { class: "visually-hidden" }, ` the import of ${job["event-name"] || job["file-name"] || "an archive"}`)),
  ));
  const list = [element("ul", { class: "imports" }, ...items)];
  if (meta.total > data.length) list.push(element("p", { class: "hint" }, `The latest ${data.length} of ${meta.total}.`));
  byId("import-list").replaceChildren(...list);
}

function stateOf(job) {
  const name = job["dry-run"] && job.status === "SUCCESS" ? "checked" : NAMES[job.status];
  return element("span", { class: CLASSES[job.status] }, name);
}

function timeOf(time) {
  const text = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
  return element("time", { datetime: time }, text);
}
