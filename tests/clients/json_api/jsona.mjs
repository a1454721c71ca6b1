// Jsona reads documents and writes them; requests are fetch's.
import assert from "node:assert/strict";
import { Jsona } from "jsona";
import { call, event, idOf, saveAll } from "./service.mjs";

const jsona = new Jsona();
const read = async (path) => jsona.deserialize(await call("GET", path));

await saveAll(async ({ path, id, attribute, value, include }) => {
  const model = await read(`/v1/${path}/${id}${include ? `?include=${include}` : ""}`);
  model[attribute] = value;
  const includeNames = include ? include.split(",") : [];
  const saved = await call("PATCH", model.links.self, jsona.serialize({ stuff: model, includeNames }));
  assert.equal(jsona.deserialize(saved)[attribute], value);
});

const query = "include=speakers,track&sort=-starts-at&page[size]=3&fields[track]=name";
const sessions = await read(`/v1/events/${event}/sessions?${query}`);
assert.equal(sessions.length, 3);
assert.ok(sessions[0].track.name && sessions[0].speakers.every((speaker) => speaker.name));

const [speaker, track] = [await idOf("speaker"), await idOf("track")];
const made = jsona.deserialize(
  await call(
    "POST",
    "/v1/sessions?include=speakers,track",
    jsona.serialize({
      stuff: {
        type: "session",
        title: "Made by Jsona",
        event: { type: "event", id: event },
        speakers: [{ type: "speaker", id: speaker }],
        track: { type: "track", id: track },
        relationshipNames: ["event", "speakers", "track"],
      },
    }),
  ),
);
assert.deepEqual([made.speakers[0].id, made.track.id], [speaker, track]);
made.speakers = [];
await call("PATCH", made.links.self, jsona.serialize({ stuff: made }));
assert.deepEqual(await read(`${made.links.self}/speakers`), []);
await call("DELETE", made.links.self);
console.log("saved with Jsona");
