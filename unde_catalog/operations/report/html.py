"""HTML elements from Python values: whatever is not Markup is escaped, so that nobody can forget to."""

from html import escape

_VOID = frozenset({"meta", "link", "br"})


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


Child = str | None


def element(tag: str, *children: Child, **attributes: str | None) -> Markup:
    """An element; None among children or as an attribute's value leaves it out.

    `class_` is the attribute class, an underscore within a name a hyphen.
    """
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{told}>")
    return Markup(f"<{tag}{told}>{joined(*children)}</{tag}>")


def joined(*children: Child) -> Markup:
    """Pieces one after the other."""
    return Markup("".join(one if isinstance(one, Markup) else escape(one) for one in children if one is not None))
