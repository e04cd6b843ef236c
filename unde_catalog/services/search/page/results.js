/**
 * The result grid, the example products of the start page, and the placeholders while a search runs.
 *
 * messages.js shows what happens when there are no results.
 */

import { byId, count, element, hiddenText, icon, percent } from "./dom.js";
import { createSearch, urlOf } from "./search-state.js";

const STORES_SHOWN = 2;
const SIZES_SHOWN = 8;
const [MIN_RATIO, MAX_RATIO] = [0.64, 0.84]; // width by height: close enough to the frame's 3:4 to fill it
const EAGER_IMAGES = 4; // the first row, which is visible at once

/** The grid of results. `filters` also apply to "More like this". */
export function resultGrid(results, filters) {
  const cards = results.map((result, position) => card(result, position, filters));
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
      articleNumber(metadata.reference ?? product.external_id),
      stock(result.in_stock),
      element("p", { class: "actions" },
        element("a", { class: "button more-like-this",
          href: urlOf(createSearch({ product: productKey(product), filters })),
          "aria-label": `More like this: ${product.title}` }, "More like this"),
        metadata.product_url && element("a", { href: metadata.product_url, target: "_blank",
          rel: "noopener noreferrer", "aria-label": `See at ${metadata.brand_name}: ${product.title}, in a new tab` },
        `See at ${metadata.brand_name}`)),
    ),
  );
}

function articleNumber(number) {
  return element("p", { class: "article-number muted" }, `Article ${number}`, copyButton(number));
}

// Browsers have no clipboard on pages without HTTPS.
function copyButton(number) {
  if (!navigator.clipboard) return null;
  const button = element("button", { type: "button", class: "text-button copy",
    "aria-label": `Copy article number ${number}` }, icon("M9 9h11v11H9zM15 9V4H4v11h5"));
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(number);
      button.replaceChildren(icon("m5 12.5 4.5 4.5L19 7.5"));
      byId("status").textContent = "Article number copied.";
    } catch { // the user or a policy has not allowed it
      byId("status").textContent = "This browser does not allow copying.";
    }
  });
  return button;
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
