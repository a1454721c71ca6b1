import { defineConfig } from "@hey-api/openapi-ts";

export default defineConfig({
  input: "../openapi.json",
  output: { path: "generated/hey-api", module: { extension: ".ts" } },
  parser: {
    patch: {
      operations: {
        // The generator keeps one of two media types, and prefers JSON: keep the form with a file.
        "POST /v1/events/import/{source_type}": (operation) => {
          const body = "requestBody" in operation ? operation.requestBody : undefined;
          if (body && "content" in body) delete body.content["application/json"];
        },
      },
    },
  },
});
