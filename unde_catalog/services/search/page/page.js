/**
 * The search page: a photo, words or a product come in, the API is asked, and what it says is shown.
 *
 * How each part looks is in the modules; an address is the whole memory, so Back is one more search.
 */

import {
  FIRST_TOP, TOPS, addressOf, asks, everything, filtersSet, go, keepPhoto, ofAddress, photoOf, present, search,
} from "./address.js";
import { Problem, askFilters, askProducts, askSearch, useKey } from "./api.js";
import { byId, count, element } from "./dom.js";
import { FilterForm } from "./filters.js";
import { introduce, nameOf, showGiven } from "./given.js";
import { failure, hint, nothing } from "./notices.js";
import { shrunk, watchPhotos } from "./photo.js";
import { examples, grid, likeOf, meaning, skeletons } from "./results.js";

const EXAMPLES = 8;
const ANSWERS_KEPT = 20;
const results = byId("results");
const words = byId("words");
const answers = new Map(); // of searches in this page's history, so that Back is instant
let wanted = search(); // what is shown
let asking = new AbortController();
let turn = 0; // counts what a person began: a photo that is being shrunk may come too late
let offline = false;

const filterForm = new FilterForm((filters) => begin({ ...wanted, filters, top: FIRST_TOP }));

/** A search that a person began. */
async function begin(next, { focus = false } = {}) {
  turn += 1;
  filterForm.forget();
  go(next);
  await show(next, { focus });
}

/** Search, and show what comes of it; an answer at hand is shown as it was, at its place. */
async function show(next, { focus = false, scroll = null } = {}) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const refined = asks(next) && ["words", "photo", "like"].every((by) => same(next[by], wanted[by]));
  wanted = next;
  offline = false;
  words.value = next.words;
  document.body.dataset.state = asks(next) ? "search" : "start";
  if (asks(next)) filterForm.unfold();
  document.title = asks(next) ? `${nameOf(next)}, visual search` : "Visual search";
  if (!refined) unlessReplaced(showGiven(next, signal, takeAway));
  if (next.photo && !photoOf(next)) {
    return fill(hint("That photo is no longer here", "A photo is not part of an address. Choose or drop it again."));
  }
  const kept = scroll === null ? null : answers.get(keyOf(next));
  if (kept) {
    showAnswer(kept, next);
    return scrollTo(0, scroll);
  }
  wait(refined, asks(next));
  try {
    const answer = asks(next) ? await askSearch(next, photoOf(next), signal) : await someProducts(next, signal);
    keep(keyOf(next), answer);
    showAnswer(answer, next);
    if (scroll !== null) scrollTo(0, scroll);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (!(problem instanceof Problem)) throw problem;
    offline = problem.code === "offline";
    fill(failure(problem, { again: () => begin(next), start: () => begin(search()), unlock }));
    say(`${byId("found").textContent}. ${problem.message}`);
  }
  if (focus) byId("found").focus({ preventScroll: true });
}

async function someProducts(next, signal) {
  const products = await askProducts(next.filters, 3 * EXAMPLES, signal);
  const pictured = products.filter(({ image_url: url }) => url.startsWith("/images/") && url !== "/images/none.svg");
  return { products: mixed(pictured.length ? pictured : products).slice(0, EXAMPLES) };
}

// One of each brand after the other: the catalogue's own order has them in a row.
function mixed(products) {
  const rank = new Map();
  const ranked = products.map((product) => {
    const brand = product.product_metadata.brand;
    rank.set(brand, (rank.get(brand) ?? 0) + 1);
    return [rank.get(brand), product];
  });
  return ranked.sort(([one], [other]) => one - other).map(([, product]) => product);
}

function showAnswer(answer, next) {
  if (answer.products) return showExamples(answer.products, next);
  if (!answer.results.length) {
    fill(nothing(filtersSet(next.filters) > 0, clearFilters));
    return say("Nothing found.");
  }
  for (const { product, photo_url: image } of answer.results) introduce(likeOf(product), product.title, image);
  const number = answer.results.length;
  const preposition = next.words ? "for" : "like";
  const took = element("p", { class: "quiet" }, `in ${Math.round(answer.took_ms.total)} ms`);
  fill(
    element("div", { class: "head" }, heading(`${count(number, "product")} ${preposition} ${nameOf(next)}`), took,
      meaning(answer, next)),
    grid(answer, next.filters),
    more(answer, next),
  );
  if (offered && answer.model !== offered.model) loadOffered(); // the index has changed to another model
  say(count(number, "result"));
}

function showExamples(products, next) {
  if (!products.length) {
    const filtered = filtersSet(next.filters) > 0;
    const empty = hint("The catalogue is empty", "There is nothing to search yet.");
    return fill(filtered ? nothing(true, clearFilters) : empty);
  }
  for (const product of products) introduce(likeOf(product), product.title, product.image_url);
  fill(heading("Or try one of these"), examples(products, next.filters));
}

function more(answer, next) {
  const top = TOPS.find((one) => one > next.top);
  if (!top || answer.results.length < next.top) return null;
  const button = element("button", { type: "button", class: "further" }, "Show more");
  button.addEventListener("click", async () => {
    await begin({ ...next, top });
    results.querySelectorAll(".grid a.large")[answer.results.length]?.focus();
  });
  return button;
}

function wait(refined, searched) {
  results.setAttribute("aria-busy", "true");
  if (refined && results.querySelector(".grid:not(.skeleton)")) return; // what is there stays, dimmed
  const title = searched ? "Searching…" : "Or try one of these";
  results.replaceChildren(heading(title), skeletons(EXAMPLES, !searched));
  if (searched) scrollTo(0, 0);
}

function fill(...parts) {
  results.removeAttribute("aria-busy");
  results.replaceChildren(...parts.filter(Boolean));
}

function heading(title) {
  return element("h2", { id: "found", tabindex: -1 }, title);
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

function say(sentence) {
  byId("said").textContent = sentence;
}

function keyOf(search) {
  return `${addressOf(search)} ${search.photo ?? ""}`;
}

function keep(key, answer) {
  answers.delete(key);
  answers.set(key, answer);
  if (answers.size > ANSWERS_KEPT) answers.delete(answers.keys().next().value);
}

function takeAway() {
  begin(search({ filters: wanted.filters }));
  focusField();
}

function clearFilters() {
  filterForm.show(everything());
  begin({ ...wanted, filters: everything(), top: FIRST_TOP }, { focus: true });
}

function unlock(key) {
  useKey(key);
  loadOffered();
  begin(wanted);
}

function focusField() {
  (words.hidden ? byId("choose") : words).focus();
}

let offered = null; // what the catalogue has to choose from, and the model that answers

async function loadOffered() {
  const first = offered === null;
  offered = await askFilters();
  const wordless = !offered.answers_words;
  for (const part of [words, byId("go")]) part.hidden = wordless;
  document.body.classList.toggle("wordless", wordless);
  byId("wordless").hidden = !wordless;
  byId("wordless").textContent = offered.model
    ? `Search by photo: the model in use, ${offered.model}, has no words. Words need CLIP.`
    : "Nothing can be found yet: no photo of the catalogue is in the index.";
  const photos = offered.photos === null ? "" : `, ${count(offered.photos, "photo")}`;
  byId("model").textContent = offered.model ? `Answered by ${offered.model}${photos}` : "The index is empty";
  if (first) filterForm.offer(offered);
}

// Where only the page's trimmings fail, the search says itself what is wrong.
function unlessReplaced(promise) {
  promise.catch((error) => {
    if (error.name !== "AbortError" && !(error instanceof Problem)) throw error;
  });
}

async function searchByPhoto(photo) {
  turn += 1;
  const mine = turn;
  say("Photo received.");
  const small = await shrunk(photo);
  const id = await keepPhoto(small);
  if (mine === turn) await begin(search({ photo: id, filters: filterForm.read() }), { focus: true });
}

watchPhotos({
  inputs: [byId("choose"), byId("take")],
  overlay: byId("drop"),
  found: searchByPhoto,
  refused: (sentence) => {
    asking.abort();
    fill(hint("That is no photo", sentence, () => show(wanted, { scroll: 0 })));
    say(sentence);
  },
});

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = words.value.trim();
  if (asked && !words.hidden) begin(search({ words: asked, filters: filterForm.read() }));
});

// Links that stay on this page: a search more, without loading it anew. Another tab or window is the browser's affair.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.more, a.example, #home");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const next = ofAddress(link.href);
  if (link.id === "home") filterForm.show(everything());
  begin(next, { focus: true });
  scrollTo(0, 0);
});

// Not by its address: that would be an entry of the history without the photo.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  results.focus();
  results.scrollIntoView();
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input:not([type=checkbox], [type=file]), select, textarea");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    focusField();
  } else if (event.key === "Escape" && !event.target.matches("select")) {
    if (!asks(wanted) && !words.value) filterForm.show(everything());
    words.value = "";
    begin(search({ filters: filterForm.read() }));
    focusField();
  }
});

addEventListener("popstate", () => {
  turn += 1;
  filterForm.forget();
  const next = present();
  filterForm.show(next.filters);
  show(next, { scroll: history.state?.scroll ?? 0 });
});
addEventListener("online", () => offline && show(wanted));

history.scrollRestoration = "manual";
filterForm.show(present().filters);
unlessReplaced(loadOffered());
show(present());
