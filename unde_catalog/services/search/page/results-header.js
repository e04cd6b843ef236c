/**
 * The line above the results: how many there are, their order, how the query was read and what the percentages mean.
 *
 * results.js shows the results.
 */

import { count, element, percent } from "./dom.js";
import { describeQuery } from "./preview.js";

const MAX_TOTAL = 20_000; // the API counts no further
const ORDERS = [["", "Relevance"], ["price", "Price: low to high"], ["-price", "Price: high to low"]];

/** The header of a response. `onSort(order)` is called when the user chooses another order. */
export function resultsHeader(response, search, onSort) {
  return element("div", { class: "results-header" },
    element("h2", { id: "results-heading", tabindex: -1 }, found(response, search)),
    readAs(response), scoreHelp(response, search), sortControl(response, search, onSort));
}

/** The results in the order of the search. Products without a price are last. */
export function sortResults(results, order) {
  if (!order) return results;
  const sign = order === "price" ? 1 : -1;
  const price = ({ product }) => (product.price === null ? Infinity : sign * Number(product.price));
  return results.toSorted((a, b) => (price(a) === price(b) ? 0 : price(a) - price(b)));
}

/** Whether more products match than are shown. */
function isPartial(response, search) {
  return response.total > response.results.length || response.results.length >= search.limit;
}

// Only the products on the page are sorted: by price, the best match of a large catalogue would be anywhere.
function sortControl(response, search, onSort) {
  const options = ORDERS.map(([value, label]) => element("option", { value }, label));
  const select = element("select", { id: "sort" }, ...options);
  select.value = search.sort;
  select.addEventListener("change", () => onSort(select.value));
  const scope = `Sorted among the ${response.results.length} products shown.`;
  return element("p", { class: "sort" }, element("label", { for: "sort" }, "Sort by"), select,
    search.sort && isPartial(response, search) && element("span", { class: "muted" }, scope));
}

/** How many products were found. Of a text, those that have all of its words. */
function found(response, search) {
  if (!search.text) return `${count(response.results.length, "product")} similar to ${describeQuery(search)}`;
  const { results: { length: number }, total } = response;
  const more = total >= MAX_TOTAL ? "at least " : "";
  const products = total > number ? `${number} of ${more}${count(total, "product")}` : count(number, "product");
  return `${products} for “${response.searched_for ?? search.text}”`;
}

/** What was searched instead of the words that were typed, and which were left out; null if nothing was changed. */
function readAs(response) {
  const corrected = response.read_as.filter((term) => term.instead_of);
  const lines = [];
  if (corrected.length) {
    const changes = corrected.map((term) => `“${term.text}” instead of “${term.instead_of}”`);
    lines.push(`Showing results for ${changes.join(" and ")}.`);
  }
  if (response.results.length && response.total === 0 && response.read_as.length > 1) {
    lines.push("No product has all of these words. These have some of them.");
  }
  return lines.length > 0 && element("p", { class: "read-as" }, lines.join(" "));
}

/** An explanation of the scores of a response; null if it has none. */
function scoreHelp(response, search) {
  if (response.results.every((result) => result.score === null)) return null;
  const meaning = search.text
    ? "The percentage says how well a photo matches your text, according to the model. "
      + "Compare the percentages with each other, not with 100%."
    : "The percentage says how similar two photos are, according to the model. 100% is the same photo, 0% means that "
      + `they have nothing in common. ${measurements(response.score_meaning)}`;
  const ranking = "Products are ranked by their best photo. Percentages of different models are not comparable.";
  const model = `The model of this search is ${response.model}.`;
  return element("details", { class: "score-help" }, element("summary", {}, "What the percentage means"),
    element("p", {}, `${meaning} ${ranking} ${model}`));
}

/** What such scores meant for photos of known garments. */
function measurements(steps) {
  if (!steps.length) return "This model has not been measured.";
  const [first, ...others] = steps.map(({ at_least, same_garment }) => [percent(at_least), percent(same_garment)]);
  const rest = others.map(([score, share]) => `; at ${score} or more, ${share}`).join("");
  return `Measured on photos of known garments: of pairs at ${first[0]} or more, ${first[1]} show the same one${rest}.`;
}
