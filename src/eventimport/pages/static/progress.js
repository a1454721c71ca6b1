// Shows how far an import is: the upload first, then the stages that its task tells.

import { byId, element, show } from "./elements.js";

const STEPS = ["Upload", "Wait", "Import", "Done"];
export const MIB = 1024 * 1024;

let spoken = "";

export function startProgress() {
  spoken = "";
  draw(1, 0, 0, "", "", null);
  show("progress");
  byId("progress").focus({ preventScroll: true });
  byId("progress").scrollIntoView({ block: "nearest" });
}

export function tellUpload(done, total) {
  const text = `Uploading: ${(done / MIB).toFixed(1)} of ${(total / MIB).toFixed(1)} MiB`;
  draw(0, done, total, text, "Uploading", "Cancel the upload");
}

export function tellTask({ kind, state, progress, event }) {
  const { stage, message, done, total } = progress;
  const skips = event || kind === "fetch-media";
  const cancel = skips ? "Skip the remaining media files" : "Cancel the import";
  if (state === "PENDING") draw(1, 0, 0, "Waiting for a worker", "Waiting for a worker", cancel);
  else draw(2, done, total, message || "Importing", stage || "Importing", cancel);
}

// `speech` is for screen readers: announced when it changes, not with every number. `cancel` is what
// the button says; it stays the same button, so that whoever has come to it by keyboard stays there.
function draw(step, done, total, text, speech, cancel) {
  const bar = byId("progress-bar");
  if (total > 0) {
    bar.max = total;
    bar.value = done;
  } else {
    bar.removeAttribute("value");
  }
  byId("progress-text").textContent = text;
  byId("steps").replaceChildren(...STEPS.map((name, index) => element("li", {
    class: index < step ? "done" : null,
    "aria-current": index === step ? "step" : null,
  }, name)));
  show("cancel", Boolean(cancel));
  byId("cancel").textContent = cancel ?? "";
  if (speech !== spoken) {
    spoken = speech;
    byId("progress-status").textContent = speech;
  }
}
