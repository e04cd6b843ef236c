/**
 * The filters as a person sets them: brand chips, category, price and shop.
 *
 * What they mean is the API's; when a search is run again is page.js's.
 */

import { byId, capital, element } from "./dom.js";
import { everything, filtersSet } from "./address.js";

const SETTLED = 300; // milliseconds without a change, before the search is run again

/** The filters' form; `changed(filters)` is called once a person has stopped changing them. */
export class FilterForm {
  #form = byId("filter");
  #offered = { brands: [], categories: [], shops: [], currency: "" };
  #timer = 0;
  #unfolded = false; // from then on it is the person's to say

  constructor(changed) {
    const settle = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#pricesMakeSense() && changed(this.read()), SETTLED);
    };
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", (event) => {
      if (event.target.name === "brand") this.#offerShops();
      this.#summarise();
      settle();
    });
    this.#form.addEventListener("reset", (event) => {
      event.preventDefault();
      this.show(everything());
      settle();
    });
  }

  /** Lay the filters open once there is something to filter; on a phone they wait behind one line. */
  unfold() {
    if (!this.#unfolded) byId("filters").open = matchMedia("(min-width: 48rem)").matches;
    this.#unfolded = true;
  }

  /** What the catalogue has to choose from, as GET /api/v1/filters says it; what is set stays so. */
  offer(offered) {
    const set = this.read();
    this.#offered = offered;
    byId("currency").textContent = offered.currency ? `, ${offered.currency}` : "";
    this.show(set);
  }

  /** Set the filters, also to what the catalogue doesn't offer (any more): an address may say so. */
  show(filters) {
    const brands = [...this.#offered.brands];
    for (const key of filters.brands) if (!brands.some((brand) => brand.key === key)) brands.push({ key, name: key });
    this.#form.querySelector(".chips").replaceChildren(...brands.map((brand) => chip(brand, filters.brands)));
    byId("brands").hidden = brands.length === 0;

    const categories = [...this.#offered.categories];
    if (filters.category && !categories.includes(filters.category)) categories.push(filters.category);
    const options = categories.map((name) => element("option", { value: name }, capital(name)));
    byId("category").replaceChildren(element("option", { value: "" }, "Any"), ...options);
    byId("category").value = filters.category;

    byId("price-from").value = filters.priceFrom;
    byId("price-to").value = filters.priceTo;
    this.#offerShops(filters.shop);
    this.#pricesMakeSense();
    this.#summarise();
  }

  /** The filters as they are set now. */
  read() {
    return {
      brands: [...this.#form.querySelectorAll("[name=brand]:checked")].map((box) => box.value),
      category: byId("category").value,
      priceFrom: byId("price-from").value,
      priceTo: byId("price-to").value,
      shop: byId("shop").value,
    };
  }

  /** A change that hasn't settled is no longer waited for: another search begins. */
  forget() {
    clearTimeout(this.#timer);
  }

  // Shops of the chosen brands alone: any other would find nothing.
  #offerShops(chosen = byId("shop").value) {
    const { brands } = this.read();
    const of = (brand) => this.#offered.shops.filter((shop) => shop.brand === brand.key);
    const groups = this.#offered.brands
      .filter((brand) => (!brands.length || brands.includes(brand.key)) && of(brand).length)
      .map((brand) => element("optgroup", { label: brand.name }, ...of(brand).map(shopOption)));
    byId("shop").replaceChildren(element("option", { value: "" }, "Any shop, or none"), ...groups);
    byId("shop").value = chosen;
    const elsewhere = chosen && brands.length && !brands.includes(chosen.split(":")[0]);
    if (byId("shop").value === chosen || elsewhere) return;
    byId("shop").append(element("option", { value: chosen }, chosen));
    byId("shop").value = chosen;
  }

  #pricesMakeSense() {
    const [from, to] = [byId("price-from"), byId("price-to")];
    const sense = !from.value || !to.value || Number(from.value) <= Number(to.value);
    to.setCustomValidity(sense ? "" : "The highest price is below the lowest.");
    if (sense) to.removeAttribute("aria-invalid");
    else to.setAttribute("aria-invalid", "true");
    byId("senseless").hidden = sense;
    return sense && from.checkValidity() && to.checkValidity();
  }

  #summarise() {
    const set = filtersSet(this.read());
    byId("set").textContent = set ? ` (${set} set)` : "";
    byId("reset").hidden = set === 0;
  }
}

function chip(brand, chosen) {
  const box = element("input", { type: "checkbox", name: "brand", value: brand.key, class: "unseen" });
  box.checked = chosen.includes(brand.key);
  return element("label", { class: "chip" }, box, element("span", {}, brand.name));
}

function shopOption(shop) {
  return element("option", { value: `${shop.brand}:${shop.store_id}` }, shop.name);
}
