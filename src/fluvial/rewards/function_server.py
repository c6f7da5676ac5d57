"""A user's function behind lines of JSON: the program that `function_process` keeps running."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import DataError, FluvialError
from fluvial.rewards.answers import record_of, result_of
from fluvial.rewards.calls import Failure, Row, call_function
from fluvial.rewards.function import load_function, takes_molecules
from fluvial.rewards.kept_process import KeptProcess

Function = Callable[..., object]
PR_SET_PDEATHSIG = 1


def function_process(spec: str, base: Path, timeout_seconds: float | None = None) -> KeptProcess:
    """An `Evaluator` by the function that "file.py:function" names, in a process of its own.

    What the function raises, and values that are no numbers, are failures of single objects; what ends its
    interpreter, or takes more than `timeout_seconds`, costs one attempt of one object.
    """
    command = [sys.executable, "-m", "fluvial.rewards.function_server", spec, str(base.resolve())]
    return KeptProcess(command, timeout_seconds, names_culprits=True)


def serve(spec: str, base: Path, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request until there are no more."""
    try:
        function = load_function(spec, base)
    except FluvialError as error:
        write_lines(answers, {"fatal": str(error)})
        return
    write_lines(answers, {"ready": True})
    for line in requests:
        request = json.loads(line)
        objects: dict[str, str] = request["objects"]
        if request.get("one_by_one"):
            for key, text in objects.items():
                write_lines(answers, {"id": key, "started": True})
                _write_rows(answers, [key], rows_of(function, [text]))
        else:
            _write_rows(answers, list(objects), rows_of(function, list(objects.values())))


def rows_of(function: Function, texts: Sequence[str]) -> list[Row]:
    """What a function says of each object, which it gets as text, or as a molecule if it wants molecules."""
    if not takes_molecules(function):
        return call_function(function, texts)
    molecules: dict[int, object] = {}
    rows: dict[int, Row] = {}
    for index, text in enumerate(texts):
        try:
            molecules[index] = parse_smiles(text)
        except DataError as error:
            rows[index] = Failure(str(error))
    found = call_function(function, list(molecules.values()))
    rows |= dict(zip(molecules, found, strict=True))
    return [rows[index] for index in range(len(texts))]


def _write_rows(answers: BinaryIO, keys: Sequence[str], rows: Sequence[Row]) -> None:
    write_lines(answers, *(_record(key, row) for key, row in zip(keys, rows, strict=True)))


def _record(key: str, row: Row) -> dict[str, object]:
    if isinstance(row, float):
        return {"id": key, "value": row}
    return record_of(key, result_of(row))


def write_lines(answers: BinaryIO, *records: Mapping[str, object]) -> None:
    """Write each record as a line of JSON, at once."""
    answers.write("".join(f"{json.dumps(record)}\n" for record in records).encode())
    answers.flush()


def die_with_parent() -> None:
    """End this process together with the worker, also if that is killed while the function hangs (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def answers_stream() -> BinaryIO:
    """Where a serving process writes its answers, once it is set up to live and end with its worker."""
    # Ctrl-C is for the worker, which decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    # What is printed on the way must not be taken for answers.
    os.dup2(2, 1)
    return answers


def main() -> None:
    """Serve on stdin and stdout."""
    answers = answers_stream()
    serve(sys.argv[1], Path(sys.argv[2]), sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
