/**
 * Found products as a grid of pictures, and the place where they will be while they are searched.
 *
 * What is told when there are none is in notices.js.
 */

import { addressOf, search } from "./address.js";
import { count, element, icon, unseen } from "./dom.js";

const SHOPS_SHOWN = 2;
const SIZES_SHOWN = 8;
const [NARROWEST, WIDEST] = [0.64, 0.84]; // width by height: near the frame's 3 by 4, so that it may be filled
const LARGE_FIRST = 4; // pictures that are loaded at once: the first row is in sight

/** A list of found products, as an answer of the API has them; `filters` go on in "more like this". */
export function grid(answer, filters) {
  const cards = answer.results.map((result, place) => card(result, place, filters));
  return element("ol", { class: "grid" }, ...cards);
}

/** Products to begin with: each leads to a search for what is like it. */
export function examples(products, filters) {
  const cards = products.map((product) =>
    element(
      "li", {},
      element(
        "a", { href: addressOf(search({ like: likeOf(product), filters })), class: "example" },
        picture(product.image_url, "", true),
        unseen("More like "), element("span", { class: "title" }, product.title),
        element("span", { class: "quiet" }, product.product_metadata.brand_name),
      ),
    ),
  );
  return element("ul", { class: "grid small" }, ...cards);
}

/** Empty places, so that nothing jumps when the pictures come. */
export function skeletons(number, small = false) {
  const place = () => element("li", {}, element("span", { class: "photo" }), element("span", { class: "words" }));
  const places = Array.from({ length: number }, place);
  return element("ul", { class: small ? "grid small skeleton" : "grid skeleton", "aria-hidden": "true" }, ...places);
}

/** What the percentages mean, said where they are seen. */
export function meaning(answer, wanted) {
  const said = wanted.words
    ? "How well a photo fits your words to the model: compare them with each other, not with 100%."
    : "How alike two photos look to the model: 100% is the same picture, 0% one that has nothing in common with it. "
      + experience(answer.score_meaning);
  const more = "Each product stands where its best photo does. Percentages of different models can't be compared.";
  const model = `This search was answered by ${answer.model}.`;
  return element("details", { class: "meaning" }, element("summary", {}, "What the percentage means"),
    element("p", {}, `${said} ${more} ${model}`));
}

/** A share from 0 to 1 as a whole percentage. */
function percent(share) {
  return `${Math.round(100 * share)}%`;
}

/** What is known of such scores from photos whose garments are known. */
function experience(steps) {
  if (!steps.length) return "What a good percentage is was not measured for this model.";
  const [first, ...others] = steps.map(({ at_least, same_garment }) => [percent(at_least), percent(same_garment)]);
  const rest = others.map(([score, share]) => `; at ${score} or more, ${share}`).join("");
  return `Measured on photos of known garments: of pairs at ${first[0]} or more, ${first[1]} show the same one${rest}.`;
}

/** A price with its currency, as this browser's language writes it. */
export function price(amount, currency) {
  if (amount === null || amount === undefined) return "Price unknown";
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
  } catch { // a currency that isn't three letters, or none
    return [amount, currency].filter(Boolean).join(" ");
  }
}

/** What says of a product that others like it are wanted. */
export function likeOf(product) {
  return { id: product.external_id, brand: product.product_metadata.brand };
}

function card(result, place, filters) {
  const { product } = result;
  const about = product.product_metadata;
  const name = `${product.title}, ${about.brand_name}`;
  return element(
    "li", {},
    element(
      "article", { "aria-label": name },
      element("a", { class: "large", href: result.photo_url, target: "_blank", rel: "noopener noreferrer" },
        picture(result.photo_url, `Photo of ${product.title}`, place < LARGE_FIRST), unseen(", large, in a new tab")),
      score(result.score),
      element("h3", { class: "title" }, product.title),
      element("p", { class: "quiet" }, [about.brand_name, about.colour].filter(Boolean).join(", ")),
      element("p", { class: "price" }, price(product.price, product.currency)),
      about.active === false && element("p", { class: "quiet" }, "No longer on sale"),
      stock(result.in_stock),
      element("a", { class: "button more", href: addressOf(search({ like: likeOf(product), filters })),
        "aria-label": `More like this: ${product.title}` }, "More like this"),
    ),
  );
}

function picture(url, alt, atOnce) {
  const image = element("img", {
    src: url, alt, width: 300, height: 400, decoding: "async", loading: atOnce ? "eager" : "lazy",
    referrerpolicy: "no-referrer",
  });
  const frame = element("span", { class: "photo" }, image);
  image.addEventListener("load", () => {
    const ratio = image.naturalWidth / image.naturalHeight;
    frame.classList.add("here");
    frame.classList.toggle("near", ratio > NARROWEST && ratio < WIDEST);
  }, { once: true });
  image.addEventListener("error", () => {
    frame.classList.add("gone");
    frame.replaceChildren(icon("M4 5h16v14H4zM4 16l5-4 3 2.5M14 14l2-2 4 4"), unseen(alt),
      element("span", {}, "No photo to show"));
  }, { once: true });
  return frame;
}

function score(cosine) {
  const likeness = percent(Math.max(0, Math.min(1, cosine)));
  const filled = element("span", {});
  filled.style.inlineSize = likeness; // through the object model: a style attribute is forbidden here
  return element("p", { class: "score", title: "How alike this photo and what you search by are to the model" },
    element("span", { class: "rail", "aria-hidden": "true" }, filled), unseen("Likeness "), likeness);
}

function stock(shops) {
  if (!shops?.length) return element("p", { class: "stock quiet" }, "In no shop as far as we know");
  const [seen, others] = [shops.slice(0, SHOPS_SHOWN), shops.slice(SHOPS_SHOWN)];
  return element(
    "div", { class: "stock" },
    element("p", {}, `In ${count(shops.length, "shop")}`),
    element("ul", {}, ...seen.map(shopLine)),
    others.length > 0 && element("details", {}, element("summary", {}, `and ${others.length} more`),
      element("ul", {}, ...others.map(shopLine))),
  );
}

function shopLine(shop) {
  const sizes = shop.sizes.slice(0, SIZES_SHOWN).join(", ") + (shop.sizes.length > SIZES_SHOWN ? ", …" : "");
  return element("li", {}, shop.name || `Shop ${shop.store_id}`, sizes && element("span", { class: "sizes" }, sizes));
}
