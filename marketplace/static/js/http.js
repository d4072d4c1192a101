// The REST API from a page: session cookie, CSRF header, and the error envelope as an exception.

export class ApiError extends Error {
  /** status 0: the server could not be reached. */
  constructor(status, { code = "", message = "", fields = {} } = {}, retryAfter = 0) {
    super(message || sentence(status));
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.retryAfter = retryAfter;
  }
}

export function sentence(status) {
  if (status === 0) return "The server could not be reached. Nothing was changed; try again when you are online.";
  if (status === 401 || status === 403) return "You are logged out. Log in again and repeat this step.";
  if (status === 404) return "This is not there any more. Reload the page to see what is.";
  if (status === 413) return "This file is too large.";
  if (status === 429) return "Too many requests at once. Wait a moment and try again.";
  if (status >= 500) return "The server failed at this. Nothing was changed; try again in a moment.";
  return `The server refused this (status ${status}).`;
}

export function csrf() {
  return JSON.parse(document.body.getAttribute("hx-headers") || "{}")["X-CSRFToken"] || "";
}

/** The envelope of an answer's text, or {} when it isn't one. */
export function envelope(text) {
  try {
    return JSON.parse(text).error ?? {};
  } catch {
    return {};
  }
}

/** Send a request. Answers the Response when it went well; throws ApiError otherwise, AbortError as it is. */
export async function request(path, { method = "GET", json, form, headers = {}, signal, accept } = {}) {
  const all = { Accept: accept ?? "application/json", ...headers };
  if (method !== "GET") all["X-CSRFToken"] = csrf();
  if (json !== undefined) all["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: all,
      signal,
      body: json === undefined ? form : JSON.stringify(json),
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0);
  }
  if (response.ok) return response;
  throw new ApiError(response.status, envelope(await response.text()), Number(response.headers.get("Retry-After")) || 0);
}

/** The parsed JSON of a request (null for an empty answer). */
export async function api(path, options) {
  const text = await (await request(path, options)).text();
  return text ? JSON.parse(text) : null;
}
