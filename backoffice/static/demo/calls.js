// The list of API calls beside the page: what each click made, newest first.
import { byId, fill, h } from "./dom.js";

const KEPT = 60;

const statusClass = (status) => (status < 300 ? (status === 202 ? "wait" : "good") : status < 500 ? "bad" : "broken");

/** JSON with its names, texts and numbers coloured. */
const coloured = (value) => {
  const text = JSON.stringify(value, null, 2);
  const pieces = [];
  let last = 0;
  for (const match of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?/g)) {
    pieces.push(text.slice(last, match.index));
    const kind = match[2] ? "name" : match[1] ? "text" : "value";
    pieces.push(h("span", { className: `json-${kind}` }, match[1] ?? match[0]), match[2] ?? "");
    last = match.index + match[0].length;
  }
  return [...pieces, text.slice(last)];
};

const body = (title, value) =>
  value === undefined || value === null
    ? null
    : [h("h4", {}, title), h("pre", { tabIndex: 0 }, h("code", {}, coloured(value)))];

/** Leave the middle of ids out: the whole path stands in the title. */
const shortened = (path) =>
  path.replace(/^\/api\/v1/, "").replace(/([0-9a-f]{4})[0-9a-f]{4}-[0-9a-f-]{23}([0-9a-f]{4})/g, "$1…$2");

const entry = (made, isOpen) =>
  h(
    "details",
    { className: "call", open: isOpen },
    h(
      "summary",
      {},
      h("span", { className: `method method-${made.method.toLowerCase()}` }, made.method),
      h("span", { className: "path", title: made.path }, shortened(made.path)),
      h("span", { className: `status status-${statusClass(made.status)}` }, String(made.status)),
      h("span", { className: "took" }, `${made.tookMs} ms`),
    ),
    h(
      "div",
      { className: "bodies" },
      made.key && h("p", { className: "header" }, h("b", {}, "Idempotency-Key "), made.key),
      body("Request", made.sent),
      body("Answer", made.got),
      made.requestId && h("p", { className: "header" }, h("b", {}, "X-Request-ID "), made.requestId),
    ),
  );

/** `"user";r=37;t=800` → the least that is left, in words. */
const quotaText = (header) => {
  const left = Array.from((header ?? "").matchAll(/"(\w+)";r=(\d+);t=(\d+)/g), ([, name, rest, seconds]) => ({
    name,
    rest: Number(rest),
    minutes: Math.ceil(Number(seconds) / 60),
  }));
  if (!left.length) return "";
  const least = left.reduce((found, quota) => (quota.rest < found.rest ? quota : found));
  const kind = least.name === "payment" ? "payment calls" : "calls";
  return `${least.rest} ${kind} left for ${least.minutes} min`;
};

let count = 0;
let group = null;

const add = (made) => {
  const list = byId("calls-list");
  count += 1;
  const isNew = group?.dataset.action !== made.action;
  if (isNew) {
    group = h("section", { className: "call-group", data: { action: made.action } }, h("h3", {}, made.action));
    list.prepend(group);
  }
  // What the click did stays open, not what the page read again afterwards.
  const isOpen = isNew || made.method !== "GET";
  if (isOpen) for (const open of list.querySelectorAll("details[open]")) open.open = false;
  group.querySelector("h3").after(entry(made, isOpen));
  while (list.querySelectorAll("details").length > KEPT) list.lastElementChild.remove();
  const quota = quotaText(made.quota);
  if (quota) byId("calls-quota").textContent = quota;
  fill(
    byId("calls-summary"),
    h("span", { className: `method method-${made.method.toLowerCase()}` }, made.method),
    h("span", { className: "path" }, shortened(made.path)),
    h("span", { className: `status status-${statusClass(made.status)}` }, String(made.status)),
  );
  byId("calls-count").textContent = String(count);
  byId("calls-empty").hidden = true;
};

/** List the calls of a client. */
export const watchCalls = (api) => api.watch(add);

/** Let the list be opened and closed where it has no room of its own. */
export const mountCalls = () => {
  const toggle = byId("calls-toggle");
  toggle.addEventListener("click", () => {
    const isOpen = byId("calls").classList.toggle("is-open");
    toggle.setAttribute("aria-expanded", String(isOpen));
  });
};
