// Write the types for openapi-fetch. The command `openapi-typescript` does the same, but would type
// files as strings.

import { writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const blob = ts.factory.createTypeReferenceNode("Blob");
const nodes = await openapiTS(new URL("../openapi.json", import.meta.url), {
  transform: ({ format }) => (format === "binary" ? blob : undefined),
});
await writeFile(new URL("generated/openapi-types.ts", import.meta.url), astToString(nodes));
