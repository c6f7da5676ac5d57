"""A fault in what a learning rule is given, or in its parts, is seen by each rule that can see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import pytest
import torch
from exact_cases import WORLDS, Case, World, exact_case, worst
from exact_variants import (
    ALL,
    BONUS,
    DB,
    FM,
    FORWARD_LOOKING,
    IMPLICIT_TB,
    READS_BACKWARD,
    SOFT,
    SUBTB,
    TB,
    VARGRAD,
    VARIANTS,
)
from planted_faults import (
    Plant,
    all_numbers_alike,
    both,
    each_parent_once,
    first_parent_dropped,
    flow_raised,
    log_z_raised,
    mask_short,
    no_backward,
    normalised_logits,
    nowhere_last,
    of_attribute,
    of_output,
    of_trajectories,
    other_prior,
    partial_of_another,
    potential_off_by_one,
    reward_not_scaled,
    rolled,
    stop_twice,
    stopped_again,
    symmetry,
    terminal_flow_left,
    ways_of_another,
)
from torch import Tensor

import fluvial.algorithms.backward
import fluvial.algorithms.balance
import fluvial.algorithms.flow_matching
import fluvial.algorithms.soft_q
import fluvial.losses.backward
import fluvial.losses.flow_matching
import fluvial.losses.reinforcement
import fluvial.losses.residuals
import fluvial.losses.subtrajectories
from fluvial.algorithms.algorithm import Experience, Models
from fluvial.algorithms.balance import Balance
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition, Trajectories
from fluvial.losses.objectives import OBJECTIVES
from fluvial.losses.regression import square
from fluvial.losses.residuals import last_transitions
from fluvial.policy.model import Model
from fluvial.policy.module import PolicyModule
from fluvial.sample.score import Evaluation

EXACT, FAULTY = 1e-9, 1e-3

Worlds = Callable[[str], World]


@pytest.fixture(scope="module", autouse=True)
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def world(_float64: None, three_fragments: Vocabulary) -> Worlds:
    return lru_cache(maxsize=None)(lambda name: WORLDS[name](three_fragments))


LEAVES_SUMS_ALONE = TB | VARGRAD | {"forward-looking tb, implicit", "tb, implicit"}
"""What adds all of a trajectory up, and so cannot see what only moves within it."""


@dataclass(frozen=True)
class Fault:
    """A fault, where it is planted, and who sees it."""

    plant: Plant
    seen_by: set[str]
    rule: str = "learned"
    places: tuple[str, ...] = ("courses",)


SYMMETRIC = ("slots", "graphs", "fragments")
BALANCES = DB | SUBTB | {"mdb"}
CHARGED = READS_BACKWARD - {"mdb", "transition_db"}
"""Those that go with `gsql`."""

FAULTS: dict[str, Fault] = {
    "no P_B": Fault(of_output(no_backward), READS_BACKWARD),
    "P_B at the state before": Fault(
        of_attribute(Evaluation, "log_pb", rolled(1)), READS_BACKWARD - LEAVES_SUMS_ALONE - {"transition_db"}
    ),
    "uniform P_B over all numbers": Fault(of_output(all_numbers_alike), READS_BACKWARD, "uniform"),
    "beta 5 % too large": Fault(of_trajectories(lambda drawn: {"log_reward": 1.05 * drawn.log_reward}), ALL),
    "terminal flow not the reward": Fault(
        both(
            of_attribute(fluvial.losses.residuals, "with_terminal_flow", terminal_flow_left),
            of_attribute(fluvial.losses.subtrajectories, "with_terminal_flow", terminal_flow_left),
        ),
        BALANCES,
    ),
    "terminal value not the reward": Fault(
        of_attribute(fluvial.losses.reinforcement, "with_terminal_flow", terminal_flow_left), SOFT
    ),
    "outflow of the object not the reward": Fault(
        of_attribute(fluvial.losses.flow_matching, "last_transitions", nowhere_last), FM
    ),
    "flow of the state after": Fault(
        of_attribute(Evaluation, "log_flow", rolled(-1)), BALANCES | IMPLICIT_TB
    ),
    "flow too large": Fault(of_output(flow_raised), BALANCES | IMPLICIT_TB | FM | SOFT | {"transition_db"}),
    "log Z too large": Fault(log_z_raised, TB | {"rtb"}),
    "parts off by one": Fault(
        of_attribute(fluvial.losses.subtrajectories, "_potential", potential_off_by_one), SUBTB
    ),
    "no symmetry correction": Fault(symmetry(0.0), ALL - {"rtb"}, places=SYMMETRIC),
    "symmetry correction times beta": Fault(
        symmetry(4.0), ALL - {"rtb"}, places=("slots, beta 4", "fragments, beta 4")
    ),
    "symmetry correction in the reward": Fault(
        of_trajectories(lambda drawn: {"log_reward": drawn.log_reward + drawn.log_symmetry}),
        ALL,
        places=SYMMETRIC,
    ),
    "mask short by one": Fault(of_trajectories(mask_short), ALL),
    "stop counted twice": Fault(
        of_attribute(Evaluation, "log_pf", stop_twice),
        READS_BACKWARD - SOFT - {"transition_db"} | BONUS | {"rtb"},
    ),
    # At the finished object all actions are alike, so all trajectories lose the same.
    "stopped twice": Fault(stopped_again, ALL - VARGRAD),
    "a parent without flow": Fault(
        of_attribute(fluvial.algorithms.flow_matching, "log_inflow", first_parent_dropped),
        FM,
        places=("hypergrid", "courses", "graphs"),
    ),
    "equivalent parents as one": Fault(each_parent_once, FM, places=("slots", "graphs")),
    "logits made probabilities": Fault(of_output(normalised_logits), FM | SOFT),
    "ways of another object": Fault(
        of_attribute(fluvial.algorithms.backward, "path_log_pb", ways_of_another), CHARGED, "gsql"
    ),
    "Munchausen reward not scaled": Fault(
        of_attribute(fluvial.algorithms.soft_q, "munchausen_error", reward_not_scaled), BONUS
    ),
    "reward of the initial state looked forward to": Fault(
        of_attribute(
            fluvial.algorithms.balance, "_gone_at_the_ends", lambda right: lambda energy, mask: energy
        ),
        FORWARD_LOOKING - VARGRAD,
        places=("hypergrid",),
    ),
    "rewards on the way of another object": Fault(
        partial_of_another, {"mdb", "forward-looking db", "forward-looking subtb"}
    ),
    "another prior": Fault(other_prior, {"rtb"}),
}
"""Each fault and the rules that see it; the others do not read what it spoils."""

PLANTED = [(name, place) for name, fault in FAULTS.items() for place in fault.places]


@pytest.mark.parametrize(("name", "place"), PLANTED)
def test_a_planted_fault_is_seen_by_the_rules_that_can(
    world: Worlds, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    fault = FAULTS[name]
    sizes = {}
    for variant_name, variant in VARIANTS.items():
        rule = fault.rule if fault.rule in variant.rules else variant.rules[0]
        case = exact_case(world(place), variant, rule)
        with monkeypatch.context() as patch:
            size = worst(fault.plant(case, patch)())
        sizes[variant_name] = size**0.5 if variant.regression is square else size
    seen = {variant_name for variant_name, size in sizes.items() if size > FAULTY}
    assert seen == fault.seen_by, sizes
    assert all(size < EXACT for variant_name, size in sizes.items() if variant_name not in seen), sizes


@pytest.mark.parametrize(
    ("n_loss", "is_seen"),
    [("transition", True), ("subtb", True), ("start", False), ("term", True), ("tb", False)],
)
@pytest.mark.parametrize("rule", ["maxent", "gsql"])
def test_a_number_of_ways_from_nothing_to_nothing_other_than_one_is_seen(
    world: Worlds, monkeypatch: pytest.MonkeyPatch, rule: str, n_loss: str, is_seen: bool
) -> None:
    """What a network says of the initial state is taken for log n; two n-losses do not read it."""
    case = exact_case(world("courses"), VARIANTS["tb"], rule, n_loss)
    with torch.no_grad():
        case.models.current.policy.get_parameter("log_n")[0] = 0.5
    assert case().parts["backward loss"].abs().max() < EXACT

    def as_predicted(log_n: Tensor, mask: Tensor) -> Tensor:
        is_read = torch.cat([mask & ~last_transitions(mask), torch.zeros_like(mask[:1])])
        return torch.where(is_read.roll(1, dims=0) | (torch.arange(len(is_read)) == 0)[:, None], log_n, 0.0)

    monkeypatch.setattr(fluvial.losses.backward, "_numbers", as_predicted)
    loss = case().parts["backward loss"].abs().max()
    assert (loss > FAULTY) if is_seen else (loss < EXACT)


class ByBeta(PolicyModule):
    """One policy for beta 1 and another for the rest."""

    def __init__(self, cold: PolicyModule, hot: PolicyModule) -> None:
        super().__init__()
        self.cold, self.hot, self.learns_backward = cold, hot, cold.learns_backward

    def forward(self, states: Batch, condition: Condition) -> PolicyOutput:
        cold, hot = self.cold(states, condition), self.hot(states, condition)
        is_cold = condition.beta == 1.0

        def choose(mine: MaskedCategorical, theirs: MaskedCategorical) -> MaskedCategorical:
            return MaskedCategorical(torch.where(is_cold[:, None], mine.logits, theirs.logits), mine.mask)

        return PolicyOutput(
            choose(cold.forward, hot.forward),
            lambda: choose(cold.backward, hot.backward),
            torch.where(is_cold, cold.log_flow, hot.log_flow),
        )


@pytest.mark.parametrize("name", sorted(VARIANTS.keys() - TB - FM - {"rtb"}))
def test_trajectories_of_two_temperatures_must_be_kept_apart(world: Worlds, name: str) -> None:
    cold, hot = (exact_case(world(place), VARIANTS[name], "uniform") for place in ("slots", "slots, beta 4"))
    policies = [case.models.current.policy for case in (cold, hot)]
    model = Model(ByBeta(*policies), cold.models.current.log_z)
    drawn = Trajectories.cat([case.experience.trajectories for case in (cold, hot)])
    partials = [case.experience.log_partial for case in (cold, hot)]
    known = [targets for targets in partials if targets is not None]
    log_partial = torch.cat(known, dim=1) if known else None
    together = Experience(drawn, torch.zeros(len(drawn.origin), dtype=torch.int64), log_partial)
    apart = replace(together, group=(drawn.condition.beta == 1.0).long())
    both = Case(cold.algorithm, Models(model, model), apart)
    assert worst(both()) < EXACT
    mixed = worst(replace(both, experience=together)())
    assert (mixed > FAULTY) if name in VARGRAD else (mixed < EXACT)


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_the_closed_form_is_the_loss_of_all_parts(world: Worlds, decay: float) -> None:
    """Of which the registry takes the one or the other; off the exact flows, where there is a loss."""
    variant = replace(VARIANTS["subtb, closed form"], options={"decay": decay})
    case = FAULTS["beta 5 % too large"].plant(
        exact_case(world("courses"), variant, "learned"), pytest.MonkeyPatch()
    )
    by_parts = Balance(partial(OBJECTIVES["subtb"], decay=decay), regression=square)
    expected = replace(case, algorithm=by_parts)().loss
    assert expected.max() > 1e-5
    assert torch.allclose(case().loss, expected, rtol=1e-9, atol=1e-14)
