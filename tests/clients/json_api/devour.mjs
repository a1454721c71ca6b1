// Devour, with models that the OpenAPI document describes. Devour writes a relationship that it has
// not read as empty. So the models have only the relationships that the test includes.
import assert from "node:assert/strict";
import JsonApi from "devour-client";
import { event, idOf, saveAll, token, TYPES, url } from "./service.mjs";

const { components } = await (await fetch(`${url}/openapi.json`)).json();
const schema = (type, rest) => {
  const name = type.split("-").map((word) => word[0].toUpperCase() + word.slice(1)).join("");
  return Object.keys(components.schemas[`${name}${rest}`].properties);
};
const ONE = ["event", "track", "session-type", "event-copyright"];

for (const typed of [true, false]) {
  const client = (related) => {
    const api = new JsonApi({ apiUrl: `${url}/v1`, bearer: token, logger: false });
    for (const [type, { path, include }] of Object.entries(TYPES)) {
      const model = Object.fromEntries(schema(type, "Attributes").map((name) => [name, ""]));
      for (const name of related ? include.split(",") : []) {
        const [first] = name.split(".");
        model[first] = { jsonApi: ONE.includes(first) ? "hasOne" : "hasMany" };
      }
      api.define(type, model, typed ? { type, collectionPath: path } : {});
    }
    return api;
  };
  const [plain, related] = [client(false), client(true)];

  await saveAll(async ({ type, id, attribute, value, include }) => {
    const api = include ? related : plain;
    const { data } = await api.find(type, id, include ? { include } : {});
    data[attribute] = value;
    await api.update(type, data);
  });

  const found = await plain.findAll("event", {
    fields: { event: "name" },
    filter: { name: "" },
    page: { number: 1, size: 2 },
    sort: "-starts-at",
  });
  assert.ok(found.meta.total >= 1 && found.links.self);
  const sessions = await plain.one("event", event).all("session").get({ page: { size: 2 } });
  assert.equal(sessions.data.length, 2);

  const speakers = [{ type: "speaker", id: await idOf("speaker") }];
  const made = await related.one("event", event).all("session").post({ title: "New", speakers });
  const linked = await related.one("session", made.data.id).relationships("speakers").get();
  assert.equal(linked.data.length, 1);
  await related.destroy("session", made.data.id);
}
console.log("saved with devour-client");
