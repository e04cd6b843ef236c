"""Points, curves and outlines in body units: x to the right of the body's middle, y down from the top of the head.

A standing figure is 100 units tall. Pixels do not belong here.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

Point = tuple[float, float]
Points = list[Point]
_SEGMENT = re.compile(r"\(([^)]*)\)(z?)|(\S+,\S+)")


@lru_cache(maxsize=4096)
def path(text: str) -> Points:
    """Parses an outline; callers must not change it.

    `0,1 2,3` are points; `(0,1 2,3 4,5)` is a smooth curve through points, `(...)z` a closed one; `| 2,3 4,5` is
    the right half of a symmetric outline from top to bottom; `oval x y rx ry` and `box x0 y0 x1 y1 radius` are what
    they say.
    """
    first, *rest = text.split()
    if first in _SHAPES:
        return _SHAPES[first](*map(float, rest))
    if first == "|":
        return both_sides(path(" ".join(rest)))
    outline: Points = []
    for curve, closed, point in _SEGMENT.findall(text):
        points = [_point(one) for one in (point or curve).split()]
        outline += points if point else smooth(points, closed=bool(closed))
    return outline


def smooth(points: Sequence[Point], closed: bool = False, steps: int = 7) -> Points:
    """Returns a Catmull-Rom curve through the points."""
    count = len(points)
    if count < 3:
        return list(points)
    out: Points = []
    for index in range(count if closed else count - 1):
        if closed:
            p0, p1, p2, p3 = (points[(index + k) % count] for k in (-1, 0, 1, 2))
        else:
            p0, p1 = points[max(index - 1, 0)], points[index]
            p2, p3 = points[index + 1], points[min(index + 2, count - 1)]
        for step in range(steps):
            t = step / steps
            out.append((_spline(p0[0], p1[0], p2[0], p3[0], t), _spline(p0[1], p1[1], p2[1], p3[1], t)))
    return out if closed else [*out, points[-1]]


def mirror(points: Iterable[Point]) -> Points:
    """Returns the points on the other side of the body's middle, in reverse order, to continue an outline."""
    return [(-x, y) for x, y in reversed(list(points))]


def both_sides(right: Sequence[Point]) -> Points:
    """Returns a closed outline from its right half, given from top to bottom."""
    return [*right, *mirror(right)]


def ellipse(x: float, y: float, rx: float, ry: float, steps: int = 28) -> Points:
    """Returns the outline of an ellipse around (x, y)."""
    turns = (2 * math.pi * step / steps for step in range(steps))
    return [(x + rx * math.cos(turn), y + ry * math.sin(turn)) for turn in turns]


def rounded(x0: float, y0: float, x1: float, y1: float, radius: float) -> Points:
    """Returns a rectangle with round corners."""
    centres = ((x1 - radius, y0 + radius), (x1 - radius, y1 - radius), (x0 + radius, y1 - radius))
    corners = enumerate((*centres, (x0 + radius, y0 + radius)), start=-1)
    turns = [(x, y, math.radians(90 * corner + 18 * step)) for corner, (x, y) in corners for step in range(6)]
    return [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for x, y, turn in turns]


def moved(points: Iterable[Point], dx: float, dy: float, scale: float = 1.0) -> Points:
    """Returns the points scaled around the origin, then moved."""
    return [(x * scale + dx, y * scale + dy) for x, y in points]


def between(a: Point, b: Point, share: float) -> Point:
    """Returns the point at a share of the way from a to b."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)


def _point(text: str) -> Point:
    x, _, y = text.partition(",")
    return float(x), float(y)


def _spline(p0: float, p1: float, p2: float, p3: float, t: float) -> float:
    return 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t * t + (3 * p1 - p0 - 3 * p2 + p3) * t * t * t
    )


_SHAPES: dict[str, Callable[..., Points]] = {"oval": ellipse, "box": rounded}
