"""The picture of a route: molecules from left to right, each block above the arrow where it reacts."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fluvial.chem.synthesis.routes import Route
from fluvial.report.depict import HEIGHT, WIDTH, picture

ARROW = 150
"""Width of an arrow with its words."""
LINE = 18
"""Height of a line of words."""
LONGEST_WORDS = 24
"""Characters of a reaction's name in one line."""
N_LINES = 3


def route_picture(route: Route, identity: str) -> Markup:
    """An SVG element with the route.

    Args:
        route: as it is run.
        identity: begins the names of its parts, and is unique on a page.
    """
    n_steps = len(route.steps)
    width = (n_steps + 1) * WIDTH + n_steps * ARROW
    height = 2 * HEIGHT + 2 * LINE
    parts: list[Markup] = []
    start = _first(route)
    parts.append(_molecule(start, 0, HEIGHT, f"{identity}s", _label(route, start)))
    for number, step in enumerate(route.steps):
        left = (number + 1) * WIDTH + number * ARROW
        current = start if number == 0 else route.steps[number - 1].product
        parts.append(_arrow(left, step.template.name or step.template.identifier))
        other = _other(step.reactants, current)
        if other is not None:
            centre = left + ARROW // 2 - WIDTH // 2
            parts.append(_molecule(other, centre, 0, f"{identity}b{number}", _label(route, other)))
        parts.append(_molecule(step.product, left + ARROW, HEIGHT, f"{identity}p{number}", ""))
    return _sheet(width, height, Markup("").join(parts))


def routes_picture(routes: Sequence[Route]) -> Markup:
    """One SVG element with all routes, one below the other."""
    drawn = [route_picture(route, f"route{number}") for number, route in enumerate(routes)]
    row = 2 * HEIGHT + 3 * LINE
    most = max((len(route.steps) for route in routes), default=0)
    placed = [Markup('<svg y="{}">{}</svg>').format(row * place, one) for place, one in enumerate(drawn)]
    return _sheet((most + 1) * WIDTH + most * ARROW, row * len(drawn), Markup("").join(placed))


def _sheet(width: int, height: int, content: Markup) -> Markup:
    return Markup(
        '<svg class="drawing" xmlns="http://www.w3.org/2000/svg" width="{}" height="{}" viewBox="0 0 {} {}"'
        ' role="img" font-family="sans-serif" font-size="13" text-anchor="middle">{}</svg>'
    ).format(width, height, width, height, content)


def _first(route: Route) -> str:
    """The molecule that the others are added to."""
    return route.steps[0].reactants[0] if route.steps else route.product


def _other(reactants: tuple[str, ...], current: str) -> str | None:
    """What reacts with `current`; None where it reacts alone."""
    left = list(reactants)
    left.remove(current)
    return left[0] if left else None


def _label(route: Route, smiles: str) -> str:
    block = next((block for block in route.blocks if block.smiles == smiles), None)
    if block is None:
        return ""
    price = None if block.price is None else f"{block.price:g}"
    return ", ".join(word for word in (block.identifier, block.supplier, price) if word)


def _molecule(smiles: str, x: int, y: int, identity: str, label: str) -> Markup:
    drawn = picture(smiles, identity)
    inner = Markup('<text x="{}" y="{}">{}</text>').format(WIDTH // 2, HEIGHT // 2, smiles)
    words = Markup('<text x="{}" y="{}">{}</text>').format(x + WIDTH // 2, y + HEIGHT + LINE - 4, label)
    return Markup('<svg x="{}" y="{}" width="{}" height="{}">{}</svg>{}').format(
        x, y, WIDTH, HEIGHT, inner if drawn is None else drawn, words if label else ""
    )


def _arrow(left: int, name: str) -> Markup:
    y = HEIGHT + HEIGHT // 2
    head = Markup('<path d="M{} {}l-9 -5v10z" fill="#333"/>').format(left + ARROW - 10, y)
    line = Markup('<path d="M{} {}H{}" stroke="#333" stroke-width="1.6"/>').format(
        left + 10, y, left + ARROW - 16
    )
    words = [
        Markup('<text x="{}" y="{}">{}</text>').format(left + ARROW // 2, y + LINE * (number + 1), text)
        for number, text in enumerate(_lines(name))
    ]
    return Markup("").join([line, head, *words])


def _lines(name: str) -> list[str]:
    """The words of a name in a few short lines; the last one ends in dots where there are more."""
    lines = [""]
    for word in name.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > LONGEST_WORDS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if len(lines) <= N_LINES else [*lines[: N_LINES - 1], f"{lines[N_LINES - 1]}…"]
