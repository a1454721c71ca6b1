// Shows how an import ended: the event and what was found on the way, or all errors.

import { previewUrl, publish } from "./api.js";
import { element, withCode } from "./elements.js";
import { exportOf } from "./export.js";

const MOST_SHOWN = 300;
// What people call the rows of some tables, one and many.
const CONTENTS = {
  custom_forms: ["form field", "form fields"],
  event_copyrights: ["copyright notice", "copyright notices"],
  microlocations: ["room", "rooms"],
  session_speakers: ["link of a speaker to a session", "links of speakers to sessions"],
  speakers_calls: ["call for speakers", "calls for speakers"],
};
const SEVERITIES = [
  ["error", "error", "errors"],
  ["warning", "warning", "warnings"],
  ["repair", "repair", "repairs"],
];

// Elements for the task's result. `fetchMissing` is called with the URL that fetches an import's
// missing media files.
export function resultOf(task, fetchMissing) {
  if (task.kind === "fetch-media") return fetchOf(task);
  if (task.state === "SUCCESS") return [...successOf(task.result), missingOf(task.result.report, fetchMissing)];
  if (task.state === "REVOKED") return [element("p", {}, "Cancelled. Nothing was imported.")];
  return failureOf(task.result?.errors ?? [], task.result?.meta?.total);
}

// Opens the page of an event, draft or not.
export async function openEvent(identifier) {
  location.assign(await previewUrl(identifier));
}

function successOf(result) {
  const { report } = result;
  const name = result.event_name || "The event";
  const told = report.dry_run
    ? element("p", {}, element("span", { class: "good" }, "Checked. "), `${name} can be imported. Nothing was imported yet.`)
    : element("p", {}, element("span", { class: "good" }, "Imported. "), `${name} is ready.`);
  return [told, linkTo(result), accessOf(result), exportOf(result), countsOf(report.counts), ...findingsOf(report)];
}

// A button, if linked files were unreachable, or the import did not reach all of its files.
function missingOf(report, fetchMissing) {
  const { UNREACHABLE = 0, NOT_STORED = 0 } = report.media?.outcomes ?? {};
  if (report.dry_run || !(UNREACHABLE + NOT_STORED)) return null;
  const url = report.findings_url.replace(/findings$/, "fetch-media");
  return element("p", { class: "buttons" },
    element("button", { type: "button", class: "quiet", onclick: () => fetchMissing(url) }, "Fetch the missing media files"));
}

function fetchOf({ state, result }) {
  if (state === "REVOKED") return [element("p", {}, "Cancelled. The media files that are stored stay.")];
  const errors = (result?.errors ?? []).map((error) => [error.detail, {}]);
  return [element("p", {}, element("span", { class: "bad" }, "Not fetched. ")), listOf(errors, errors.length)];
}

function linkTo({ identifier, url }) {
  if (!identifier) return null;
  const link = element("a", { class: "button", href: `/events/${identifier}` }, "View the event");
  // The address for a draft is made when it is asked for, because it is valid for an hour alone.
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openEvent(identifier).catch(() => location.assign(link.href));
  });
  const elsewhere = new URL(url, location.href);
  const other = elsewhere.origin === location.origin ? null : element("a", { href: elsewhere.href }, elsewhere.href);
  return element("p", { class: "buttons" }, link, other);
}

// Who sees the event, and a button that publishes it.
function accessOf({ access }) {
  if (!access) return null;
  const status = element("p", { role: "status" }, access.published ? "The event is published." : "Only you see the event until you publish it.");
  if (access.published) return status;
  const button = element("button", { type: "button", class: "quiet" }, "Publish the event");
  let confirmed = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { hidden } = await publish(access.publish, confirmed);
      button.hidden = true;
      status.textContent = `The event is published.${hiddenOf(hidden)}`;
    } catch (error) {
      if (error.problems?.[0]?.code === "confirmation-required") {
        confirmed = true;
        status.textContent = error.message.replace(/ To publish .*/, "");
        button.textContent = "Publish it anyway";
      } else {
        status.textContent = error.message;
      }
    } finally {
      button.disabled = false;
    }
  });
  return element("div", {}, status, element("p", { class: "buttons" }, button));
}

function hiddenOf(hidden) {
  if (!hidden.length) return "";
  const parts = hidden.map(({ reason, state, sessions }) => `${sessions} ${reason === "deleted" ? "deleted" : `with the state “${state}”`}`);
  return ` Sessions that stay hidden: ${parts.join(", ")}.`;
}

function countsOf(counts) {
  const entries = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  if (!entries.length) return null;
  const pairs = entries.map(([kind, count]) => element(
    "div", {}, element("dt", {}, nameOf(kind, count)), element("dd", {}, String(count)),
  ));
  return element("dl", { class: "counts", "aria-label": "Contents of the archive" }, ...pairs);
}

function nameOf(table, count) {
  const usual = table.replaceAll("_", " ");
  const [one, many] = CONTENTS[table] ?? [usual.replace(/s$/, ""), usual];
  return count === 1 ? one : many;
}

function findingsOf(report) {
  const findings = report.findings ?? [];
  const lists = SEVERITIES.map(([severity, one, many]) => {
    const chosen = findings.filter((finding) => finding.severity === severity);
    if (!chosen.length) return null;
    const total = report.totals?.[severity] ?? chosen.length;
    return element("details", {},
      element("summary", {}, `${total} ${total === 1 ? one : many}`),
      listOf(chosen.map((finding) => [finding.message, finding]), total),
    );
  }).filter(Boolean);
  return lists.length ? lists : [element("p", {}, "The report has no findings.")];
}

function failureOf(errors, total = errors.length) {
  const count = total === 1 ? "1 error." : `${total} errors.`;
  const summary = element("p", {}, element("span", { class: "bad" }, "Not imported. "), count);
  const lines = errors.map((error) => {
    const place = placeOf(error.meta ?? {});
    const detail = place && error.detail.startsWith(`${place}: `) ? error.detail.slice(place.length + 2) : error.detail;
    return [detail, error.meta ?? {}];
  });
  return [summary, listOf(lines, total)];
}

function listOf(lines, total) {
  const shown = lines.slice(0, MOST_SHOWN);
  const items = shown.map(([message, place]) => element("li", {},
    element("p", {}, ...withCode(message + timesOf(place))),
    element("p", { class: "place" }, placeOf(place)),
    place.value === undefined ? null : element("p", { class: "place" }, `found: ${valueOf(place)}`),
  ));
  const omitted = total - shown.reduce((sum, [, { count = 1 }]) => sum + count, 0);
  if (omitted > 0) items.push(element("li", {}, `… and ${omitted} more.`));
  // A scrolled list must be reachable for the keyboard.
  return element("ul", { class: "findings", tabindex: "0" }, ...items);
}

function valueOf({ value }) {
  return typeof value === "string" ? `“${value}”` : JSON.stringify(value);
}

// How often something was found, and in which records.
function timesOf({ count = 1, places = [] }) {
  if (count <= 1) return "";
  const titles = [...new Set(places.map(({ title }) => title).filter(Boolean))].map((title) => `“${title}”`);
  if (titles.length && places.length < count) titles.push("…");
  return titles.length ? ` (${count} times: ${titles.join(", ")})` : ` (${count} times)`;
}

// The same words as the service's own: entry, line, column, record, field.
function placeOf({ entry, line, column, record, source_id: sourceId, title, field }) {
  const parts = [];
  if (entry !== undefined) parts.push(entry);
  if (line !== undefined) parts.push(`line ${line}`);
  if (column !== undefined) parts.push(`column ${column}`);
  if (record !== undefined) {
    const named = title === undefined ? "" : ` “${title}”`;
    const identified = sourceId === undefined ? "" : ` (id ${sourceId})`;
    parts.push(`record ${record + 1}${named}${identified}`);
  }
  if (field !== undefined) parts.push(field);
  return parts.join(", ");
}
