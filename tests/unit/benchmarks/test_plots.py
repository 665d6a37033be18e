"""Plots match the figures. Drawing needs matplotlib, which only `make bench` installs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import plots
from benchmarks.charts import Bars, Lines
from benchmarks.report import RESULTS


def row(name: str, **figures: float) -> dict[str, Any]:
    return {"name": name, "figures": [{"label": label, "median": median} for label, median in figures.items()]}


def test_a_line_goes_through_the_figures_of_its_row() -> None:
    """The number in a label is x, in any notation, and labels of other figures are left out."""
    found = row("API under load, throughput", **{"1 clients": 50.0, "1,000 clients": 400.0, "peak": 9.0})
    ((plot, chart),) = plots.charts({"load": {"rows": [found]}})
    assert (plot.name, plot.row) == ("load-rate", found["name"])
    assert isinstance(chart, Lines)
    assert chart.series == {"responses per second": [(1.0, 50.0), (1000.0, 400.0)]}


def test_a_bar_is_made_of_its_parts() -> None:
    """The first request is what remains of a cold start after imports."""
    whole = row("cold start, time to the first response", ours=500.0, peer=1100.0)
    imports = row("cold start, import time", ours=400.0, peer=900.0)
    ((_, chart),) = plots.charts({"cold_start": {"rows": [whole, imports]}})
    assert isinstance(chart, Bars)
    assert chart.rows == {"ours": [400.0, 100.0], "peer": [900.0, 200.0]}
    assert len(chart.names) == 2


@pytest.mark.parametrize("results", [{}, {"load": {"rows": []}}, {"load": {}}])
def test_a_benchmark_that_did_not_run_has_no_plot(results: dict[str, Any]) -> None:
    """The report includes only the plots that exist."""
    assert list(plots.charts(results)) == []


def test_the_pictures_are_those_of_the_results() -> None:
    """Each available plot is written, and contains its title, labels and series names."""
    found = dict(plots.charts(json.loads(RESULTS.read_text(encoding="utf-8"))))
    assert {f"{plot.name}.svg" for plot in found} == {path.name for path in plots.FOLDER.iterdir()}
    for plot, chart in found.items():
        picture = (plots.FOLDER / f"{plot.name}.svg").read_text(encoding="utf-8")
        labels = chart.rows if isinstance(chart, Bars) else chart.series if len(chart.series) > 1 else ()
        assert [text for text in (chart.title, *labels) if f">{text}<" not in picture] == []
