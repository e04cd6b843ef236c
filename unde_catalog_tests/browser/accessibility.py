"""Accessibility checks of the visible part of a page: missing names, duplicate ids, low contrast, overflow."""

from playwright.sync_api import Page

_VIOLATIONS = """() => {
    const visible = (node) => node.checkVisibility({ opacityProperty: false, visibilityProperty: true });
    const all = (selector) => [...document.querySelectorAll(selector)].filter(visible);
    const describe = (what, node) => `${what}: ${node.outerHTML.slice(0, 120)}`;
    const violations = [];

    for (const node of all('img')) if (node.getAttribute('alt') === null) violations.push(describe('no alt', node));

    const name = (node) => node.getAttribute('aria-label') || node.textContent.trim()
        || [...(node.labels ?? [])].map((label) => label.textContent.trim()).join(' ')
        || [...node.querySelectorAll('img')].map((image) => image.alt).join(' ');
    for (const node of all('a, button, input, select, textarea, summary, fieldset, article, search'))
        if (!name(node)) violations.push(describe('no name', node));
    for (const node of all('section'))
        if (!document.getElementById(node.getAttribute('aria-labelledby')))
            violations.push(describe('no heading', node));

    const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) violations.push(`duplicate id: ${id}`);
    let level = 0;
    for (const node of all('h1, h2, h3, h4')) {
        const now = Number(node.tagName[1]);
        if (now > level + 1) violations.push(describe('skipped heading level', node));
        level = now;
    }
    if (all('h1').length !== 1 || all('main').length !== 1 || !document.documentElement.lang)
        violations.push('needs exactly one h1, one main and a language');
    for (const node of document.querySelectorAll('[tabindex]'))
        if (node.tabIndex > 0) violations.push(describe('custom tab order', node));
    return violations;
}"""

# WCAG 2.1: 4.5 to 1, or 3 to 1 for text of 24 pixels (18.66 pixels if bold).
_LOW_CONTRAST = """() => {
    const pixel = Object.assign(document.createElement('canvas'), { width: 1, height: 1 })
        .getContext('2d', { willReadFrequently: true });
    const rgb = (colour, behind) => { // lets the browser blend the colour with what is behind it
        pixel.fillStyle = behind;
        pixel.fillRect(0, 0, 1, 1);
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        return [...pixel.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
    const background = (node) => {
        const parent = node.parentElement ? background(node.parentElement) : 'white';
        return css(rgb(getComputedStyle(node).backgroundColor, parent));
    };
    const luminance = (channels) => {
        const [r, g, b] = channels.map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (colour, node) => {
        const behind = background(node);
        const [lighter, darker] = [luminance(rgb(colour, behind)), luminance(rgb(behind, behind))]
            .sort((a, b) => b - a);
        return (lighter + 0.05) / (darker + 0.05);
    };
    const failing = [];
    for (const node of document.querySelectorAll('body *')) {
        const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        const hasPlaceholder = node.matches('input') && node.placeholder && !node.value;
        const hidden = !node.checkVisibility({ visibilityProperty: true }) || node.closest('.visually-hidden');
        if (!hasText && !hasPlaceholder || hidden) continue;
        const style = hasPlaceholder ? getComputedStyle(node, '::placeholder') : getComputedStyle(node);
        const size = parseFloat(style.fontSize);
        const minimum = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
        const ratio = contrast(style.color, node);
        if (ratio < minimum) failing.push(`${ratio.toFixed(2)}: ${node.outerHTML.slice(0, 120)}`);
    }
    return failing;
}"""

_OVERFLOWING = """() => [...document.querySelectorAll('body, body *')]
    .filter((node) => node.checkVisibility() && !node.matches('.visually-hidden')
        && node.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map((node) => node.outerHTML.slice(0, 120))"""


def violations(page: Page) -> list[str]:
    """Problems for screen readers and keyboards."""
    return page.evaluate(_VIOLATIONS)


def low_contrast(page: Page) -> list[str]:
    """Elements whose text has too little contrast with its background, with their contrast."""
    return page.evaluate(_LOW_CONTRAST)


def overflowing(page: Page) -> list[str]:
    """Elements that extend beyond the right edge of the window."""
    return page.evaluate(_OVERFLOWING)
