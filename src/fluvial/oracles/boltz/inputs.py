"""Inputs of Boltz: the target with one ligand, as YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fluvial.core.errors import ConfigError
from fluvial.oracles.boltz.target import BoltzTarget, ChainConfig, CofactorConfig, Place, TemplateConfig

LIGAND = "<LIGAND>"
LIGAND_ID = "<LIGAND-ID>"
OWN_MSA = ("empty", "server")
_FILE = re.compile(
    r"""(?m)(?P<key>(?:^|(?<=[\s{,]))["']?(?:msa|cif|pdb)["']?[ \t]*:[ \t]*)"""
    r"""(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s"'#,{}\[\]][^\n,{}#]*?)(?=[ \t]*(?:[,}#]|$))"""
)
"""A key of Boltz's YAML that names a file, and its value."""
_NO_FILE = ("empty", "0", "-1", "null", "~", "")
_QUOTED = re.compile(rf"""(['"]?){LIGAND}\1""")


def input_text(target: BoltzTarget, smiles: str, base: Path, alignments: Mapping[str, Path]) -> str:
    """An input of Boltz. It is JSON, which every reader of YAML reads.

    Args:
        target: what is bound to.
        smiles: of the ligand.
        base: folder that relative paths start from.
        alignments: sequence of a protein to its alignment, where the server has made it.
    """
    if target.input is not None:
        template = (base / Path(target.input).expanduser()).read_text(encoding="utf-8")
        return filled_template(rooted(template, base), smiles)
    chains = [_chain(one, base, alignments) for one in target.chain]
    cofactors = [_cofactor(one) for one in target.cofactor]
    ligand = {"ligand": {"id": target.ligand_id, "smiles": smiles}}
    document: dict[str, Any] = {
        "version": 1,
        "sequences": [*chains, *cofactors, ligand],
        "properties": [{"affinity": {"binder": target.ligand_id}}],
    }
    if constraints := _constraints(target):
        document["constraints"] = constraints
    if target.template:
        document["templates"] = [_template(one, base) for one in target.template]
    return json.dumps(document, indent=1)


def filled_template(template: str, smiles: str) -> str:
    """A YAML file of the user with the ligand in place of <LIGAND>, and its chain in place of <LIGAND-ID>."""
    free = next(
        letter
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        if not re.search(rf"\bid:\s*(\[[^\]]*)?['\"]?\b{letter}\b", template)
    )
    # A function, because a SMILES may hold backslashes, which a replacement would read.
    return _QUOTED.sub(lambda _: json.dumps(smiles), template.replace(LIGAND_ID, free))


def rooted(template: str, base: Path) -> str:
    """A YAML file of the user whose names of files start at `base`, because Boltz runs in another folder."""

    def place(match: re.Match[str]) -> str:
        name = _file_of(match)
        return (
            match[0] if name is None else f"{match['key']}{json.dumps(str(base / Path(name).expanduser()))}"
        )

    return _FILE.sub(place, template)


def files_in(template: str) -> list[str]:
    """Names of the alignments and structures in a YAML file of the user."""
    return [name for match in _FILE.finditer(template) if (name := _file_of(match)) is not None]


def _file_of(match: re.Match[str]) -> str | None:
    """What a key names; None in a comment, and where it is a word of Boltz."""
    line = match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()]
    name = match["value"].strip("\"'")
    return None if re.search(r"(^|\s)#", line) or name in _NO_FILE else name


def named_files(target: BoltzTarget, base: Path) -> list[str]:
    """Names of all files on which an answer depends, as the target file or the YAML file in it has them.

    Raises:
        ConfigError: the YAML file is not there.
    """
    named = [one.msa for one in target.chain if one.msa not in (None, *OWN_MSA)]
    named += [one.file for one in target.template]
    if target.input is not None:
        path = base / Path(target.input).expanduser()
        if not path.is_file():
            raise ConfigError(f"{target.input}: no such file (looked for {path})")
        named += [target.input, *files_in(path.read_text(encoding="utf-8"))]
    return [name for name in named if name is not None]


def check_files(target: BoltzTarget, base: Path) -> None:
    """Nothing, if all files that a target names are there.

    Raises:
        ConfigError: one is not, or the template has no place for the ligand.
    """
    for name in named_files(target, base):
        if not (base / Path(name).expanduser()).is_file():
            raise ConfigError(f"{name}: no such file (looked for {base / Path(name).expanduser()})")
    if target.input is not None:
        path = base / Path(target.input).expanduser()
        text = path.read_text(encoding="utf-8")
        if LIGAND not in text:
            raise ConfigError(f"{path} has no {LIGAND}, in the place of which the SMILES goes")
        if "affinity" not in text:
            raise ConfigError(f"{path} does not ask for an affinity: add it under properties")


def _chain(chain: ChainConfig, base: Path, alignments: Mapping[str, Path]) -> dict[str, Any]:
    content: dict[str, Any] = {"id": _names(chain.id), "sequence": chain.sequence}
    if chain.msa == "server":
        if chain.sequence in alignments:
            content["msa"] = str(alignments[chain.sequence])
    elif chain.msa is not None:
        content["msa"] = "empty" if chain.msa == "empty" else str(base / Path(chain.msa).expanduser())
    if chain.modification:
        content["modifications"] = [{"position": m.position, "ccd": m.ccd} for m in chain.modification]
    if chain.cyclic:
        content["cyclic"] = True
    return {chain.kind: content}


def _cofactor(cofactor: CofactorConfig) -> dict[str, Any]:
    what = {"ccd": cofactor.ccd} if cofactor.ccd is not None else {"smiles": cofactor.smiles}
    return {"ligand": {"id": _names(cofactor.id), **what}}


def _constraints(target: BoltzTarget) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if (pocket := target.pocket) is not None:
        contacts = [list(place) for place in pocket.contacts]
        asked = {"binder": target.ligand_id, "contacts": contacts}
        found.append({"pocket": {**asked, "max_distance": pocket.max_distance, "force": pocket.force}})
    for one in target.contact:
        ends = {"token1": list(one.token1), "token2": list(one.token2)}
        found.append({"contact": {**ends, "max_distance": one.max_distance, "force": one.force}})
    found += [{"bond": {"atom1": _atom(one.atom1), "atom2": _atom(one.atom2)}} for one in target.bond]
    return found


def _atom(place: Place) -> list[str | int]:
    return list(place)


def _template(template: TemplateConfig, base: Path) -> dict[str, Any]:
    path = base / Path(template.file).expanduser()
    content: dict[str, Any] = {"pdb" if path.suffix.lower() == ".pdb" else "cif": str(path)}
    for key, names in {"chain_id": template.chain_id, "template_id": template.template_id}.items():
        if names is not None:
            content[key] = _names(names)
    if template.force:
        content["force"] = True
    if template.threshold is not None:
        content["threshold"] = template.threshold
    return content


def _names(names: tuple[str, ...]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)
