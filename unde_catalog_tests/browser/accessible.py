"""What keeps people out of a page, looked for in its document: missing names, doubled ids, words too faint to read.

Looks at what is shown at the moment. How it looks to eyes is not judged here.
"""

from playwright.sync_api import Page

_FAULTS = """() => {
    const seen = (one) => one.checkVisibility({ opacityProperty: false, visibilityProperty: true });
    const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);
    const told = (what, one) => `${what}: ${one.outerHTML.slice(0, 120)}`;
    const faults = [];

    for (const one of all('img')) if (one.getAttribute('alt') === null) faults.push(told('no alt', one));

    const name = (one) => one.getAttribute('aria-label') || one.textContent.trim()
        || [...(one.labels ?? [])].map((label) => label.textContent.trim()).join(' ')
        || [...one.querySelectorAll('img')].map((image) => image.alt).join(' ');
    for (const one of all('a, button, input, select, textarea, summary, fieldset, article, search'))
        if (!name(one)) faults.push(told('no name', one));
    for (const one of all('section'))
        if (!document.getElementById(one.getAttribute('aria-labelledby'))) faults.push(told('no heading', one));

    const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`id twice: ${id}`);
    let level = 0;
    for (const one of all('h1, h2, h3, h4')) {
        const now = Number(one.tagName[1]);
        if (now > level + 1) faults.push(told('a level is left out', one));
        level = now;
    }
    if (all('h1').length !== 1 || all('main').length !== 1 || !document.documentElement.lang)
        faults.push('not one h1, one main and a language');
    for (const one of document.querySelectorAll('[tabindex]'))
        if (one.tabIndex > 0) faults.push(told('an order of its own', one));
    return faults;
}"""

# WCAG 2.1: 4.5 to 1, and 3 to 1 for words of 24 pixels, or of 18.66 that are bold.
_FAINT = """() => {
    const pixel = Object.assign(document.createElement('canvas'), { width: 1, height: 1 })
        .getContext('2d', { willReadFrequently: true });
    const rgb = (colour, under) => { // the browser itself says what a colour is upon another
        pixel.fillStyle = under;
        pixel.fillRect(0, 0, 1, 1);
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        return [...pixel.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
    const paper = (one) => {
        const under = one.parentElement ? paper(one.parentElement) : 'white';
        return css(rgb(getComputedStyle(one).backgroundColor, under));
    };
    const light = (channels) => {
        const [r, g, b] = channels.map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (colour, one) => {
        const under = paper(one);
        const [more, less] = [light(rgb(colour, under)), light(rgb(under, under))].sort((a, b) => b - a);
        return (more + 0.05) / (less + 0.05);
    };
    const faint = [];
    for (const one of document.querySelectorAll('body *')) {
        const holds = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        const asks = one.matches('input') && one.placeholder && !one.value;
        if (!holds && !asks || !one.checkVisibility({ visibilityProperty: true }) || one.closest('.unseen')) continue;
        const style = asks ? getComputedStyle(one, '::placeholder') : getComputedStyle(one);
        const size = parseFloat(style.fontSize);
        const least = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
        const found = contrast(style.color, one);
        if (found < least) faint.push(`${found.toFixed(2)}: ${one.outerHTML.slice(0, 120)}`);
    }
    return faint;
}"""

_STICKS_OUT = """() => [...document.querySelectorAll('body, body *')]
    .filter((one) => one.checkVisibility() && !one.matches('.unseen')
        && one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map((one) => one.outerHTML.slice(0, 120))"""


def faults(page: Page) -> list[str]:
    """What a screen reader or a keyboard would stumble over."""
    return page.evaluate(_FAULTS)


def faint(page: Page) -> list[str]:
    """Words with too little contrast to what is behind them, with their contrast."""
    return page.evaluate(_FAINT)


def sticking_out(page: Page) -> list[str]:
    """What is wider than the window."""
    return page.evaluate(_STICKS_OUT)
