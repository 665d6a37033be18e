"""Plots say what the figures say, in SVG that every reader of XML accepts."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import plots, svg

_NS = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(picture).iter(f"{_NS}text")]


def test_bars_are_as_long_as_their_values() -> None:
    """Twice the value is twice the length; parts of a bar stand behind one another; labels are escaped."""
    picture = svg.bars("a < b & c", {"one": [1.0, 3.0], "two": [2.0, 6.0]}, "ms", ["import", "rest"])
    found = [
        (float(node.attrib["x"]), float(node.attrib["width"]))
        for node in ET.fromstring(picture).iter(f"{_NS}rect")
        if node.attrib["class"] != "paper"
    ]
    (one, one_rest), (two, two_rest) = found[:2], found[2:]
    assert two[1] == pytest.approx(2 * one[1], abs=0.2)
    assert two_rest[1] == pytest.approx(6 * one[1], abs=0.6)
    assert one_rest[0] == pytest.approx(one[0] + one[1], abs=0.2)
    assert {"a < b & c", "import", "rest", "one", "two", "4 ms", "8 ms"} <= set(texts(picture))


def test_lines_go_through_their_points() -> None:
    """The highest point is highest, x grows to the right, and the axis begins at nothing."""
    picture = svg.lines("t", "clients", {"p50": [(1, 10.0), (10, 40.0), (100, 20.0)]})
    (line,) = ET.fromstring(picture).iter(f"{_NS}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert min(points, key=lambda point: point[1]) == points[1]
    assert {"0", "1", "100", "clients"} <= set(texts(picture))


def test_a_benchmark_that_did_not_run_has_no_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report shows what there is, and every picture that it names is written."""
    monkeypatch.setattr(plots, "FOLDER", tmp_path)
    figures = [{"label": f"{n} clients", "median": 10.0 * n} for n in (1, 10)]
    results = {"load": {"rows": [{"name": "API under load, throughput", "figures": figures}]}}
    assert set(plots.write_plots(results)) == {"API under load, throughput"}
    assert [path.name for path in tmp_path.iterdir()] == ["load-rate.svg"]
    assert plots.write_plots({}) == {}
