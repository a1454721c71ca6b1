// At the address of an event that is not public: its owner, signed in, is led to its preview.

import { account, previewUrl } from "./api.js";
import { byId } from "./elements.js";

if (account()) {
  const identifier = location.pathname.split("/").pop();
  byId("draft-status").textContent = "Checking whether this is your event…";
  try {
    location.replace(await previewUrl(decodeURIComponent(identifier)));
  } catch {
    byId("draft-status").textContent = "";
  }
}
