"""Small charts as SVG: lines over a number, and bars. They follow the reader's light or dark colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LEFT, RIGHT, TOP = 760, 64, 24, 58
_PLOT, _ROW, _LABELS = 220, 22, 250
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #3d4757 } .title { font-weight: 600; font-size: 14px; fill: #16202e }
.grid { stroke: #dfe4ea } .shade { fill: #c8202f; opacity: .08 } polyline { fill: none !important; stroke-width: 2 }
.a { stroke: #1f5fd0; fill: #1f5fd0 } .b { stroke: #c05a00; fill: #c05a00 } .c { stroke: #5f7186; fill: #5f7186 }
.d { stroke: #1a8045; fill: #1a8045 } text.a, text.b, text.c, text.d { stroke: none } .paper { fill: #fff }
.dash { stroke-dasharray: 6 4 } rect { stroke: none }
@media (prefers-color-scheme: dark) {
 .paper { fill: #12171f } text { fill: #aab4c2 } .title { fill: #eef2f7 } .grid { stroke: #2b3441 }
 .a { stroke: #78a9ff; fill: #78a9ff } .b { stroke: #f0a35a; fill: #f0a35a } .c { stroke: #8a9bb0; fill: #8a9bb0 }
 .d { stroke: #5cc98a; fill: #5cc98a }
}"""
_COLOURS = "abcd"
Points = Sequence[tuple[float, float]]


def lines(
    title: str, x_title: str, series: Mapping[str, Points], *, shade: tuple[float, float, str] | None = None
) -> str:
    """Draw one line a name over a common axis.

    Args:
        title: stands above, and says what the y axis is.
        x_title: stands below the x axis.
        series: points of x and y by name, eight names at most; the second four are dashed.
        shade: from and until where the background is marked, and what it is called.
    """
    points = [point for found in series.values() for point in found]
    ticks = _ticks(max(y for _, y in points))
    first, last = min(x for x, _ in points), max(x for x, _ in points)

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + (x - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT), TOP + _PLOT * (1 - y / ticks[-1])

    parts = []
    if shade is not None:
        (left, _), (right, _) = at(shade[0], 0), at(shade[1], 0)
        parts.append(_rect("shade", left, TOP, right - left, _PLOT) + _text((left + right) / 2, TOP + 14, shade[2]))
    for tick in ticks:
        _, y = at(0, tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(_text(LEFT - 8, y + 4, _number(tick), anchor="end"))
    # One label a place: numbers that would overlap are left out.
    free = -math.inf
    for x in sorted({x for x, _ in points}):
        if (place := at(x, 0)[0]) >= free:
            parts.append(_text(place, TOP + _PLOT + 18, _number(x)))
            free = place + 44
    for number, found in enumerate(series.values()):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in found))
        parts.append(f'<polyline class="{_class(number)}" points="{path}"/>')
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, TOP + _PLOT + 38, x_title))
    if len(series) > 1:
        parts.append(_legend(list(series)))
    return _frame(title, TOP + _PLOT + 52, parts)


def bars(title: str, rows: Mapping[str, Sequence[float]], unit: str, names: Sequence[str], *, log: bool = False) -> str:
    """Draw one bar a row, made of the parts called `names`, with its sum beside it.

    Args:
        title: stands above.
        rows: the parts' values by label.
        unit: of the values.
        names: of the parts; one alone needs no legend.
        log: lengths by the logarithm, for values that differ a hundredfold; for one part only.
    """
    room = WIDTH - _LABELS - RIGHT - 84
    sums = [sum(values) for values in rows.values()]
    lowest = min(sums) / 2

    def length(value: float) -> float:
        if log:
            return math.log(value / lowest) / math.log(max(sums) / lowest) * room
        return value / max(sums) * room

    parts, top = [], TOP if len(names) > 1 else TOP - 20
    for number, (label, values) in enumerate(rows.items()):
        y, x = top + number * _ROW, float(_LABELS)
        parts.append(_text(_LABELS - 8, y + 13, label, anchor="end"))
        for colour, value in zip(_COLOURS, values, strict=False):
            parts.append(_rect(colour, x, y, length(value), _ROW - 6))
            x += length(value)
        parts.append(_text(x + 6, y + 13, f"{_number(sum(values))} {unit}".strip(), anchor="start"))
    return _frame(title, top + len(rows) * _ROW + 10, [*parts, _legend(names) if len(names) > 1 else ""])


def _frame(title: str, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    body = "\n".join(part for part in parts if part)
    paper = f'<rect class="paper" width="{WIDTH}" height="{height:.0f}" rx="8"/>'
    name = f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>"
    return f'{head}\n{name}\n{paper}\n<text class="title" x="16" y="24">{escape(title)}</text>\n{body}\n</svg>\n'


def _legend(names: Sequence[str]) -> str:
    parts, x = [], 16.0
    for number, name in enumerate(names):
        parts.append(f'<polyline class="{_class(number)}" points="{x:.0f},42 {x + 20:.0f},42"/>')
        parts.append(_text(x + 26, 46, name, anchor="start"))
        x += 44 + 6.6 * len(name)
    return "\n".join(parts)


def _class(number: int) -> str:
    return _COLOURS[number % 4] + (" dash" if number >= len(_COLOURS) else "")


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _ticks(most: float) -> list[float]:
    """Return round numbers from 0 to at least `most`, five of them or so."""
    size = 10.0 ** math.floor(math.log10(most or 1))
    step = next(size * part for part in (0.2, 0.5, 1, 2, 5) if most / (size * part) <= 5.0)
    return [step * number for number in range(math.ceil(most / step) + 1)]


def _number(value: float) -> str:
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 or value == int(value) else f"{value:.1f}" if size >= 10 else f"{value:.2g}"
