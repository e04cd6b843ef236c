/**
 * What is searched for, and the address that says so: Back returns to it, and a copied address finds the same.
 *
 * A search is {words, like: {id, brand} or null, photo: id or null, filters, top}. A photo is no part of an address:
 * its bytes are in the entry of the history, where they are few enough, and in this page's memory.
 */

export const FIRST_TOP = 20;
export const TOPS = [FIRST_TOP, 60, 100];
const MOST_KEPT = 1_000_000; // bytes of a photo in an entry of the history; browsers bound those
const photos = new Map(); // id -> {photo: File, bytes: ArrayBuffer or null}

/** Filters that ask nothing. */
export function everything() {
  return { brands: [], category: "", priceFrom: "", priceTo: "", shop: "" };
}

/** Whether the filters ask anything, and of how many kinds. */
export function filtersSet(filters) {
  const { brands, category, priceFrom, priceTo, shop } = filters;
  return [brands.length, category, priceFrom || priceTo, shop].filter(Boolean).length;
}

/** A search by one of the three, or by none: the first visit. */
export function search({ words = "", like = null, photo = null, filters = everything(), top = FIRST_TOP } = {}) {
  return { words, like, photo, filters, top };
}

/** Whether something is searched for, not only filtered. */
export function asks(wanted) {
  return Boolean(wanted.words || wanted.like || wanted.photo);
}

/** Remember a photo for searches of this page; its id. */
export async function keepPhoto(photo) {
  const id = `${Date.now().toString(36)}-${photos.size}`;
  photos.set(id, { photo, bytes: photo.size <= MOST_KEPT ? await photo.arrayBuffer() : null });
  return id;
}

/** The photo itself, null where it is gone: an address with a photo opened elsewhere. */
export function photoOf(wanted) {
  return photos.get(wanted.photo)?.photo ?? null;
}

/** What the present address and entry of the history ask for. */
export function present() {
  const kept = history.state?.photo;
  if (kept?.bytes && !photos.has(kept.id)) {
    photos.set(kept.id, { photo: new File([kept.bytes], kept.name, { type: kept.type }), bytes: kept.bytes });
  }
  const wanted = ofAddress(location.href);
  return wanted.photo && kept ? { ...wanted, photo: kept.id } : wanted;
}

/** What an address asks for; a photo in it is gone. */
export function ofAddress(address) {
  const query = new URL(address).searchParams;
  const like = query.get("like");
  return search({
    words: (query.get("q") ?? "").trim(),
    like: like ? { id: like, brand: query.get("of_brand") ?? "" } : null,
    photo: query.has("photo") ? "gone" : null,
    filters: {
      brands: query.getAll("brand"), category: query.get("category") ?? "", priceFrom: query.get("price_from") ?? "",
      priceTo: query.get("price_to") ?? "", shop: query.get("shop") ?? "",
    },
    top: TOPS.find((top) => String(top) === query.get("top")) ?? FIRST_TOP,
  });
}

/** The address of a search. */
export function addressOf(wanted) {
  const { words, like, photo, filters, top } = wanted;
  const query = new URLSearchParams([
    ["q", words], ["like", like?.id], ["of_brand", like?.brand], ["photo", photo && "yes"],
    ...filters.brands.map((brand) => ["brand", brand]), ["category", filters.category],
    ["price_from", filters.priceFrom], ["price_to", filters.priceTo], ["shop", filters.shop],
    ["top", top === FIRST_TOP ? "" : top],
  ].filter(([, value]) => value));
  return location.pathname + (String(query) && `?${query}`);
}

/** Begin an entry of the history for a search, unless the present one is of it. */
export function go(wanted) {
  const address = addressOf(wanted);
  const here = location.pathname + location.search;
  if (address === here && (!wanted.photo || wanted.photo === history.state?.photo?.id)) return;
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  const state = { photo: entryOf(wanted), scroll: 0 };
  try {
    history.pushState(state, "", address);
  } catch { // the browser finds the bytes too many: memory still has the photo
    history.pushState({ ...state, photo: { ...state.photo, bytes: null } }, "", address);
  }
}

function entryOf(wanted) {
  const kept = photos.get(wanted.photo);
  return kept ? { id: wanted.photo, name: kept.photo.name, type: kept.photo.type, bytes: kept.bytes } : null;
}
