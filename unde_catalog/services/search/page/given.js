/**
 * What is searched by, shown in the field: a person's photo or a product, and a button that takes it away.
 *
 * The search itself is page.js's.
 */

import { askProduct } from "./api.js";
import { photoOf } from "./address.js";
import { byId, element, icon } from "./dom.js";

const products = new Map(); // "brand:id" -> {title, image}: what this page has shown already
let shown = null; // the address of a person's photo in memory

/** What a product is called and looks like, for when others like it are looked for. */
export function introduce(like, title, image) {
  products.set(`${like.brand}:${like.id}`, { title, image });
}

/** A word for what is searched by: for titles and headings. */
export function nameOf(wanted) {
  if (wanted.words) return `“${wanted.words}”`;
  if (wanted.photo) return "your photo";
  return `“${known(wanted.like)?.title ?? wanted.like.id}”`;
}

/** Show what is searched by; `away()` is called when it is taken away. */
export async function showGiven(wanted, signal, away) {
  if (shown) URL.revokeObjectURL(shown);
  shown = null;
  const place = byId("given");
  place.hidden = !wanted.photo && !wanted.like;
  const photo = wanted.photo && photoOf(wanted);
  if (photo) {
    shown = URL.createObjectURL(photo);
    place.replaceChildren(...parts(shown, "Your photo", photo.name, away));
  } else if (wanted.like) {
    if (!known(wanted.like)) {
      place.replaceChildren(...parts(null, "More like", wanted.like.id, away));
      const product = await askProduct(wanted.like, signal);
      if (!product) return;
      introduce(wanted.like, product.title, product.image_url);
    }
    const { title, image } = known(wanted.like);
    place.replaceChildren(...parts(image, "More like", title, away));
  } else {
    place.replaceChildren();
    place.hidden = true;
  }
}

function known(like) {
  return products.get(`${like.brand}:${like.id}`);
}

function parts(image, what, name, away) {
  const cross = icon("m6 6 12 12M18 6 6 18");
  const button = element("button", { type: "button", class: "plain", "aria-label": "Take it away" }, cross);
  button.addEventListener("click", away);
  const look = { src: image, alt: "", width: 48, height: 64, referrerpolicy: "no-referrer" };
  return [
    ...(image ? [element("img", look)] : []),
    element("p", {}, element("span", { class: "quiet" }, what), element("span", { class: "name" }, name)),
    button,
  ];
}
