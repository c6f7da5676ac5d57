from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from fluvial.report.charts import HEIGHT, WIDTH, Curve, figure

Series = dict[str, list[tuple[float, float | None]]]


def parsed(curve: Curve) -> ElementTree.Element:
    return ElementTree.fromstring(str(figure(curve)))


def texts(tree: ElementTree.Element, path: str) -> list[str]:
    return ["".join(node.itertext()) for node in tree.iterfind(path)]


def line_data(tree: ElementTree.Element) -> list[str]:
    return [node.attrib["d"] for node in tree.iterfind(".//path[@class='line']")]


def test_a_line_goes_from_corner_to_corner() -> None:
    tree = parsed(Curve("Reward", "", "step", {"mean": [(0, 0.0), (10, 1.0)]}))
    (data,) = line_data(tree)
    (x0, y0), (x1, y1) = (map(float, pair.split()) for pair in data[1:].split("L"))
    assert (y0, y1) == (HEIGHT - 44, 12)
    assert 14 < x0 < 60
    assert x1 == WIDTH - 16


def test_axes_have_ticks_units_and_names() -> None:
    tree = parsed(Curve("Loss", "nats", "step", {"loss": [(0, 0.0), (100, 6.0)]}))
    assert texts(tree, "figcaption") == ["Loss nats"]
    assert texts(tree, ".//text[@class='y']") == ["0", "1", "2", "3", "4", "5", "6"]
    assert "step" in texts(tree, ".//text")
    assert "100" in texts(tree, ".//text")


def test_the_legend_gives_the_last_values() -> None:
    tree = parsed(Curve("R", "", "step", {"a": [(0, 1.0), (1, 0.12345)], "b": [(0, -2.0), (1, math.nan)]}))
    assert texts(tree, ".//li") == ["a 0.1235", "b \N{MINUS SIGN}2"]


def test_missing_values_break_the_line() -> None:
    points = [(0, 1.0), (1, 2.0), (2, None), (3, math.nan), (4, 2.0), (5, 1.0), (6, math.inf), (7, 3.0)]
    tree = parsed(Curve("R", "", "step", {"a": points}))
    (data,) = line_data(tree)
    assert [part.count("L") for part in data[1:].split("M")] == [1, 1]
    # The last value stands alone: a dot, since a line of one point is invisible.
    assert len(list(tree.iter("circle"))) == 1


def test_one_point_is_a_dot() -> None:
    tree = parsed(Curve("R", "", "step", {"a": [(5, 0.5)]}))
    assert len(list(tree.iter("circle"))) == 1
    assert line_data(tree) == [""]


def test_without_values_the_chart_says_so() -> None:
    empty: list[Series] = [{}, {"a": []}, {"a": [(0, None)]}, {"a": [(math.nan, 1.0)]}]
    for series in empty:
        tree = parsed(Curve("R", "", "step", series))
        assert texts(tree, "p") == ["No values yet."]
        assert not list(tree.iter("svg"))


def test_a_constant_series_is_a_level_line() -> None:
    (data,) = line_data(parsed(Curve("R", "", "step", {"a": [(0, 0.0), (1, 0.0), (2, 0.0)]})))
    assert len({pair.split()[1] for pair in data[1:].split("L")}) == 1


def test_points_are_drawn_in_order_of_x() -> None:
    forward = Curve("R", "", "step", {"a": [(0, 1.0), (1, 2.0), (2, 0.0)]})
    mixed = Curve("R", "", "step", {"a": [(2, 0.0), (0, 1.0), (1, 2.0)]})
    assert figure(forward) == figure(mixed)


def test_two_series_can_be_a_band() -> None:
    series: Series = {
        "10%": [(0, 0.0), (1, 0.2), (2, None), (3, 0.2), (4, 0.1)],
        "median": [(0, 0.5), (1, 0.5), (2, 0.5), (3, 0.5), (4, 0.5)],
        "90%": [(0, 1.0), (1, 0.9), (2, 0.9), (3, 0.8), (4, 0.9)],
    }
    tree = parsed(Curve("R", "", "step", series, band=("10%", "90%")))
    (band,) = [node.attrib["d"] for node in tree.iter("path") if "band" in node.attrib.get("class", "")]
    assert [part.count("L") for part in band.split("Z")[:-1]] == [3, 3]
    assert len(line_data(tree)) == 1
    assert texts(tree, ".//li") == ["median 0.5", "10% to 90%"]


def test_a_band_breaks_where_only_the_upper_value_is_missing() -> None:
    series: Series = {
        "low": [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0)],
        "high": [(0, 1.0), (1, 1.0), (2, None), (3, 1.0), (4, 1.0)],
    }
    tree = parsed(Curve("R", "", "step", series, band=("low", "high")))
    (band,) = [node.attrib["d"] for node in tree.iter("path") if "band" in node.attrib.get("class", "")]
    assert band.count("M") == 2


def test_a_band_without_its_series_leaves_lines() -> None:
    tree = parsed(Curve("R", "", "step", {"low": [(0, 0.0), (1, 1.0)]}, band=("low", "high")))
    assert texts(tree, ".//li") == ["low 1"]


def test_a_log_chart_leaves_out_what_has_no_logarithm() -> None:
    curve = Curve("Loss", "", "step", {"a": [(0, 1.0), (1, 0.0), (2, -1.0), (3, 1000.0)]}, log_scale=True)
    tree = parsed(curve)
    assert texts(tree, ".//text[@class='y']") == ["1", "10", "100", "1,000"]
    assert len(list(tree.iter("circle"))) == 2


def test_long_series_are_thinned_but_keep_their_peak() -> None:
    points = [(float(x), 0.1 * math.sin(x)) for x in range(50_000)]
    points[31_234] = (31_234.0, 5.0)
    text = str(figure(Curve("R", "", "step", {"a": points})))
    assert len(text) < 20_000
    top = min(
        float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", line_data(ElementTree.fromstring(text))[0])
    )
    assert top == 12.0


def test_hostile_texts_are_escaped() -> None:
    nasty = "<script>alert(1)</script>\"'&"
    text = str(figure(Curve(nasty, nasty, nasty, {nasty: [(0, 1.0), (1, 2.0)]})))
    assert "<script" not in text
    tree = ElementTree.fromstring(text)
    assert nasty in texts(tree, "figcaption")[0]
    assert nasty in texts(tree, ".//li")[0]


def test_many_series_all_get_a_style() -> None:
    series = {f"s{i}": [(0, float(i)), (1, float(i))] for i in range(8)}
    tree = parsed(Curve("R", "", "step", series))
    assert [node.attrib["class"] for node in tree.iter("li")][5:] == ["s5", "s0 again", "s1 again"]
