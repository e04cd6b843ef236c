"""Actions on the search page in a browser, for tests."""

import json

from playwright.sync_api import FilePayload, Page, expect

# The DataTransfer of a dropped or pasted file.
_TRANSFER = """([bytes, name, type]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
    return transfer;
}"""

_PASTE = "(clipboardData) => document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))"


def titles(page: Page) -> list[str]:
    """The titles of the results, once they are shown."""
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("article h3").first).to_be_visible()
    return page.locator("article h3").all_inner_texts()


def choose(page: Page, photo: FilePayload) -> None:
    page.locator("#choose-photo").set_input_files(photo)


def drop(page: Page, photo: FilePayload) -> None:
    transfer = page.evaluate_handle(_TRANSFER, [list(photo["buffer"]), photo["name"], photo["mimeType"]])
    page.dispatch_event("footer", "dragenter", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop the photo to search with it")).to_be_visible()
    page.dispatch_event("footer", "drop", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop the photo to search with it")).to_be_hidden()


def paste(page: Page, photo: FilePayload) -> None:
    page.evaluate(_PASTE, page.evaluate_handle(_TRANSFER, [list(photo["buffer"]), photo["name"], photo["mimeType"]]))


def fail_searches(page: Page, status: int, headers: dict[str, str] | None = None, **problem: str) -> None:
    """Answer searches by photo with this problem from now on."""
    page.route(
        "**/search/by-image",
        lambda route: route.fulfill(
            status=status, headers=headers or {}, content_type="application/problem+json", body=json.dumps(problem)
        ),
    )
