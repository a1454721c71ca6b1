// The front page: who is signed in, the form, and what it starts.

import { account, forgetAccount, request, signIn, signUp } from "./api.js";
import { byId, element, show, showErrors } from "./elements.js";
import { showImports } from "./imports.js";
import { MIB, startProgress, tellTask, tellUpload } from "./progress.js";
import { openEvent, resultOf } from "./result.js";
import { followTask, isFinal } from "./task_events.js";
import { upload } from "./upload.js";

const main = byId("main");
// What is shown: how to look away from it, and, once there is one, its task's URL.
let running = null;
// The URL of the task whose result is shown.
let shownUrl = null;

function showAccount() {
  const signedIn = account();
  show("sign-in", !signedIn);
  show("import", Boolean(signedIn));
  show("account", Boolean(signedIn));
  byId("account-email").textContent = signedIn?.email ?? "";
  show("unconfirmed", false);
  if (signedIn) {
    refreshImports();
    askForConfirmation();
    openEventOfAddress();
    acceptInvitationOfAddress();
  } else {
    running?.watching.abort();
    for (const id of ["progress", "result", "imports"]) show(id, false);
  }
}

function signOut(reason) {
  forgetAccount();
  showAccount();
  if (reason) showErrors("sign-in-errors", reason);
  byId("email").focus();
}

// An expired token means signing in again; whatever else went wrong is told where it happened.
function tellFailure(id, error) {
  if (error.name === "AbortError") return;
  if (error.status === 401 && account()) signOut(new Error("Your session has ended. Sign in again."));
  else showErrors(id, error);
}

async function refreshImports() {
  try {
    await showImports(openTask);
  } catch (error) {
    tellFailure("import-errors", error);
  }
}

// An address that is not confirmed gets no mail but the one with the link.
async function askForConfirmation() {
  try {
    const { email, is_confirmed: confirmed } = await request("GET", "/v1/account");
    byId("unconfirmed-email").textContent = email;
    byId("unconfirmed-status").textContent = "";
    byId("unconfirmed-errors").replaceChildren();
    show("unconfirmed", !confirmed && Boolean(account()));
  } catch (error) {
    tellFailure("import-errors", error);
  }
}

// `/#invitation=<token>` is the link in the mail of an invitation.
async function acceptInvitationOfAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("invitation");
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  try {
    const { identifier } = await request("POST", "/v1/invitations/accept", { body: { token } });
    await openEvent(identifier);
  } catch (error) {
    tellFailure("import-errors", error);
  }
}

byId("send-again").addEventListener("click", async () => {
  byId("unconfirmed-errors").replaceChildren();
  try {
    await request("POST", "/v1/account/send-confirmation");
    byId("unconfirmed-status").textContent = "The mail is on its way.";
  } catch (error) {
    if (error.status === 409) show("unconfirmed", false);
    else tellFailure("unconfirmed-errors", error);
  }
});

// `/#event=<identifier>` is where the page of a draft sends its owner to sign in.
async function openEventOfAddress() {
  const identifier = new URLSearchParams(location.hash.slice(1)).get("event");
  if (!identifier) return;
  history.replaceState(null, "", location.pathname);
  try {
    await openEvent(identifier);
  } catch (error) {
    tellFailure("import-errors", error);
  }
}

byId("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const { email, password } = Object.fromEntries(new FormData(form));
  const isNew = event.submitter?.value === "sign-up";
  byId("sign-in-errors").replaceChildren();
  try {
    if (isNew && password.length < Number(main.dataset.minPassword)) {
      throw new Error(`The password must have at least ${main.dataset.minPassword} characters.`);
    }
    setBusy(form, true);
    if (isNew) await signUp(email, password);
    await signIn(email, password);
    form.reset();
    showAccount();
    byId("archive").focus();
  } catch (error) {
    showErrors("sign-in-errors", error);
  } finally {
    setBusy(form, false);
  }
});

byId("sign-out").addEventListener("click", () => signOut());

byId("import-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = byId("archive").files[0];
  if (!file) return;
  const limit = Number(main.dataset.maxArchiveBytes);
  if (file.size > limit) {
    showErrors("import-errors", new Error(`The archive is larger than ${Math.floor(limit / MIB)} MiB. The limit is set by MAX_ARCHIVE_BYTES.`));
    return;
  }
  const options = {
    strict: byId("strict").checked,
    dry_run: byId("dry-run").checked,
    publish: byId("publish").checked,
    timezone: byId("timezone").value.trim(),
    name: byId("event-name").value.trim(),
    language: byId("language").value.trim(),
  };
  await run(async (current) => {
    tellUpload(0, file.size);
    current.taskUrl = await upload(file, byId("format").value, options, tellUpload, current.watching.signal);
    refreshImports();
    return followTask(current.taskUrl, tellTask, current.watching.signal);
  });
});

async function openTask(taskUrl) {
  await run((current) => {
    current.taskUrl = taskUrl;
    return followTask(taskUrl, (task) => isFinal(task) || tellTask(task), current.watching.signal);
  });
}

// Then the import is shown again, whose report has changed.
async function fetchMissing(url) {
  const importUrl = shownUrl;
  await run(async (current) => {
    current.taskUrl = (await request("POST", url)).task_url;
    const task = await followTask(current.taskUrl, tellTask, current.watching.signal);
    if (task.state !== "SUCCESS") return task;
    current.taskUrl = importUrl;
    return request("GET", importUrl);
  });
}

// Only one import is shown at a time: a new one takes the place of the one before, which goes on.
async function run(work) {
  running?.watching.abort();
  const current = { watching: new AbortController(), taskUrl: null };
  running = current;
  byId("import-errors").replaceChildren();
  show("result", false);
  setBusy(byId("import-form"), true);
  startProgress();
  try {
    const task = await work(current);
    if (running === current) showResult(task, current.taskUrl);
  } catch (error) {
    if (running === current) tellFailure("import-errors", error);
  } finally {
    if (running === current) {
      show("progress", false);
      setBusy(byId("import-form"), false);
      running = null;
    }
  }
}

function showResult(task, taskUrl) {
  shownUrl = taskUrl;
  byId("result-content").replaceChildren(...resultOf(task, fetchMissing).filter(Boolean));
  show("progress", false);
  show("result");
  // The next try needs a time zone: its field must be in sight.
  if (task.result?.errors?.some((error) => error.code === "no-time-zone")) byId("about-event").open = true;
  byId("result").focus({ preventScroll: true });
  byId("result").scrollIntoView({ block: "start" });
  refreshImports();
}

// An upload is simply broken off. A task is cancelled, and the answer is how it has ended.
byId("cancel").addEventListener("click", async () => {
  const current = running;
  if (!current?.taskUrl) {
    current?.watching.abort();
    return;
  }
  byId("import-errors").replaceChildren();
  try {
    const task = await request("DELETE", current.taskUrl);
    if (running !== current) return;
    current.watching.abort();
    showResult(task, current.taskUrl);
  } catch (error) {
    // One that has just ended cannot be cancelled: whoever watches it is about to see how.
    if (running === current && error.status !== 409) tellFailure("import-errors", error);
  }
});

// The names of time zones that the browser knows, to choose from.
byId("zones").replaceChildren(
  ...(Intl.supportedValuesOf?.("timeZone") ?? []).map((name) => element("option", { value: name })),
);

const drop = byId("drop");
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, () => drop.classList.remove("over"));
}
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) byId("archive").files = event.dataTransfer.files;
});

function setBusy(form, busy) {
  for (const button of form.querySelectorAll("button")) button.disabled = busy;
}

showAccount();
