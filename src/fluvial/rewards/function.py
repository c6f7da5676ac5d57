"""Load a reward function out of a user's Python file."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from fluvial.core.errors import RewardError
from fluvial.rewards.calls import describe


def load_function(spec: str, base: Path) -> Callable[..., object]:
    """The function that "file.py:function" names.

    The file is run once and again only after it has changed. Its folder goes to the end of the module search
    path, so that it can import its neighbours.

    Args:
        spec: path of the file, relative to `base` or absolute, a colon, and a name in it.
        base: folder that relative paths start from.

    Raises:
        RewardError: no such file or function, a failing import, or not callable with one list.
    """
    path_text, name = split_spec(spec)
    path = (base / path_text).resolve()
    if not path.is_file():
        raise RewardError(f"{path_text}: no such file (looked for {path})")
    module = import_file(path, path_text)
    if not hasattr(module, name):
        found = [key for key, value in vars(module).items() if _is_own_function(module, key, value)]
        raise RewardError(f"{path_text} has no function '{name}' (found: {', '.join(found) or 'none'})")
    function = getattr(module, name)
    if not callable(function):
        raise RewardError(f"{path_text}: '{name}' is of type {type(function).__name__}, not a function")
    check_signature(function, spec)
    return function  # type: ignore[no-any-return]


def split_spec(spec: str) -> tuple[str, str]:
    """The path and the name in "file.py:function".

    Raises:
        RewardError: the text is not of this form.
    """
    path, _, name = spec.rpartition(":")
    if not path or not name.isidentifier():
        raise RewardError(f"'{spec}' does not name a reward function; write it as file.py:function")
    return path, name


def check_signature(function: Callable[..., object], name: str) -> None:
    """Nothing, if `function` can be called with exactly one argument by position.

    Raises:
        RewardError: it cannot.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C do not tell
        return
    try:
        signature.bind([])
    except TypeError as error:
        raise RewardError(
            f"{name}{signature} cannot be called with one list of molecules: {error}"
        ) from error


def takes_molecules(function: Callable[..., object]) -> bool:
    """Whether the function wants RDKit molecules and not SMILES.

    It does if its first parameter is annotated with `Mol`, as in `list[Chem.Mol]`, or is called `mols` or
    `molecules` without an annotation that says `str`.
    """
    try:
        first = next(iter(inspect.signature(function).parameters.values()))
    except (ValueError, StopIteration):
        return False
    annotation = "" if first.annotation is first.empty else inspect.formatannotation(first.annotation)
    if re.search(r"\bMol\b", annotation):
        return True
    return first.name in ("mols", "molecules") and not re.search(r"\bstr\b", annotation)


def _is_own_function(module: ModuleType, name: str, value: object) -> bool:
    return inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")


def import_file(path: Path, shown: str) -> ModuleType:
    """The module of a Python file, which is run once and again only after it has changed.

    Its folder goes to the end of the module search path, so that it can import its neighbours.

    Args:
        path: of the file.
        shown: how messages call it.

    Raises:
        RewardError: it is no Python file, or running it fails.
    """
    version = f"{path}\n{path.stat().st_mtime_ns}\n{path.stat().st_size}"
    name = f"fluvial_user_{hashlib.blake2b(version.encode(), digest_size=8).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RewardError(f"{shown} is not a Python file (its name must end in .py)")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickle look their own module up here while it is still being run.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise RewardError(f"{shown} cannot be imported: {describe(error, str(path))}") from error
    return module
