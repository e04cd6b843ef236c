/**
 * The preview of the photo or product in the query, with a button that removes it.
 *
 * page.js runs the search.
 */

import { fetchProduct } from "./api.js";
import { byId, element, icon } from "./dom.js";
import { photoOf } from "./search-state.js";

const products = new Map(); // "brand:id" -> {title, image} of the products that this page has shown
let photoUrl = null; // the object URL of the photo

/** Remember the title and image of a product, for a later search by it. */
export function rememberProduct({ id, brand }, title, image) {
  products.set(`${brand}:${id}`, { title, image });
}

/** The query in a few words, for titles and headings. */
export function describeQuery(search) {
  if (search.text) return `“${search.text}”`;
  if (search.photo) return "your photo";
  return `“${knownProduct(search.product)?.title ?? search.product.id}”`;
}

/** Show the photo or product of a search. `onRemove()` is called when the user removes it. */
export async function showPreview(search, signal, onRemove) {
  if (photoUrl) URL.revokeObjectURL(photoUrl);
  photoUrl = null;
  const preview = byId("preview");
  const photo = search.photo && photoOf(search);
  preview.hidden = !photo && !search.product;
  if (photo) {
    photoUrl = URL.createObjectURL(photo);
    preview.replaceChildren(...content(photoUrl, "Your photo", photo.name, onRemove));
  } else if (search.product) {
    if (!knownProduct(search.product)) {
      preview.replaceChildren(...content(null, "Similar to", search.product.id, onRemove));
      const product = await fetchProduct(search.product, signal);
      if (!product) return;
      rememberProduct(search.product, product.title, product.image_url);
    }
    const { title, image } = knownProduct(search.product);
    preview.replaceChildren(...content(image, "Similar to", title, onRemove));
  } else {
    preview.replaceChildren();
  }
}

function knownProduct({ id, brand }) {
  return products.get(`${brand}:${id}`);
}

function content(image, label, name, onRemove) {
  const cross = icon("m6 6 12 12M18 6 6 18");
  const button = element("button", { type: "button", class: "text-button", "aria-label": "Remove" }, cross);
  button.addEventListener("click", onRemove);
  const attributes = { src: image, alt: "", width: 48, height: 64, referrerpolicy: "no-referrer" };
  const picture = image ? [element("img", attributes)] : [];
  picture[0]?.addEventListener("error", ({ target }) => target.remove()); // most browsers can't show HEIC
  return [
    ...picture,
    element("p", {}, element("span", { class: "muted" }, label), element("span", { class: "name" }, name)),
    button,
  ];
}
