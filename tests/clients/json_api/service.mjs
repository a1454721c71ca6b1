// What the programs share: the service, the event, and one resource of each type.
import assert from "node:assert/strict";

export const [, , url, token, event] = process.argv;

const WHEN = ["updated-at", "last-modified-at", "revision"];

export async function call(method, path, body) {
  const headers = { Accept: "application/vnd.api+json", Authorization: `Bearer ${token}` };
  if (body) headers["Content-Type"] = headers.Accept;
  const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

// Each type with its path, an attribute to change, and the relationships to include.
export const TYPES = {
  event: { path: "events", attribute: "name", include: "microlocations,event-copyright" },
  session: { path: "sessions", attribute: "title", include: "speakers,track,session-type" },
  speaker: { path: "speakers", attribute: "name", include: "sessions.track" },
  track: { path: "tracks", attribute: "name", include: "sessions" },
  microlocation: { path: "microlocations", attribute: "name", include: "sessions" },
  sponsor: { path: "sponsors", attribute: "name", include: "event" },
  "session-type": { path: "session-types", attribute: "name", include: "sessions" },
  "social-link": { path: "social-links", attribute: "name", include: "event" },
  "custom-form": { path: "custom-forms", attribute: "name", include: "event" },
  "event-copyright": { path: "event-copyrights", attribute: "holder", include: "event" },
};

async function idOf(type) {
  if (type === "event") return event;
  const one = type === "event-copyright";
  const path = `/v1/events/${event}/${one ? type : TYPES[type].path}`;
  const { data } = await call("GET", path);
  return (one ? data : data[0]).id;
}

// Calls `save` for each type, with and without included resources, and compares: the attribute has
// changed, and nothing else has.
export async function saveAll(save) {
  for (const [type, { path, attribute, include }] of Object.entries(TYPES)) {
    const id = await idOf(type);
    for (const included of [undefined, include]) {
      const state = async () => {
        const { data } = await call("GET", `/v1/${path}/${id}?include=${include}`);
        return { attributes: data.attributes, relationships: data.relationships };
      };
      const before = await state();
      const value = `${before.attributes[attribute]}!`;
      await save({ type, path, id, attribute, value, include: included });
      const after = await state();
      before.attributes[attribute] = value;
      for (const name of WHEN) delete before.attributes[name];
      for (const name of WHEN) delete after.attributes[name];
      assert.deepEqual(after, before, `${type}, include=${included}`);
    }
  }
}

export { idOf };
