/**
 * The search page: takes a photo, a text or a product, calls the API and shows the response.
 *
 * The other modules render the parts. The URL holds the whole state, so Back simply runs another search.
 */

import { Problem, fetchFilters, fetchProducts, fetchResults, setApiKey } from "./api.js";
import { byId, count, element } from "./dom.js";
import { FilterForm } from "./filters.js";
import { failure, hint, noResults } from "./messages.js";
import { reducePhoto, watchPhotos } from "./photo-input.js";
import { describeQuery, rememberProduct, showPreview } from "./preview.js";
import { resultsHeader, sortResults } from "./results-header.js";
import { exampleGrid, productKey, resultGrid, skeletonGrid } from "./results.js";
import {
  DEFAULT_LIMIT, LIMITS, addPhoto, countFilters, createSearch, currentSearch, hasQuery, noFilters, parseUrl, photoOf,
  pushSearch, urlOf,
} from "./search-state.js";

const EXAMPLES = 8;
const MAX_CACHED = 20;
const results = byId("results");
const textInput = byId("text");
const responses = new Map(); // recent responses by search, so that Back is instant
let shown = createSearch();
let pending = new AbortController();
let actions = 0; // counts the user's actions, so that a photo that took long to reduce does not replace a newer search
let offline = false;

const filterForm = new FilterForm((filters) => start({ ...shown, filters, limit: DEFAULT_LIMIT }));

/** Start a search and add it to the history. */
async function start(search, { focus = false } = {}) {
  actions += 1;
  filterForm.cancel();
  pushSearch(search);
  await show(search, { focus });
}

/** Run a search and show the response. With `scroll`, use a cached response and restore the scroll position. */
async function show(search, { focus = false, scroll = null } = {}) {
  pending.abort();
  pending = new AbortController();
  const { signal } = pending;
  const sameQuery = hasQuery(search) && ["text", "photo", "product"].every((key) => equal(search[key], shown[key]));
  shown = search;
  offline = false;
  textInput.value = search.text;
  document.body.dataset.state = hasQuery(search) ? "search" : "start";
  if (hasQuery(search)) filterForm.expand();
  document.title = hasQuery(search) ? `${describeQuery(search)}, visual search` : "Visual search";
  const preview = sameQuery ? null : showPreview(search, signal, removeQuery);
  if (preview) ignoreProblems(preview);
  else byId("preview").hidden = !byId("preview").childElementCount; // a rejected file may have hidden it
  if (search.photo && !photoOf(search)) {
    return fill(hint("This photo is no longer available", "The URL does not contain the photo. Choose it again."));
  }
  const cached = scroll === null ? null : responses.get(cacheKey(search));
  if (cached) {
    showResponse(cached, search);
    return scrollTo(0, scroll);
  }
  showLoading(sameQuery, hasQuery(search));
  try {
    const response = hasQuery(search)
      ? await fetchResults(search, photoOf(search), signal)
      : await fetchExamples(search, signal);
    await preview; // the heading has the product's title
    cache(cacheKey(search), response);
    showResponse(response, search);
    if (scroll !== null) scrollTo(0, scroll);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (!(problem instanceof Problem)) throw problem;
    offline = problem.code === "offline";
    fill(failure(problem, photoOf(search), { retry: () => start(search), startOver: () => start(createSearch()), submitKey }));
    announce(`${byId("results-heading").textContent}. ${results.querySelector("p").textContent}`);
  }
  if (focus) byId("results-heading").focus({ preventScroll: true });
}

async function fetchExamples(search, signal) {
  const products = await fetchProducts(search.filters, 3 * EXAMPLES, signal);
  const isOwn = (url) => url.includes("/images/") && !url.endsWith("/images/none.svg");
  const withPhoto = products.filter(({ image_url: url }) => isOwn(url));
  return { products: alternateBrands(withPhoto.length ? withPhoto : products).slice(0, EXAMPLES) };
}

// The first product of each brand, then the second of each: the API lists the products of a brand together.
function alternateBrands(products) {
  const counts = new Map();
  const ranked = products.map((product) => {
    const brand = product.product_metadata.brand;
    counts.set(brand, (counts.get(brand) ?? 0) + 1);
    return [counts.get(brand), product];
  });
  return ranked.sort(([a], [b]) => a - b).map(([, product]) => product);
}

function showResponse(response, search) {
  if (response.products) return showExamples(response.products, search);
  if (!response.results.length) {
    fill(noResults(search, countFilters(search.filters) > 0, clearFilters));
    return announce("No results.");
  }
  for (const { product, photo_url: image } of response.results) {
    rememberProduct(productKey(product), product.title, image);
  }
  const number = response.results.length;
  fill(
    resultsHeader(response, search, (order) => sort(response, order)),
    resultGrid(sortResults(response.results, search.sort), search.filters),
    showMoreButton(response, search),
  );
  if (options && response.model !== options.model) loadOptions(); // the index has switched to another model
  announce(count(number, "result") + (search.sort ? ", sorted by price" : ""));
}

function sort(response, order) {
  actions += 1;
  shown = { ...shown, sort: order };
  pushSearch(shown);
  cache(cacheKey(shown), response);
  showResponse(response, shown);
  byId("sort").focus();
}

function showExamples(products, search) {
  if (!products.length) {
    const filtered = countFilters(search.filters) > 0;
    const empty = hint("The catalogue is empty", "There is nothing to search yet.");
    return fill(filtered ? noResults(search, true, clearFilters) : empty);
  }
  for (const product of products) rememberProduct(productKey(product), product.title, product.image_url);
  fill(heading("Or try one of these"), exampleGrid(products, search.filters));
}

function showMoreButton(response, search) {
  const limit = LIMITS.find((value) => value > search.limit);
  if (!limit || response.results.length < search.limit) return null;
  const button = element("button", { type: "button", class: "show-more" }, "Show more");
  button.addEventListener("click", async () => {
    await start({ ...search, limit });
    results.querySelectorAll(".grid a.photo-link")[response.results.length]?.focus();
  });
  return button;
}

function showLoading(sameQuery, isSearch) {
  results.setAttribute("aria-busy", "true");
  if (sameQuery && results.querySelector(".grid:not(.skeleton)")) return; // the old results stay visible, dimmed
  const title = isSearch ? "Searching…" : "Or try one of these";
  results.replaceChildren(heading(title), skeletonGrid(EXAMPLES, !isSearch));
  if (isSearch) scrollTo(0, 0);
}

function fill(...children) {
  results.removeAttribute("aria-busy");
  results.replaceChildren(...children.filter(Boolean));
}

function heading(title) {
  return element("h2", { id: "results-heading", tabindex: -1 }, title);
}

function equal(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

// For screen readers.
function announce(text) {
  byId("status").textContent = text;
}

function cacheKey(search) {
  return `${urlOf(search)} ${search.photo ?? ""}`;
}

function cache(key, response) {
  responses.delete(key);
  responses.set(key, response);
  if (responses.size > MAX_CACHED) responses.delete(responses.keys().next().value);
}

function removeQuery() {
  start(createSearch({ filters: shown.filters }));
  focusInput();
}

function clearFilters() {
  filterForm.show(noFilters());
  start({ ...shown, filters: noFilters(), limit: DEFAULT_LIMIT }, { focus: true });
}

function submitKey(key) {
  setApiKey(key);
  loadOptions();
  start(shown);
}

function focusInput() {
  textInput.focus();
}

let options = null; // the filter values and the model: the response of GET /api/v1/filters

async function loadOptions() {
  const isFirst = options === null;
  options = await fetchFilters();
  const photos = options.photos === null ? "" : ` with ${count(options.photos, "photo")}`;
  byId("model").textContent = options.model
    ? `Search by photo uses the model ${options.model}${photos}.` : "Search by photo is not available: the index is empty.";
  if (isFirst) filterForm.setOptions(options);
}

// For requests beside the search: if they fail, the search itself reports the problem.
function ignoreProblems(promise) {
  promise.catch((error) => {
    if (error.name !== "AbortError" && !(error instanceof Problem)) throw error;
  });
}

async function searchByPhoto(photo) {
  actions += 1;
  const action = actions;
  announce("Photo received.");
  const reduced = await reducePhoto(photo);
  const id = await addPhoto(reduced);
  if (action === actions) await start(createSearch({ photo: id, filters: filterForm.read() }), { focus: true });
}

watchPhotos({
  inputs: [byId("choose-photo"), byId("take-photo")],
  overlay: byId("drop-overlay"),
  onPhoto: searchByPhoto,
  onRejected: (reason) => {
    pending.abort();
    byId("preview").hidden = true; // the message is not about the former photo
    fill(hint("Not a photo", reason, () => show(shown, { scroll: 0 })));
    announce(reason);
  },
});

byId("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = textInput.value.trim();
  if (text) start(createSearch({ text, filters: filterForm.read() }));
});

// Links to this page run a search without a page load. The browser opens them in another tab or window as usual.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.more-like-this, a.example, #home");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.id === "home") filterForm.show(noFilters());
  start(parseUrl(link.href), { focus: true });
  scrollTo(0, 0);
});

// Without following the link: that would add a history entry without the photo.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  results.focus();
  results.scrollIntoView();
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input:not([type=checkbox], [type=file]), select, textarea");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    focusInput();
  } else if (event.key === "Escape" && byId("about").open) {
    byId("about").open = false;
  } else if (event.key === "Escape" && !event.target.matches("select")) {
    if (!hasQuery(shown) && !textInput.value) filterForm.show(noFilters());
    textInput.value = "";
    start(createSearch({ filters: filterForm.read() }));
    focusInput();
  }
});

addEventListener("popstate", () => {
  actions += 1;
  filterForm.cancel();
  const search = currentSearch();
  filterForm.show(search.filters);
  show(search, { scroll: history.state?.scroll ?? 0 });
});
addEventListener("online", () => offline && show(shown));

history.scrollRestoration = "manual";
filterForm.show(currentSearch().filters);
ignoreProblems(loadOptions());
show(currentSearch());
