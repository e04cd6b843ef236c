/**
 * A search and its URL: Back restores it, and a copied URL repeats it.
 *
 * A search is {text, product: {id, brand} or null, photo: id or null, filters, limit, sort}. `sort` is "" (by relevance),
 * "price" or "-price". A photo is not part of the URL: its bytes are in memory and, if they are few enough, in the
 * history entry.
 */

export const DEFAULT_LIMIT = 20;
export const LIMITS = [DEFAULT_LIMIT, 60, 100];
const SORTS = ["price", "-price"];
const MAX_HISTORY_BYTES = 1_000_000; // of a photo in a history entry: browsers limit the size of an entry
const photos = new Map(); // id -> {photo: File, bytes: ArrayBuffer or null}

/** Filters that match every product. */
export function noFilters() {
  return { brands: [], category: "", priceFrom: "", priceTo: "", store: "" };
}

/** The number of filters that are set. */
export function countFilters(filters) {
  const { brands, category, priceFrom, priceTo, store } = filters;
  return [brands.length, category, priceFrom || priceTo, store].filter(Boolean).length;
}

/** A search by text, product or photo, or by none of them: the start page. */
export function createSearch({
  text = "", product = null, photo = null, filters = noFilters(), limit = DEFAULT_LIMIT, sort = "",
} = {}) {
  return { text, product, photo, filters, limit, sort };
}

/** Whether the search has a text, a product or a photo, and not only filters. */
export function hasQuery(search) {
  return Boolean(search.text || search.product || search.photo);
}

/** Keep a photo in memory for the searches of this page. Returns its id. */
export async function addPhoto(photo) {
  const id = `${Date.now().toString(36)}-${photos.size}`;
  photos.set(id, { photo, bytes: photo.size <= MAX_HISTORY_BYTES ? await photo.arrayBuffer() : null });
  return id;
}

/** The photo of a search. Null if it is not available, for example because the URL was opened in another browser. */
export function photoOf(search) {
  return photos.get(search.photo)?.photo ?? null;
}

/** The search of the current URL and history entry. */
export function currentSearch() {
  const saved = history.state?.photo;
  if (saved?.bytes && !photos.has(saved.id)) {
    photos.set(saved.id, { photo: new File([saved.bytes], saved.name, { type: saved.type }), bytes: saved.bytes });
  }
  const search = parseUrl(location.href);
  return search.photo && saved ? { ...search, photo: saved.id } : search;
}

/** The search of a URL. Its photo, if it has one, is not available. */
export function parseUrl(url) {
  const query = new URL(url).searchParams;
  const productId = query.get("like");
  return createSearch({
    text: (query.get("q") ?? "").trim(),
    product: productId ? { id: productId, brand: query.get("of_brand") ?? "" } : null,
    photo: query.has("photo") ? "unavailable" : null,
    filters: {
      brands: query.getAll("brand"), category: query.get("category") ?? "", priceFrom: query.get("price_from") ?? "",
      priceTo: query.get("price_to") ?? "", store: query.get("shop") ?? "",
    },
    limit: LIMITS.find((limit) => String(limit) === query.get("top")) ?? DEFAULT_LIMIT,
    sort: SORTS.find((sort) => sort === query.get("sort")) ?? "",
  });
}

/** The URL of a search. */
export function urlOf(search) {
  const { text, product, photo, filters, limit, sort } = search;
  const query = new URLSearchParams([
    ["q", text], ["like", product?.id], ["of_brand", product?.brand], ["photo", photo && "yes"],
    ...filters.brands.map((brand) => ["brand", brand]), ["category", filters.category],
    ["price_from", filters.priceFrom], ["price_to", filters.priceTo], ["shop", filters.store],
    ["top", limit === DEFAULT_LIMIT ? "" : limit], ["sort", sort],
  ].filter(([, value]) => value));
  return location.pathname + (String(query) && `?${query}`);
}

/** Add a history entry for a search, unless the current entry is for the same search. */
export function pushSearch(search) {
  const url = urlOf(search);
  const currentUrl = location.pathname + location.search;
  if (url === currentUrl && (!search.photo || search.photo === history.state?.photo?.id)) return;
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  const state = { photo: photoState(search), scroll: 0 };
  try {
    history.pushState(state, "", url);
  } catch { // too many bytes for this browser: the photo stays in memory only
    history.pushState({ ...state, photo: { ...state.photo, bytes: null } }, "", url);
  }
}

function photoState(search) {
  const stored = photos.get(search.photo);
  return stored ? { id: search.photo, name: stored.photo.name, type: stored.photo.type, bytes: stored.bytes } : null;
}
