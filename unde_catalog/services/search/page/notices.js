/**
 * What stands in the place of results when there are none: nothing found, what went wrong, and what to do about it.
 *
 * What went wrong is the API's sentence, in api.js.
 */

import { element } from "./dom.js";

/** Nothing passes, or nothing is like it. */
export function nothing(filtered, clear) {
  return notice(
    "Nothing found",
    filtered ? "No product passes all of the filters." : "The index has no photo to compare with yet.",
    filtered && button("Clear filters", clear),
  );
}

/** Something that the person can mend by another photo or other words; `back` shows what was there before. */
export function hint(title, sentence, back = null) {
  return notice(title, sentence, back && button("Go back", back));
}

/** A failure, with the request's id for whoever looks into it, and a way on. */
export function failure(problem, { again, start, unlock }) {
  if (problem.status === 401) return locked(problem, unlock);
  if (problem.status === 429) return countdown(problem, again);
  const offline = problem.code === "offline";
  const title = offline ? "No connection" : problem.passes ? "The search failed" : "This can't be searched";
  const sentence = offline
    ? `${problem.message} ${navigator.onLine ? "It may be starting, or down." : "This device is offline."}`
    : problem.message;
  const on = problem.passes ? button("Try again", again) : button("Start again", start);
  return notice(title, sentence, trace(problem), on);
}

function countdown(problem, again) {
  let left = problem.retryAfter ?? 10;
  const clock = element("span", { "aria-hidden": "true" }, String(left)); // said once, not every second
  const line = element("p", {}, "The search goes on by itself in ", clock, " s.");
  const shown = notice("Too many searches", problem.message, line, trace(problem), button("Try now", again));
  const timer = setInterval(() => {
    if (!shown.isConnected) return clearInterval(timer); // another search has taken its place
    left -= 1;
    clock.textContent = String(left);
    if (left > 0) return;
    clearInterval(timer);
    again();
  }, 1000);
  return shown;
}

function locked(problem, unlock) {
  const key = element("input", { id: "key", type: "password", autocomplete: "off", required: true, maxlength: 200 });
  const form = element("form", { class: "key" }, element("label", { for: "key" }, "API key"), key,
    element("button", { type: "submit" }, "Go on"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    unlock(key.value.trim());
  });
  return notice("This catalogue asks for a key", problem.message, form,
    element("p", { class: "quiet" }, "It is kept for this tab alone, until that is closed."), trace(problem));
}

function trace(problem) {
  const id = element("code", {}, problem.requestId ?? "");
  return problem.requestId && element("p", { class: "quiet trace" }, "Request ", id);
}

function button(words, act) {
  const made = element("button", { type: "button" }, words);
  made.addEventListener("click", () => act());
  return made;
}

function notice(title, sentence, ...more) {
  const heading = element("h2", { id: "found", tabindex: -1 }, title);
  return element("div", { class: "notice" }, heading, element("p", {}, sentence), ...more);
}
