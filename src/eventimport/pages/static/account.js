// The pages that confirm an address, request a link, and set a new password.

import { forgetAccount, request } from "./api.js";
import { byId, showErrors } from "./elements.js";

const form = byId("account-form");
// What follows the `#` of a link in a mail. No server and no other site sees it.
const token = location.hash.slice(1);

const ACTIONS = {
  async confirm() {
    const { email } = await request("POST", "/v1/auth/confirm-email", { body: { token } });
    return `${email} is confirmed.`;
  },
  async reset({ password, repeated }) {
    if (password !== repeated) throw new Error("The two passwords differ.");
    await request("POST", "/v1/auth/reset-password", { body: { token, password } });
    forgetAccount();
    return "Your password is changed. You can sign in with it now.";
  },
  async forgot({ email }) {
    await request("POST", "/v1/auth/forgot-password", { body: { email } });
    return "If an account has this address, a mail with a link is on its way.";
  },
};

if (form) {
  const needsToken = form.dataset.action !== "forgot";
  if (needsToken && !token) {
    showErrors("account-errors", new Error("This address is incomplete. Open the link in the mail again."));
  } else {
    form.hidden = false;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    byId("account-errors").replaceChildren();
    button.disabled = true;
    try {
      byId("account-done").textContent = await ACTIONS[form.dataset.action](Object.fromEntries(new FormData(form)));
      form.hidden = true;
      // The link is used: it need not stay in the history.
      if (needsToken) history.replaceState(null, "", location.pathname);
      byId("account-done").focus();
    } catch (error) {
      showErrors("account-errors", error);
    } finally {
      button.disabled = false;
    }
  });
}
