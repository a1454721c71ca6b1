// Exports an event: the formats, a button, and the link to the file.

import { request } from "./api.js";
import { byId, element, withCode } from "./elements.js";
import { followTask } from "./task_events.js";

const MIB = 1024 * 1024;

// Elements that export the event of an import's result; null if it has none.
export function exportOf({ identifier }) {
  const formats = byId("export-formats");
  if (!identifier || !formats) return null;
  const choice = element("select", { id: "export-format" });
  choice.append(formats.content.cloneNode(true));
  const button = element("button", { type: "button", class: "quiet" }, "Export the event");
  const status = element("p", { role: "status" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      status.replaceChildren("Exporting …");
      status.replaceChildren(...await exported(identifier, choice.value, (text) => status.replaceChildren(text)));
    } catch (error) {
      status.replaceChildren(error.message);
    } finally {
      button.disabled = false;
    }
  });
  return element("div", {},
    element("p", {}, element("label", { for: "export-format" }, "Export as"), choice),
    element("p", { class: "buttons" }, button),
    status,
  );
}

// What is shown when the export has ended.
async function exported(identifier, format, tell) {
  const { task_url: url } = await request("GET", `/v1/events/${encodeURIComponent(identifier)}/export/${format}`);
  const { state, result } = await followTask(url, ({ progress }) => tell(progress.message || "Exporting …"));
  if (state === "REVOKED") return ["The export was cancelled."];
  if (state !== "SUCCESS") return [result?.errors?.[0]?.detail ?? "The export failed."];
  const size = `${(result.size / MIB).toFixed(1)} MiB`;
  const link = element("a", { href: result.download_url, download: true }, `Download the file (${size})`);
  const losses = (result.report.findings ?? []).map(({ message }) => element("li", {}, ...withCode(message)));
  return [link, ...(losses.length ? [element("ul", {}, ...losses)] : [])];
}
