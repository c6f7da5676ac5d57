"""Say how a retrosynthesis program would make molecules: AiZynthFinder 4 as a worker's program.

    fluvial worker jobs.db --exec "/opt/aizynth/bin/python retrosynthesis_server.py config.yml"

runs it in an environment without Fluvial. Lines of JSON come in and go out. For another program, write
another `search`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from aizynthfinder.aizynthfinder import AiZynthFinder


def load(path: str) -> AiZynthFinder:
    """The program with the first expansion policy of its configuration, and all stocks and filters."""
    finder = AiZynthFinder(configfile=path)
    if not finder.expansion_policy.items or not finder.stock.items:
        raise ValueError("it must name a stock and an expansion policy")
    finder.stock.select(finder.stock.items)
    finder.expansion_policy.select(finder.expansion_policy.items[0])
    if finder.filter_policy.items:
        finder.filter_policy.select(finder.filter_policy.items)
    return finder


def search(finder: AiZynthFinder, smiles: str) -> dict[str, float | None]:
    """Of the best route: 1 if all it starts from is in stock, else 0; its steps if it is; its score."""
    finder.target_smiles = smiles
    finder.tree_search()
    finder.build_routes()
    found = finder.extract_statistics()
    is_solved = bool(found["is_solved"])
    steps = float(found["number_of_steps"]) if is_solved else None
    return {"solved": float(is_solved), "steps": steps, "score": float(found["top_score"])}


def answer(finder: AiZynthFinder, key: str, smiles: str) -> dict[str, Any]:
    """The answer for a molecule; an error is of this one alone."""
    try:
        return {"id": key, "values": search(finder, smiles)}
    except Exception as error:  # whatever the program raises, the other molecules can be searched
        return {"id": key, "error": f"no search was possible: {error}"}


def tell(record: Mapping[str, Any]) -> None:
    """A line for the worker."""
    print(json.dumps(record), flush=True)


def main(path: str) -> None:
    """Load the program, then answer line by line, one molecule after the other."""
    try:
        finder = load(path)
    except Exception as error:  # of many libraries, and none of them can be mended here
        return tell({"fatal": f"{path} cannot be used: {error}"})
    tell({"ready": True})
    for line in sys.stdin:
        for key, smiles in json.loads(line)["objects"].items():
            tell({"id": key, "started": True})
            tell(answer(finder, key, smiles))


if __name__ == "__main__":
    main(sys.argv[1])
