// Shows how far an import is: the upload first, then the stages that its task tells.

import { byId, element, show } from "./elements.js";

const STEPS = ["Upload", "Wait", "Import", "Done"];
const MIB = 1024 * 1024;

let spoken = "";

export function startProgress() {
  spoken = "";
  draw(1, 0, 0, "", "");
  show("progress");
  byId("progress").focus({ preventScroll: true });
  byId("progress").scrollIntoView({ block: "nearest" });
}

export function tellUpload(done, total) {
  draw(0, done, total, `Uploading: ${(done / MIB).toFixed(1)} of ${(total / MIB).toFixed(1)} MiB`, "Uploading");
}

export function tellTask({ state, progress }) {
  if (state === "PENDING") draw(1, 0, 0, "Waiting for a worker", "Waiting for a worker");
  else draw(2, progress.done, progress.total, progress.message || "Importing", progress.stage || "Importing");
}

// `speech` is for screen readers: told once when it changes, not with every number.
function draw(step, done, total, text, speech) {
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
  show("cancel", step === 0);
  if (speech !== spoken) {
    spoken = speech;
    byId("progress-status").textContent = speech;
  }
}
