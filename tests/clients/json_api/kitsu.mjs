// Kitsu with its defaults, which write types as plurals in camelCase, and with others.
import assert from "node:assert/strict";
import Kitsu from "kitsu";
import { event, idOf, saveAll, token, url } from "./service.mjs";

const headers = { Authorization: `Bearer ${token}` };
for (const options of [{}, { camelCaseTypes: false }, { camelCaseTypes: false, pluralize: false }]) {
  const api = new Kitsu({ baseURL: `${url}/v1`, headers, ...options });

  await saveAll(async ({ path, id, attribute, value, include }) => {
    const { data } = await api.get(`${path}/${id}`, { params: include ? { include } : {} });
    data[attribute] = value;
    await api.patch(path, data);
  });

  const params = {
    include: "sessions,tracks",
    fields: { event: "name,sessions,tracks", session: "title" },
    filter: { identifier: (await api.get(`events/${event}`)).data.identifier },
    sort: "-starts-at",
    page: { number: 1, size: 5 },
  };
  const { data: events, meta } = await api.get("events", { params });
  assert.equal(meta.total, 1);
  assert.ok(events[0].sessions.data[0].title);
  const related = await api.get(`events/${event}/sessions`, { params: { page: { size: 2 } } });
  assert.equal(related.data.length, 2);

  const speaker = await idOf("speaker");
  const body = {
    title: "Made by Kitsu",
    event: { data: { type: "event", id: event } },
    speakers: { data: [{ id: speaker }] },
  };
  const { data: made } = await api.create("sessions", body);
  const { data: speakers } = await api.get(`sessions/${made.id}/speakers`);
  assert.deepEqual(speakers.map(({ id }) => id), [speaker]);
  await api.remove("sessions", made.id);
  const { data: type } = await api.create(`events/${event}/session-types`, { name: "New" });
  await api.remove("session-types", type.id);
}
console.log("saved with Kitsu");
