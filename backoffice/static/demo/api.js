// The client of the API: one call, its answer, and everybody who wants to watch.

const SECRETS = new Set(["password", "number", "cvc", "access", "refresh", "client_secret", "card_number"]);
const LONGEST_TEXT = 160;

/** An answer that isn't a success; `problem` is the RFC 9457 body. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `Status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** A key for one intended effect; `randomUUID` is there in secure contexts alone. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What may be shown of a body: no secret, and no text longer than a screen. */
export const shownBody = (value, name = "") => {
  if (typeof value === "string") {
    if (SECRETS.has(name)) return name.includes("number") ? `•••• ${value.slice(-4)}` : "••••••";
    return value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}… (${value.length} characters)` : value;
  }
  if (Array.isArray(value)) return value.map((item) => shownBody(item));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shownBody(inner, key)]));
  }
  return value;
};

export class Api {
  #watchers = [];
  #tokens = null;
  #action = "";

  watch(watcher) {
    this.#watchers.push(watcher);
  }

  /** Name what the person did; the calls that follow belong to it. */
  during(action) {
    this.#action = action;
  }

  get isLoggedIn() {
    return this.#tokens !== null;
  }

  async logIn(email, password) {
    this.#tokens = null;
    this.#tokens = await this.call("POST", "/api/v1/auth/token", { email, password });
  }

  async logOut() {
    const { refresh } = this.#tokens;
    this.#tokens = null;
    await this.call("POST", "/api/v1/auth/logout", { refresh });
  }

  get(path) {
    return this.call("GET", `/api/v1${path}`);
  }

  /** POST with a key of its own: sent again after a failure of the network, it can't happen twice. */
  post(path, body) {
    return this.call("POST", `/api/v1${path}`, body, newKey());
  }

  put(path, body) {
    return this.call("PUT", `/api/v1${path}`, body, newKey());
  }

  delete(path) {
    return this.call("DELETE", `/api/v1${path}`, undefined, newKey());
  }

  /** Make one call. Throws Refused for an answer that isn't a success. */
  async call(method, path, body, key, isSecondTry = false) {
    const headers = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    if (this.#tokens) headers.Authorization = `Bearer ${this.#tokens.access}`;
    const began = performance.now();
    const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : null;
    const made = {
      action: this.#action,
      method,
      path,
      key,
      status: response.status,
      tookMs: Math.round(performance.now() - began),
      sent: shownBody(body),
      got: shownBody(answer),
      quota: response.headers.get("RateLimit"),
      requestId: response.headers.get("X-Request-ID"),
    };
    for (const watcher of this.#watchers) watcher(made);
    if (response.ok) return answer;
    if (answer?.code === "token_expired" && !isSecondTry) {
      this.#tokens = await this.call("POST", "/api/v1/auth/token/refresh", { refresh: this.#tokens.refresh }, undefined, true);
      return this.call(method, path, body, key, true);
    }
    throw new Refused(response.status, answer ?? {});
  }
}
