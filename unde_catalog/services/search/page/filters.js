/**
 * The filter form: brand, category, price and store.
 *
 * page.js runs the search when a filter changes.
 */

import { byId, capitalize, element } from "./dom.js";
import { countFilters, noFilters } from "./search-state.js";

const DEBOUNCE = 300; // milliseconds without a change before the search runs again

/** The form. Calls `onChange(filters)` when a change has settled. */
export class FilterForm {
  #form = byId("filter-form");
  #options = { brands: [], categories: [], shops: [], currency: "" };
  #timer = 0;
  #expanded = false; // after the first time the user decides

  constructor(onChange) {
    const schedule = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#validatePrices() && onChange(this.read()), DEBOUNCE);
    };
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", (event) => {
      if (event.target.name === "brand") this.#renderStores();
      this.#renderCount();
      schedule();
    });
    this.#form.addEventListener("reset", (event) => {
      event.preventDefault();
      this.show(noFilters());
      schedule();
    });
  }

  /** Open the form once there are results to filter. On a phone or tablet it would push the results away: it stays folded. */
  expand() {
    if (!this.#expanded) byId("filters").open = matchMedia("(min-width: 64rem)").matches;
    this.#expanded = true;
  }

  /** Set the options, which are the response of GET /api/v1/filters. The selection stays. */
  setOptions(options) {
    const filters = this.read();
    this.#options = options;
    byId("currency").textContent = options.currency ? `, ${options.currency}` : "";
    this.show(filters);
  }

  /** Select these filters. A URL can contain values that are not (or no longer) among the options: they are added. */
  show(filters) {
    const brands = [...this.#options.brands];
    for (const key of filters.brands) if (!brands.some((brand) => brand.key === key)) brands.push({ key, name: key });
    this.#form.querySelector(".chips").replaceChildren(...brands.map((brand) => chip(brand, filters.brands)));
    byId("brands").hidden = brands.length === 0;

    const categories = [...this.#options.categories];
    if (filters.category && !categories.includes(filters.category)) categories.push(filters.category);
    const options = categories.map((name) => element("option", { value: name }, capitalize(name)));
    byId("category").replaceChildren(element("option", { value: "" }, "Any"), ...options);
    byId("category").value = filters.category;

    byId("price-from").value = filters.priceFrom;
    byId("price-to").value = filters.priceTo;
    this.#renderStores(filters.store);
    this.#validatePrices();
    this.#renderCount();
  }

  /** The selected filters. */
  read() {
    return {
      brands: [...this.#form.querySelectorAll("[name=brand]:checked")].map((box) => box.value),
      category: byId("category").value,
      priceFrom: byId("price-from").value,
      priceTo: byId("price-to").value,
      store: byId("store").value,
    };
  }

  /** Drop a change that has not settled: another search has started. */
  cancel() {
    clearTimeout(this.#timer);
  }

  // Only stores of the selected brands: any other store would match nothing.
  #renderStores(selected = byId("store").value) {
    const { brands } = this.read();
    const storesOf = (brand) => this.#options.shops.filter((store) => store.brand === brand.key);
    const groups = this.#options.brands
      .filter((brand) => (!brands.length || brands.includes(brand.key)) && storesOf(brand).length)
      .map((brand) => element("optgroup", { label: brand.name }, ...storesOf(brand).map(storeOption)));
    byId("store").replaceChildren(element("option", { value: "" }, "No filter"), ...groups);
    byId("store").value = selected;
    const excluded = selected && brands.length && !brands.includes(selected.split(":")[0]);
    if (byId("store").value === selected || excluded) return;
    byId("store").append(element("option", { value: selected }, selected));
    byId("store").value = selected;
  }

  #validatePrices() {
    const [from, to] = [byId("price-from"), byId("price-to")];
    const ordered = !from.value || !to.value || Number(from.value) <= Number(to.value);
    to.setCustomValidity(ordered ? "" : byId("price-error").textContent);
    if (ordered) to.removeAttribute("aria-invalid");
    else to.setAttribute("aria-invalid", "true");
    byId("price-error").hidden = ordered;
    return ordered && from.checkValidity() && to.checkValidity();
  }

  #renderCount() {
    const number = countFilters(this.read());
    byId("filter-count").textContent = number ? ` (${number} set)` : "";
    byId("clear-filters").hidden = number === 0;
  }
}

function chip(brand, selected) {
  const box = element("input", { type: "checkbox", name: "brand", value: brand.key, class: "visually-hidden" });
  box.checked = selected.includes(brand.key);
  return element("label", { class: "chip" }, box, element("span", {}, brand.name));
}

function storeOption(store) {
  return element("option", { value: `${store.brand}:${store.store_id}` }, store.name);
}
