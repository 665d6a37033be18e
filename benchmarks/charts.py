"""Line and bar charts as SVG, drawn with matplotlib. They are legible on light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The output is deterministic: fixed element ids (and, in `write`, no date). Text stays text.
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "studysync",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    **{f"{part}.color": "#7a8594" for part in ("text", "xtick", "ytick", "grid")},
    "axes.labelcolor": "#7a8594",
    "axes.edgecolor": "#7a8594",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.alpha": 0.3,
}
_COLOURS = ("#3f7fe0", "#d07015", "#7a8594", "#2a9a58")
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Lines:
    """A line chart: one line per series.

    Attributes:
        title: names the quantity on the y axis.
        x_title: label of the x axis.
        series: (x, y) points by name; lines are dashed from the fifth series on.
        shade: start and end (in x) of a shaded interval, and its label.
    """

    title: str
    x_title: str
    series: Mapping[str, Points]
    shade: tuple[float, float, str] | None = None

    height = 3.2

    def draw(self, axes: Axes) -> None:
        """Draw into `axes`."""
        for number, (name, points) in enumerate(self.series.items()):
            style = "-" if number < len(_COLOURS) else "--"
            axes.plot(*zip(*points, strict=True), style, color=_COLOURS[number % len(_COLOURS)], label=name)
        if self.shade is not None:
            start, end, name = self.shade
            axes.axvspan(start, end, color="#c8202f", alpha=0.08, linewidth=0, label=name)
        axes.set_xlabel(self.x_title)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")


@dataclass(frozen=True)
class Bars:
    """A stacked bar chart: one bar per row, labelled with its total.

    Attributes:
        title: names what is measured.
        rows: the values of each bar's parts, by the bar's label.
        unit: unit of the values.
        names: names of the parts; no legend is drawn for a single part.
        log: use a logarithmic scale, for values that differ a hundredfold; bars must have a single part.
    """

    title: str
    rows: Mapping[str, Sequence[float]]
    unit: str
    names: Sequence[str]
    log: bool = False

    @property
    def height(self) -> float:
        """Height of the chart in inches."""
        return 0.8 + 0.24 * len(self.rows)

    def draw(self, axes: Axes) -> None:
        """Draw into `axes`."""
        if self.log:
            axes.set_xscale("log")
        labels, ends = list(self.rows), [0.0] * len(self.rows)
        for name, colour, values in zip(self.names, cycle(_COLOURS), zip(*self.rows.values(), strict=True)):
            drawn = axes.barh(labels, values, left=None if self.log else ends, color=colour, label=name)
            ends = [end + value for end, value in zip(ends, values, strict=True)]
        axes.bar_label(drawn, [f"{_number(end)} {self.unit}" for end in ends], padding=4)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.xaxis.set_visible(False)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def write(chart: Lines | Bars, path: Path) -> None:
    """Write the chart to `path` as SVG."""
    import matplotlib as mpl  # installed only for the benchmarks
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.6, chart.height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(chart.title)
        chart.draw(axes)
        if len(axes.get_legend_handles_labels()[1]) > 1:
            figure.legend(loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
