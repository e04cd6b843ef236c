/**
 * The result grid, the example products of the start page, and the placeholders while a search runs.
 *
 * messages.js shows what happens when there are no results.
 */

import { count, element, hiddenText, icon } from "./dom.js";
import { createSearch, urlOf } from "./search-state.js";

const STORES_SHOWN = 2;
const SIZES_SHOWN = 8;
const [MIN_RATIO, MAX_RATIO] = [0.64, 0.84]; // width by height: close enough to the frame's 3:4 to fill it
const EAGER_IMAGES = 4; // the first row, which is visible at once

/** The grid of a search response. `filters` also apply to "More like this". */
export function resultGrid(response, filters) {
  const cards = response.results.map((result, position) => card(result, position, filters));
  return element("ol", { class: "grid" }, ...cards);
}

/** Example products for the start page. Each links to a search for similar products. */
export function exampleGrid(products, filters) {
  const cards = products.map((product) =>
    element(
      "li", {},
      element(
        "a", { href: urlOf(createSearch({ product: productKey(product), filters })), class: "example" },
        picture(product.image_url, "", true),
        hiddenText("More like "), element("span", { class: "title" }, product.title),
        element("span", { class: "muted" }, product.product_metadata.brand_name),
      ),
    ),
  );
  return element("ul", { class: "grid small" }, ...cards);
}

/** Empty cards, which keep the layout stable until the results arrive. */
export function skeletonGrid(number, small = false) {
  const place = () => element("li", {}, element("span", { class: "photo" }), element("span", { class: "lines" }));
  const places = Array.from({ length: number }, place);
  return element("ul", { class: small ? "grid small skeleton" : "grid skeleton", "aria-hidden": "true" }, ...places);
}

/** What was searched instead of the words that were typed, and which were left out; null if nothing was changed. */
export function readAs(response) {
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
export function scoreHelp(response, search) {
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

/** A share from 0 to 1 as a whole percentage. */
function percent(share) {
  return `${Math.round(100 * share)}%`;
}

/** What such scores meant for photos of known garments. */
function measurements(steps) {
  if (!steps.length) return "This model has not been measured.";
  const [first, ...others] = steps.map(({ at_least, same_garment }) => [percent(at_least), percent(same_garment)]);
  const rest = others.map(([score, share]) => `; at ${score} or more, ${share}`).join("");
  return `Measured on photos of known garments: of pairs at ${first[0]} or more, ${first[1]} show the same one${rest}.`;
}

/** A price with its currency, in the format of the browser's language. */
export function formatPrice(amount, currency) {
  if (amount === null || amount === undefined) return "Price unknown";
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
  } catch { // no currency, or not three letters
    return [amount, currency].filter(Boolean).join(" ");
  }
}

/** What identifies a product in a search for similar ones. */
export function productKey(product) {
  return { id: product.external_id, brand: product.product_metadata.brand };
}

function card(result, position, filters) {
  const { product } = result;
  const metadata = product.product_metadata;
  const name = `${product.title}, ${metadata.brand_name}`;
  return element(
    "li", {},
    element(
      "article", { "aria-label": name },
      element("a", { class: "photo-link", href: result.photo_url, target: "_blank", rel: "noopener noreferrer" },
        picture(result.photo_url, `Photo of ${product.title}`, position < EAGER_IMAGES),
        hiddenText(", full size, in a new tab")),
      result.score !== null && score(result.score),
      element("h3", { class: "title" }, product.title),
      element("p", { class: "muted" }, [metadata.brand_name, metadata.colour].filter(Boolean).join(", ")),
      element("p", { class: "price" }, formatPrice(product.price, product.currency)),
      result.missing.length > 0 && element("p", { class: "muted" }, `Without: ${result.missing.join(", ")}`),
      metadata.active === false && element("p", { class: "muted" }, "No longer on sale"),
      stock(result.in_stock),
      element("a", { class: "button more-like-this",
        href: urlOf(createSearch({ product: productKey(product), filters })),
        "aria-label": `More like this: ${product.title}` }, "More like this"),
    ),
  );
}

function picture(url, alt, eager) {
  const image = element("img", {
    src: url, alt, width: 300, height: 400, decoding: "async", loading: eager ? "eager" : "lazy",
    referrerpolicy: "no-referrer",
  });
  const frame = element("span", { class: "photo" }, image);
  image.addEventListener("load", () => {
    const ratio = image.naturalWidth / image.naturalHeight;
    frame.classList.add("loaded");
    frame.classList.toggle("cover", ratio > MIN_RATIO && ratio < MAX_RATIO);
  }, { once: true });
  image.addEventListener("error", () => {
    frame.classList.add("failed");
    frame.replaceChildren(icon("M4 5h16v14H4zM4 16l5-4 3 2.5M14 14l2-2 4 4"), hiddenText(alt),
      element("span", {}, "Photo not available"));
  }, { once: true });
  return frame;
}

function score(cosine) {
  const similarity = percent(Math.max(0, Math.min(1, cosine)));
  const value = element("span", {});
  value.style.inlineSize = similarity; // through the DOM: the content security policy forbids style attributes
  return element("p", { class: "score", title: "Similarity of this photo to your query, according to the model" },
    element("span", { class: "bar", "aria-hidden": "true" }, value), hiddenText("Similarity "), similarity);
}

function stock(stores) {
  if (!stores?.length) return element("p", { class: "stock muted" }, "Not in stock at any known store");
  const [shown, hidden] = [stores.slice(0, STORES_SHOWN), stores.slice(STORES_SHOWN)];
  return element(
    "div", { class: "stock" },
    element("p", {}, `In stock at ${count(stores.length, "store")}`),
    element("ul", {}, ...shown.map(storeLine)),
    hidden.length > 0 && element("details", {}, element("summary", {}, `and ${hidden.length} more`),
      element("ul", {}, ...hidden.map(storeLine))),
  );
}

function storeLine({ name, store_id, sizes }) {
  const text = sizes.slice(0, SIZES_SHOWN).join(", ") + (sizes.length > SIZES_SHOWN ? ", …" : "");
  return element("li", {}, name || `Store ${store_id}`, text && element("span", { class: "sizes" }, text));
}
