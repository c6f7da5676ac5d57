"""Which graphs may be built."""

from __future__ import annotations

from dataclasses import dataclass

from fluvial.core.errors import ConfigError
from fluvial.envs.graphs.state import MOST_VALUES


@dataclass(frozen=True, kw_only=True)
class GraphRules:
    """The limits of an environment of graphs.

    Every graph within them can be built, and every unfinished graph that can be built can be finished.

    Raises:
        ConfigError: a number out of range, or no graph within the limits.
    """

    node_types: int
    """Types of nodes T, at least 1."""
    edge_types: int
    """Types of edges E, at least 1."""
    max_nodes: int
    """Most nodes N, at least 1."""
    min_nodes: int
    """Fewest nodes of a finished graph, 1..N."""
    max_edges: int | None
    """Most edges; None for no limit. Two opposite arcs are two edges."""
    max_degree: int | None
    """Most edges of one node, incoming and outgoing together; None for no limit."""
    connected: bool
    """Whether there is a path between any two nodes, the direction of arcs left aside."""
    directed: bool
    """Whether edges are arcs, which have a direction; each of two opposite arcs may exist."""
    node_attributes: tuple[int, ...]
    """Values of each further attribute of nodes besides its default, which is implicit; each at least 1."""
    edge_attributes: tuple[int, ...]
    """The same for edges."""
    allow_cycles: bool
    """Whether there may be cycles, the direction of arcs left aside."""

    def __post_init__(self) -> None:
        for name in ("node_types", "edge_types", "max_nodes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("node_types", "edge_types"):
            if getattr(self, name) > MOST_VALUES:
                raise ConfigError(f"{name} is {getattr(self, name)}; at most {MOST_VALUES} are possible")
        for name in ("max_edges", "max_degree"):
            if (getattr(self, name) or 0) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 0, or none at all")
        if not 1 <= self.min_nodes <= self.max_nodes:
            raise ConfigError(
                f"min_nodes = {self.min_nodes}, max_nodes = {self.max_nodes}: need 1 <= min <= max"
            )
        for name in ("node_attributes", "edge_attributes"):
            counts = getattr(self, name)
            if min(counts, default=1) < 1 or max(counts, default=1) > MOST_VALUES:
                raise ConfigError(
                    f"{name} is {counts}; each must have at least 1 value to set and at most {MOST_VALUES}"
                )
        if self.connected and not self._hangs_together(self.min_nodes):
            raise ConfigError(
                f"no connected graph of min_nodes = {self.min_nodes} nodes has at most max_edges ="
                f" {self.max_edges} edges and max_degree = {self.max_degree}; lower min_nodes or raise the"
                " limits"
            )

    @property
    def edge_limit(self) -> int:
        """`max_edges`, or a number out of reach."""
        return 2 * self.max_nodes**2 if self.max_edges is None else self.max_edges

    @property
    def degree_limit(self) -> int:
        """`max_degree`, or a number out of reach."""
        return 2 * self.max_nodes if self.max_degree is None else self.max_degree

    def most_edges(self, n_nodes: int) -> int:
        """A bound of the number of edges of a graph of `n_nodes` nodes."""
        every = n_nodes * (n_nodes - 1) // (1 if self.directed else 2)
        without_cycles = every if self.allow_cycles else n_nodes - 1
        return min(every, without_cycles, self.edge_limit, n_nodes * self.degree_limit // 2)

    @property
    def max_steps(self) -> int:
        """A bound of the transitions of a trajectory, the stop included."""
        sizes = range(1, self.max_nodes + 1)
        return max(
            self._most_steps(size) for size in sizes if not self.connected or self._hangs_together(size)
        )

    def _hangs_together(self, n_nodes: int) -> bool:
        """Whether there is a connected graph of `n_nodes` nodes."""
        return self.most_edges(n_nodes) >= n_nodes - 1

    def _most_steps(self, n_nodes: int) -> int:
        n_edges = self.most_edges(n_nodes)
        values = n_nodes * len(self.node_attributes) + n_edges * len(self.edge_attributes)
        alone = n_edges - n_nodes + 1 if self.connected else n_edges
        return n_nodes + alone + values + 1
