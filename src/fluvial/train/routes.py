"""Routes to the molecules of a run, out of the library that it used."""

from __future__ import annotations

from fluvial.chem.synthesis.library_file import load_library
from fluvial.chem.synthesis.retro import Disconnections
from fluvial.chem.synthesis.search import RouteSearch
from fluvial.core.errors import ConfigError
from fluvial.train.run_directory import RunDirectory
from fluvial.train.saved import saved_configuration


def route_search(directory: RunDirectory, most_reactions: int | None = None) -> RouteSearch:
    """A search in the library of a run.

    Args:
        directory: of a run whose environment is synthesis.
        most_reactions: by default as many as the run's environment allows.

    Raises:
        ConfigError: the run has another environment.
        DataError: the library cannot be used.
    """
    loaded = saved_configuration(directory)
    env = loaded.config.env
    library = getattr(env, "library", None)
    if library is None:
        raise ConfigError(
            f"{directory.path}: its environment is '{env.kind}', which makes molecules without a synthesis;"
            " name a library with --library to search routes in that."
        )
    place = library if library == "default" else loaded.path(library)
    most = getattr(env, "max_reactions", 0) if most_reactions is None else most_reactions
    return RouteSearch(Disconnections(load_library(place)), most)
