"""A tool behind lines of JSON: `python -m fluvial.oracles.server FILE`, see `rewards.answers.parse_line`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO

from fluvial.core.errors import FluvialError
from fluvial.oracles.tool import Tool, open_tool
from fluvial.rewards.answers import record_of
from fluvial.rewards.function_server import answers_stream, write_lines


def serve(file: Path, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request until there are no more."""
    try:
        tool = open_tool(file)
        tool.check()
        write_lines(answers, {"ready": True})
        for line in requests:
            _answer(tool, json.loads(line), answers)
    except FluvialError as error:
        write_lines(answers, {"fatal": str(error)})


def _answer(tool: Tool, request: dict[str, object], answers: BinaryIO) -> None:
    objects = request["objects"]
    assert isinstance(objects, dict)
    parts = [{key: text} for key, text in objects.items()] if request.get("one_by_one") else [objects]
    for part in parts:
        if request.get("one_by_one"):
            write_lines(answers, *({"id": key, "started": True} for key in part))
        for key, result in tool.evaluate(part):
            write_lines(answers, record_of(key, result))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.stdin.buffer, answers_stream())
