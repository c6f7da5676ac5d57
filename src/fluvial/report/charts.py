"""Line charts as inline SVG: several lines, a band between two of them, gaps where values are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fluvial.report.axes import Axis, exact_scale, log_scale, round_scale, tick_labels

Point = tuple[float, float]
Run = list[Point]
"""Neighbouring points without a gap, in order of x."""

WIDTH, HEIGHT = 400, 236
"""Size of a chart in its own units; the page scales it."""
TOP, RIGHT, BOTTOM = 12, 16, 44
"""Margins; the left one depends on the labels."""
N_COLOURS = 6
"""Colours that the page's style sheet knows; further lines repeat them dashed."""
N_BUCKETS = 200
"""Columns (of two units of width) in which a line keeps its first, lowest, highest and last point only."""
_LARGEST = 1e150
"""Beyond it differences may overflow."""


@dataclass(frozen=True)
class Curve:
    """One chart: several lines over a common horizontal axis."""

    title: str
    unit: str
    """Unit of the values; empty where they have none."""
    x_label: str
    series: Mapping[str, Sequence[tuple[float, float | None]]]
    """Name to (x, y) points in any order; a y of None or nan is a gap."""
    band: tuple[str, str] | None = None
    """Names of the two series, lower and upper, that are drawn as one shaded band instead of lines."""
    log_scale: bool = False
    """Whether values are placed by their logarithm; values <= 0 are gaps then."""


def figure(curve: Curve) -> Markup:
    """A `<figure>` with title, chart, and a legend that gives each line's last value."""
    runs = {name: _runs(points, curve.log_scale) for name, points in curve.series.items()}
    drawn = {name: parts for name, parts in runs.items() if parts}
    band = curve.band if curve.band and all(name in drawn for name in curve.band) else None
    lines = {name: parts for name, parts in drawn.items() if not (band and name in band)}
    unit = Markup(' <span class="unit">{}</span>').format(curve.unit) if curve.unit else ""
    return Markup('<figure class="chart"><figcaption>{}{}</figcaption>{}{}</figure>').format(
        curve.title,
        unit,
        _chart(curve, drawn, lines, band) if drawn else Markup('<p class="none">No values yet.</p>'),
        _legend(lines, band),
    )


def _chart(
    curve: Curve, drawn: dict[str, list[Run]], lines: dict[str, list[Run]], band: tuple[str, str] | None
) -> Markup:
    points = [point for runs in drawn.values() for run in runs for point in run]
    y_scale = (log_scale if curve.log_scale else round_scale)([y for _, y in points])
    left = 14 + 6.7 * max(map(len, tick_labels(y_scale)))
    x_axis = Axis(exact_scale([x for x, _ in points]), left, WIDTH - RIGHT)
    y_axis = Axis(y_scale, HEIGHT - BOTTOM, TOP)
    body = [_grid(x_axis, y_axis, curve.x_label)]
    if band:
        body.append(_band(drawn[band[0]], drawn[band[1]], x_axis, y_axis))
    body += [_line(runs, index, x_axis, y_axis) for index, runs in enumerate(lines.values())]
    ends = "".join(f", {name} ends at {_last(runs)}" for name, runs in lines.items())
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" data-x="{}" data-y="{}"{}>{}</svg>'
    ).format(
        WIDTH,
        HEIGHT,
        f"{curve.title} over {curve.x_label}{ends}",
        _span(x_axis),
        _span(y_axis),
        Markup(' data-log=""') if curve.log_scale else "",
        Markup("").join(body),
    )


def _span(axis: Axis) -> str:
    """What a script needs to read a value from a place."""
    return f"{axis.scale.low!r} {axis.scale.high!r} {axis.start:.1f} {axis.end:.1f}"


def _runs(points: Sequence[tuple[float, float | None]], is_log: bool) -> list[Run]:
    lowest = 1.0 / _LARGEST if is_log else -_LARGEST
    runs: list[Run] = [[]]
    for x, y in sorted((point for point in points if abs(point[0]) < _LARGEST), key=lambda point: point[0]):
        if y is not None and lowest < y < _LARGEST:
            runs[-1].append((float(x), float(y)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _thinned(run: Run, axis: Axis) -> Run:
    """The points that can be told apart in the drawing; peaks stay."""
    if len(run) <= 4 * N_BUCKETS:
        return run
    buckets: dict[int, Run] = {}
    for point in run:
        buckets.setdefault(int(axis.place(point[0]) / 2), []).append(point)
    kept: Run = []
    for bucket in buckets.values():
        lowest, highest = min(bucket, key=lambda point: point[1]), max(bucket, key=lambda point: point[1])
        kept += sorted({bucket[0], lowest, highest, bucket[-1]})
    return kept


def _grid(x_axis: Axis, y_axis: Axis, x_label: str) -> Markup:
    left, right, bottom = round(x_axis.start, 1), x_axis.end, y_axis.start
    parts = [
        Markup(
            '<path class="grid" d="M{} {:.1f}H{}"/><text class="y" x="{:.1f}" y="{:.1f}">{}</text>'
        ).format(left, y_axis.place(tick), right, left - 8, y_axis.place(tick) + 4, label)
        for tick, label in zip(y_axis.scale.ticks, tick_labels(y_axis.scale), strict=True)
    ]
    parts += [
        Markup('<path class="tick" d="M{0:.1f} {1}v4"/><text x="{0:.1f}" y="{2}">{3}</text>').format(
            x_axis.place(tick), bottom, bottom + 18, label
        )
        for tick, label in zip(x_axis.scale.ticks, tick_labels(x_axis.scale), strict=True)
    ]
    name = Markup('<text class="place" x="{:.1f}" y="{}">{}</text>').format(
        (left + right) / 2, HEIGHT - 5, x_label
    )
    base = Markup('<path class="axis" d="M{} {}H{}"/><path class="mark" d=""/>').format(left, bottom, right)
    return Markup("").join([*parts, base, name])


def _line(runs: list[Run], index: int, x_axis: Axis, y_axis: Axis) -> Markup:
    data = "".join("M" + _path(_thinned(run, x_axis), x_axis, y_axis) for run in runs if len(run) > 1)
    dots = [
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x_axis.place(x), y_axis.place(y))
        for (x, y), *others in runs
        if not others
    ]
    return Markup('<g class="{}"><path class="line" d="{}"/>{}</g>').format(
        _colour(index), data, Markup("").join(dots)
    )


def _band(lower: list[Run], upper: list[Run], x_axis: Axis, y_axis: Axis) -> Markup:
    """The area between two series, where both have a value."""
    tops = {x: y for run in upper for x, y in run}
    data = ""
    for run in lower:
        for part in _runs([(x, y if x in tops else None) for x, y in run], is_log=False):
            top = _thinned([(x, tops[x]) for x, _ in part], x_axis)
            bottom = _thinned(part, x_axis)[::-1]
            data += f"M{_path(top, x_axis, y_axis)}L{_path(bottom, x_axis, y_axis)}Z"
    return Markup('<path class="s0 band" d="{}"/>').format(data)


def _path(points: Run, x_axis: Axis, y_axis: Axis) -> str:
    return "L".join(f"{x_axis.place(x):.1f} {y_axis.place(y):.1f}" for x, y in points)


def _colour(index: int) -> str:
    return f"s{index % N_COLOURS}" + (" again" if index >= N_COLOURS else "")


def _last(runs: list[Run]) -> str:
    return f"{runs[-1][-1][1]:.4g}".replace("-", "\N{MINUS SIGN}")


def _legend(lines: dict[str, list[Run]], band: tuple[str, str] | None) -> Markup:
    entries = [
        Markup('<li class="{}"><i></i>{} <b>{}</b></li>').format(_colour(index), name, _last(runs))
        for index, (name, runs) in enumerate(lines.items())
    ]
    if band:
        entries.append(Markup('<li class="s0 area"><i></i>{} to {}</li>').format(*band))
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(entries)) if entries else Markup("")
