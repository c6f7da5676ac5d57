"""Small SVG pictures of molecules, rebuilt from RDKit's drawing: no text of the input reaches the page."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup
from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

WIDTH, HEIGHT = 260, 180
"""Size of a picture in its own units; the page scales it."""
MAX_ATOMS = 150
"""Larger molecules are unreadable at this size and slow to lay out (arbitrary)."""
MAX_CHARACTERS = 2000
"""Longer SMILES are not parsed (arbitrary)."""

# Darker than RDKit's palette, so that each letter reads well on white (contrast at least 4.5).
_PALETTE = {
    0: (0.38, 0.38, 0.38),
    5: (0.65, 0.33, 0.20),
    7: (0.13, 0.32, 0.72),
    8: (0.77, 0.16, 0.13),
    9: (0.10, 0.46, 0.36),
    15: (0.70, 0.32, 0.04),
    16: (0.52, 0.42, 0.00),
    17: (0.13, 0.47, 0.18),
    35: (0.52, 0.26, 0.10),
    53: (0.42, 0.20, 0.58),
}
_PATH = re.compile(r"<path [^>]*?\bd='([^']*)' (?:style='([^']*)'|fill='(#[0-9A-Fa-f]{6})')")
_STYLE = re.compile(r"(fill|stroke|stroke-width|stroke-dasharray):(#[0-9A-Fa-f]{6}|none|[\d.,]+)")
_DATA = re.compile(r"([A-Z])|(-?\d+(?:\.\d+)?)")


def picture(smiles: str, identity: str) -> Markup | None:
    """An SVG element with the 2D drawing of a molecule, or None where the text is no drawable molecule.

    `identity` is the `id` of the drawn group, which further `<use>` elements of the page may show again.
    """
    molecule = _parsed(smiles)
    if molecule is None:
        return None
    drawing = "".join(_merged(_drawn(molecule)))
    # Safe: `drawing` holds nothing but path letters, numbers and colours that `_merged` let through.
    paths = Markup(drawing)  # noqa: S704
    return Markup(
        '<svg viewBox="0 0 {} {}" aria-hidden="true"><g id="{}" fill="none" stroke="#000" stroke-width="1.6"'
        ' stroke-linecap="round" stroke-linejoin="round">{}</g></svg>'
    ).format(WIDTH, HEIGHT, identity, paths)


def _parsed(smiles: str) -> Chem.Mol | None:
    if len(smiles) > MAX_CHARACTERS or not smiles.isascii():
        return None
    # Extensions could carry labels of their own, which are text and not chemistry.
    parameters: Any = Chem.SmilesParserParams()
    parameters.allowCXSMILES = False
    parameters.parseName = False
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, parameters)
    return molecule if molecule is not None and 0 < molecule.GetNumAtoms() <= MAX_ATOMS else None


def _drawn(molecule: Chem.Mol) -> str:
    rdDepictor.Compute2DCoords(molecule)
    rdDepictor.StraightenDepiction(molecule)
    canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options: Any = canvas.drawOptions()
    options.clearBackground = False
    options.fixedBondLength = 26  # small molecules keep the bond length of large ones
    options.padding = 0.04
    options.updateAtomPalette(_PALETTE)
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    return str(canvas.GetDrawingText())


def _merged(svg: str) -> list[str]:
    """One path element for each style in the drawing; most of RDKit's text is the same style said again."""
    groups: dict[str, list[str]] = {}
    for data, style, letter_colour in _PATH.findall(svg):
        known = dict(_STYLE.findall(style)) if style else {"fill": letter_colour, "stroke-width": "0"}
        groups.setdefault(_attributes(known), []).append(_compact(data))
    return [f'<path{attributes} d="{"".join(parts)}"/>' for attributes, parts in groups.items()]


def _attributes(style: dict[str, str]) -> str:
    stroke, width = style.get("stroke", "#000000"), float(style.get("stroke-width", "2.0"))
    text = ""
    if style.get("fill", "none") != "none":
        text += f' fill="{style["fill"]}"'
        # Letters are outlines with holes; solid wedges may overlap and must not.
        text += ' fill-rule="evenodd" stroke="none"' if width == 0.0 else ' stroke-width=".5"'
    elif width < 2.0:
        text += f' stroke-width="{width * 0.8:.1f}"'
    if stroke != "#000000" and width > 0.0:
        text += f' stroke="{stroke}"'
    if "stroke-dasharray" in style:
        text += f' stroke-dasharray="{style["stroke-dasharray"]}"'
    return text


def _compact(data: str) -> str:
    """Path data with numbers rounded to 0.1 and no needless characters."""
    parts: list[str] = []
    for letter, number in _DATA.findall(data):
        text = letter or f"{float(number):.1f}".removesuffix(".0")
        if number and parts and not parts[-1].isalpha() and not text.startswith("-"):
            parts.append(" ")
        parts.append(text)
    return "".join(parts)
