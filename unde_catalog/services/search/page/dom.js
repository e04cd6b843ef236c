/**
 * Elements made of words: whatever comes from the catalogue goes in as text, never as HTML.
 *
 * What is made of them is in results.js, notices.js and filters.js.
 */

const SVG = "http://www.w3.org/2000/svg";

/** The element of the document with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** An element; null and false attributes and children are left out, strings become text. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Words that only a screen reader says. */
export function unseen(words) {
  return element("span", { class: "unseen" }, words);
}

/** A drawn line on a grid of 24 by 24, for eyes alone. */
export function icon(path) {
  const line = filled(document.createElementNS(SVG, "path"), { d: path }, []);
  return filled(document.createElementNS(SVG, "svg"), { viewBox: "0 0 24 24", "aria-hidden": "true" }, [line]);
}

/** The words with a capital to begin with. */
export function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "1 shop", "2 shops". */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}
