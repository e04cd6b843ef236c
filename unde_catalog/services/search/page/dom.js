/**
 * Helpers to build elements. Strings are inserted as text, never as HTML.
 */

const SVG = "http://www.w3.org/2000/svg";

/** The element of the document with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** An element. Null, undefined and false attributes and children are left out. */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Text for screen readers only. */
export function hiddenText(text) {
  return element("span", { class: "visually-hidden" }, text);
}

/** An icon from an SVG path on a 24 by 24 grid, hidden from screen readers. */
export function icon(path) {
  const line = fill(document.createElementNS(SVG, "path"), { d: path }, []);
  return fill(document.createElementNS(SVG, "svg"), { viewBox: "0 0 24 24", "aria-hidden": "true" }, [line]);
}

/** The text with its first letter in upper case. */
export function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "1 store", "2 stores". */
export function count(number, singular, plural = `${singular}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? singular : plural}`;
}

/** A share from 0 to 1 as a whole percentage. */
export function percent(share) {
  return `${Math.round(100 * share)}%`;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
