"""Another library of building blocks in the place of the one that a run was trained with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from fluvial.chem.synthesis.library import BlockLibrary
from fluvial.chem.synthesis.library_file import load_library
from fluvial.config.file import LoadedConfig
from fluvial.core.errors import ConfigError
from fluvial.policy.blocks import usual_choice


def with_library(saved: LoadedConfig, library: str) -> LoadedConfig:
    """The configuration of a run with another library.

    No weight belongs to a block, so those of the run serve for any blocks. They belong to the reactions,
    which must be the same.

    Args:
        saved: of the run, whose own library must still be there.
        library: `default` or a file; a relative path starts at the working folder.

    Raises:
        ConfigError: the run does not make molecules by synthesis, or the reactions are others.
        DataError: a library cannot be used.
    """
    env = saved.config.env
    own = getattr(env, "library", None)
    if own is None:
        raise ConfigError(
            f"{saved.origin}: its environment is '{env.kind}', which has no library of building blocks;"
            " leave out --library"
        )
    before = load_library(own if own == "default" else saved.path(own))
    place = library if library == "default" else str(Path(library).expanduser().absolute())
    require_same_reactions(library, load_library(place), before)
    policy = saved.config.policy
    blocks = getattr(policy, "blocks", None) or usual_choice(len(before))
    changes = {
        "env": env.model_copy(update={"library": place}),
        "policy": policy.model_copy(update={"blocks": blocks}),
    }
    return dataclasses.replace(saved, config=saved.config.model_copy(update=changes))


def require_same_reactions(name: str, library: BlockLibrary, before: BlockLibrary) -> None:
    """Refuse a library of other reactions.

    Raises:
        ConfigError: what each has that the other has not.
    """
    now, then = ([template.smarts for template in one.templates] for one in (library, before))
    if now == then:
        return
    n_new, n_missing = len(set(now) - set(then)), len(set(then) - set(now))
    what = f"{n_new} are new and {n_missing} are missing" if n_new or n_missing else "their order is another"
    raise ConfigError(
        f"{name}: its {len(now)} reactions are not the {len(then)} that the run was trained with ({what});"
        " prepare it with the same --templates"
    )
