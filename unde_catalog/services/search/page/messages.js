/**
 * Messages in place of results: no results, hints and errors, with a button for the next step.
 *
 * api.js defines a `Problem`.
 */

import { element } from "./dom.js";
import { isHeic } from "./photo-input.js";

const HEIC_ADVICE = "This search can't read HEIC, the format of iPhone photos. Open this page in Safari on the iPhone, "
  + "which converts the photo, or choose a screenshot of it.";

/** No product matches. */
export function noResults(search, isFiltered, clearFilters) {
  const reason = search.text ? "No product has these words. Try others, or a photo."
    : "The index does not contain any photos yet.";
  return message(
    "No results",
    isFiltered ? "No product matches all filters." : reason,
    isFiltered && button("Clear filters", clearFilters),
  );
}

/** Something that the user can correct. `goBack` shows the previous results. */
export function hint(title, text, goBack = null) {
  return message(title, text, goBack && button("Go back", goBack));
}

/** A failed request, with its id for the operators. `photo`: the file, if the search was by photo. */
export function failure(problem, photo, { retry, startOver, submitKey }) {
  if (problem.status === 401) return keyForm(problem, submitKey);
  if (problem.status === 429) return countdown(problem, retry);
  const offline = problem.code === "offline";
  const title = offline ? "No connection" : problem.isTemporary ? "The search failed" : "This search is not possible";
  const text = offline
    ? `${problem.message} ${navigator.onLine ? "It may be starting, or down." : "This device is offline."}`
    : problem.code === "unsupported_format" && photo && isHeic(photo) ? HEIC_ADVICE : problem.message;
  const action = problem.isTemporary ? button("Try again", retry) : button("Start over", startOver);
  return message(title, text, requestId(problem), action);
}

function countdown(problem, retry) {
  let seconds = problem.retryAfter ?? 10;
  const counter = element("span", { "aria-hidden": "true" }, String(seconds)); // not announced every second
  const line = element("p", {}, "The search retries automatically in ", counter, " s.");
  const shown = message("Too many searches", problem.message, line, requestId(problem), button("Try now", retry));
  const timer = setInterval(() => {
    if (!shown.isConnected) return clearInterval(timer); // another search has replaced the message
    seconds -= 1;
    counter.textContent = String(seconds);
    if (seconds > 0) return;
    clearInterval(timer);
    retry();
  }, 1000);
  return shown;
}

function keyForm(problem, submitKey) {
  const key = element("input", { id: "key", type: "password", autocomplete: "off", required: true, maxlength: 200 });
  const form = element("form", { class: "key-form" }, element("label", { for: "key" }, "API key"), key,
    element("button", { type: "submit" }, "Continue"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submitKey(key.value.trim());
  });
  return message("API key required", problem.message, form,
    element("p", { class: "muted" }, "The key stays in this tab until you close it."), requestId(problem));
}

function requestId(problem) {
  const id = element("code", {}, problem.requestId ?? "");
  return problem.requestId && element("p", { class: "muted request-id" }, "Request ", id);
}

function button(label, onClick) {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", () => onClick());
  return made;
}

function message(title, text, ...children) {
  const heading = element("h2", { id: "results-heading", tabindex: -1 }, title);
  return element("div", { class: "message" }, heading, element("p", {}, text), ...children);
}
