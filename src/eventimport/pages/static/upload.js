// Sends an archive. XMLHttpRequest, because fetch does not tell how far an upload is.

import { ApiError, authorization, problemsOf } from "./api.js";

// Gives back the URL of the import's task. `options` are the route's query parameters; those that are
// empty are left out. Throws ApiError, and AbortError.
export function upload(file, format, options, tell, signal) {
  const query = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== ""));
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", `/v1/events/import/${encodeURIComponent(format)}?${query}`);
    for (const [name, value] of Object.entries(authorization())) sending.setRequestHeader(name, value);
    sending.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) tell(event.loaded, event.total);
    });
    sending.addEventListener("load", () => {
      if (sending.status === 202) resolve(JSON.parse(sending.responseText).task_url);
      else reject(new ApiError(sending.status, problemsOf(sending.status, sending.responseText)));
    });
    sending.addEventListener("error", () => {
      reject(new ApiError(0, [{ detail: "The upload was interrupted. Check that the service is reachable, and try again." }]));
    });
    sending.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    signal.addEventListener("abort", () => sending.abort(), { once: true });
    const form = new FormData();
    form.append("file", file);
    sending.send(form);
  });
}
