// Speaks to the service. The access token lives as long as the browser's tab.

const TOKEN = "eventimport.token";
const EMAIL = "eventimport.email";

export class ApiError extends Error {
  constructor(status, problems) {
    super(problems.map((told) => told.detail).join(" "));
    this.status = status;
    this.problems = problems;
  }
}

export function account() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { token, email: sessionStorage.getItem(EMAIL) } : null;
}

export function forgetAccount() {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(EMAIL);
}

export function authorization() {
  const signedIn = account();
  return signedIn ? { Authorization: `Bearer ${signedIn.token}` } : {};
}

export function problemsOf(status, text) {
  try {
    const { errors } = JSON.parse(text);
    if (errors?.length) return errors;
  } catch {
    // Not ours: a proxy's, perhaps.
  }
  return [{ detail: `The service answered with status ${status}.` }];
}

export async function request(method, path, { body, signal } = {}) {
  const headers = { Accept: "application/json, application/vnd.api+json", ...authorization() };
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, [{ detail: "The service cannot be reached." }]);
  }
  if (!response.ok) throw new ApiError(response.status, problemsOf(response.status, await response.text()));
  return response.status === 204 ? null : response.json();
}

export async function signIn(email, password) {
  const { access_token: token } = await request("POST", "/v1/auth/session", { body: { email, password } });
  sessionStorage.setItem(TOKEN, token);
  sessionStorage.setItem(EMAIL, email);
}

export async function signUp(email, password) {
  await request("POST", "/v1/users", { body: { email, password } });
}

// Publishes an event; `confirmed` even if its source says that it is private or a draft. Gives back
// what its public page leaves out.
export async function publish(path, confirmed) {
  const { meta } = await request("POST", confirmed ? `${path}?confirm=true` : path);
  return meta;
}

// Where an event can be looked at, drafts included.
export async function previewUrl(identifier) {
  const { url } = await request("POST", `/v1/events/${encodeURIComponent(identifier)}/preview`);
  return url;
}
