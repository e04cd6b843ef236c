/**
 * The API client: one function per endpoint. Every failure is thrown as a `Problem`.
 *
 * messages.js shows failures. search-state.js defines a search.
 */

const API = "/api/v1";
const API_KEY = "unde-api-key"; // in the session storage of this tab

/** An error of the API (RFC 9457). `code` "offline": the server did not respond. */
export class Problem extends Error {
  constructor(code, detail, { status = 0, requestId = null, retryAfter = null } = {}) {
    super(detail);
    Object.assign(this, { code, status, requestId, retryAfter });
  }

  /** Whether the same request may succeed later. */
  get isTemporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Send this API key with every further request of this tab. */
export function setApiKey(key) {
  sessionStorage.setItem(API_KEY, key);
}

/** {model, answers_words, photos, brands, categories, shops, currency}. */
export function fetchFilters(signal) {
  return request("/filters", { signal });
}

/** Up to `limit` active products that match the filters. */
export async function fetchProducts(filters, limit, signal) {
  const query = new URLSearchParams([["limit", limit], ["active", "true"], ...filterParams(filters, "in_stock_at")]);
  return (await request(`/products?${query}`, { signal })).products;
}

/** The product, or null if the request fails. */
export async function fetchProduct({ id, brand }, signal) {
  const query = brand ? `?of_brand=${encodeURIComponent(brand)}` : "";
  try {
    return await request(`/products/${encodeURIComponent(id)}${query}`, { signal });
  } catch (error) {
    if (error instanceof Problem) return null; // the search itself reports the problem
    throw error;
  }
}

/** The response to a search. `photo`: the file, for a search by photo. */
export function fetchResults(search, photo, signal) {
  const { text, product, filters, limit } = search;
  if (photo) {
    const body = new FormData();
    body.append("file", photo, photo.name || "photo.jpg");
    body.append("top_k", limit);
    for (const [name, value] of filterParams(filters, "shop")) body.append(name, value);
    return request("/search/by-image", { method: "POST", body, signal });
  }
  if (product) {
    const query = new URLSearchParams([["top_k", limit], ...filterParams(filters, "shop")]);
    if (product.brand) query.set("of_brand", product.brand);
    return request(`/products/${encodeURIComponent(product.id)}/similar?${query}`, { signal });
  }
  const body = {
    query: text, top_k: limit, brands: filters.brands, categories: filters.category ? [filters.category] : [],
    price_from: filters.priceFrom || null, price_to: filters.priceTo || null, shop: filters.store || null,
  };
  const headers = { "Content-Type": "application/json" };
  return request("/search/by-text", { method: "POST", headers, body: JSON.stringify(body), signal });
}

function filterParams(filters, storeParam) {
  return [
    ...filters.brands.map((brand) => ["brand", brand]),
    ["category", filters.category], ["price_from", filters.priceFrom], ["price_to", filters.priceTo],
    [storeParam, filters.store],
  ].filter(([, value]) => value);
}

async function request(path, options) {
  const key = sessionStorage.getItem(API_KEY);
  const headers = { Accept: "application/json", ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  let response;
  try {
    response = await fetch(API + path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("offline", "The server is not responding.");
  }
  const body = await response.json().catch(() => null);
  if (options.signal?.aborted) throw new DOMException("a newer search has started", "AbortError");
  if (response.ok && body) return body;
  throw new Problem(body?.code ?? "unreadable", body?.detail || `The server responded with ${response.status}.`, {
    status: response.status || 500,
    requestId: body?.request_id ?? response.headers.get("X-Request-ID"),
    retryAfter: parseSeconds(response.headers.get("Retry-After")),
  });
}

function parseSeconds(header) {
  const seconds = Number.parseInt(header ?? "", 10);
  return seconds > 0 ? Math.min(seconds, 3600) : null;
}
