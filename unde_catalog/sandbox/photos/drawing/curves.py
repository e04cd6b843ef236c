"""Points, curves and outlines in body units: x to the right of the body's middle, y down from the top of the head.

A standing figure is 100 units tall. Nothing about pixels here.
"""

import math
from collections.abc import Iterable, Sequence

Point = tuple[float, float]
Points = list[Point]


def smooth(points: Sequence[Point], closed: bool = False, steps: int = 7) -> Points:
    """A Catmull-Rom curve through the points."""
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
    if not closed:
        out.append(points[-1])
    return out


def mirror(points: Iterable[Point]) -> Points:
    """The points on the other side of the body's middle, in reverse, so that an outline goes on."""
    return [(-x, y) for x, y in reversed(list(points))]


def both_sides(right: Sequence[Point]) -> Points:
    """A closed outline from its right half, listed from top to bottom."""
    return [*right, *mirror(right)]


def ellipse(x: float, y: float, rx: float, ry: float, steps: int = 28) -> Points:
    """The outline of an ellipse around (x, y)."""
    turns = (2 * math.pi * step / steps for step in range(steps))
    return [(x + rx * math.cos(turn), y + ry * math.sin(turn)) for turn in turns]


def rounded(x0: float, y0: float, x1: float, y1: float, radius: float) -> Points:
    """A rectangle with round corners."""
    out: Points = []
    corners = (
        (x1 - radius, y0 + radius, -90),
        (x1 - radius, y1 - radius, 0),
        (x0 + radius, y1 - radius, 90),
        (x0 + radius, y0 + radius, 180),
    )
    for x, y, start in corners:
        for step in range(6):
            turn = math.radians(start + 18 * step)
            out.append((x + radius * math.cos(turn), y + radius * math.sin(turn)))
    return out


def moved(points: Iterable[Point], dx: float, dy: float, scale: float = 1.0) -> Points:
    """The points scaled around the origin, then moved."""
    return [(x * scale + dx, y * scale + dy) for x, y in points]


def between(a: Point, b: Point, share: float) -> Point:
    """The point at a share of the way from a to b."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)


def _spline(p0: float, p1: float, p2: float, p3: float, t: float) -> float:
    return 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t * t + (3 * p1 - p0 - 3 * p2 + p3) * t * t * t
    )
