/**
 * The API as this page asks it: one function a question, and every failure a `Problem`.
 *
 * How failures are told is in notices.js, what a search is in address.js.
 */

import { capital } from "./dom.js";

const API = "/api/v1";
const KEPT_KEY = "unde-api-key"; // of this tab alone, where the catalogue asks readers for a key

/** What went wrong, in the API's own sentence (RFC 9457). `code` "offline": nobody answered. */
export class Problem extends Error {
  constructor(code, detail, { status = 0, requestId = null, retryAfter = null } = {}) {
    super(capital(detail) + (/[.!?]$/.test(detail) ? "" : "."));
    Object.assign(this, { code, status, requestId, retryAfter });
  }

  /** Whether the same question may be answered another time. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500 && this.code !== "words_need_clip";
  }
}

/** Keep an API key for this tab; every later question carries it. */
export function useKey(key) {
  sessionStorage.setItem(KEPT_KEY, key);
}

/** {model, answers_words, photos, brands, categories, shops, currency}. */
export function askFilters(signal) {
  return ask("/filters", { signal });
}

/** Up to `limit` active products that pass the filters. */
export async function askProducts(filters, limit, signal) {
  const query = new URLSearchParams([["limit", limit], ["active", "true"], ...filterPairs(filters, "in_stock_at")]);
  return (await ask(`/products?${query}`, { signal })).products;
}

/** The product, or null where there is none that may be shown. */
export async function askProduct(like, signal) {
  const query = like.brand ? `?of_brand=${encodeURIComponent(like.brand)}` : "";
  try {
    return await ask(`/products/${encodeURIComponent(like.id)}${query}`, { signal });
  } catch (problem) {
    if (problem instanceof Problem) return null; // the search itself says what is wrong
    throw problem;
  }
}

/** The answer to a search; `wanted` as address.js has it, `photo` the picture itself where it is by photo. */
export function askSearch(wanted, photo, signal) {
  const { filters, top } = wanted;
  if (photo) {
    const body = new FormData();
    body.append("file", photo, photo.name || "photo.jpg");
    body.append("top_k", top);
    for (const [name, value] of filterPairs(filters, "shop")) body.append(name, value);
    return ask("/search/by-image", { method: "POST", body, signal });
  }
  if (wanted.like) {
    const query = new URLSearchParams([["top_k", top], ...filterPairs(filters, "shop")]);
    if (wanted.like.brand) query.set("of_brand", wanted.like.brand);
    return ask(`/products/${encodeURIComponent(wanted.like.id)}/similar?${query}`, { signal });
  }
  const body = {
    query: wanted.words, top_k: top, brands: filters.brands, categories: filters.category ? [filters.category] : [],
    price_from: filters.priceFrom || null, price_to: filters.priceTo || null, shop: filters.shop || null,
  };
  const headers = { "Content-Type": "application/json" };
  return ask("/search/by-text", { method: "POST", headers, body: JSON.stringify(body), signal });
}

function filterPairs(filters, shopName) {
  return [
    ...filters.brands.map((brand) => ["brand", brand]),
    ["category", filters.category], ["price_from", filters.priceFrom], ["price_to", filters.priceTo],
    [shopName, filters.shop],
  ].filter(([, value]) => value);
}

async function ask(path, options) {
  const key = sessionStorage.getItem(KEPT_KEY);
  const headers = { Accept: "application/json", ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  let answer;
  try {
    answer = await fetch(API + path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("offline", "The catalogue doesn't answer.");
  }
  const said = await answer.json().catch(() => null);
  if (options.signal?.aborted) throw new DOMException("a newer search began", "AbortError");
  if (answer.ok && said) return said;
  throw new Problem(said?.code ?? "unreadable", said?.detail || `The catalogue answered with ${answer.status}.`, {
    status: answer.status || 500,
    requestId: said?.request_id ?? answer.headers.get("X-Request-ID"),
    retryAfter: seconds(answer.headers.get("Retry-After")),
  });
}

function seconds(retryAfter) {
  const number = Number.parseInt(retryAfter ?? "", 10);
  return number > 0 ? Math.min(number, 3600) : null;
}
