"""MXMNet: messages along bonds, with angles, and between near atoms (Zhang et al. 2020, arXiv:2011.07457)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fluvial.predictors.atom_graph import AtomGraph
from fluvial.predictors.bases import envelope, radial_basis, spherical_basis


@dataclass(frozen=True)
class MxmnetSettings:
    """The shape of the network; defaults as published for QM9."""

    elements: tuple[int, ...] = (1, 6, 7, 8, 9)
    """Atomic numbers that it knows."""
    width: int = 128
    layers: int = 6
    cutoff: float = 5.0
    """Å, of pairs and of the basis functions."""
    n_radial: int = 16
    n_spherical: int = 7
    n_angular_radial: int = 6


def dense(n_in: int, n_out: int) -> nn.Sequential:
    """A linear layer and SiLU."""
    return nn.Sequential(nn.Linear(n_in, n_out), nn.SiLU())


class Residual(nn.Module):
    """x + two dense layers of x."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(dense(width, width), dense(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """[N, width] to the same."""
        result: Tensor = x + self.inner(x)
        return result


class Joined(nn.Module):
    """A dense layer of the states of two atoms and what lies between them, never copied together."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.source = nn.Linear(width, width, bias=False)
        self.target = nn.Linear(width, width, bias=False)
        self.between = nn.Linear(width, width)

    def forward(self, state: Tensor, between: Tensor, arrow: Tensor) -> Tensor:
        """States [N, width], arrows [2, E] and what lies between their ends [E, width] to [E, width]."""
        joined = self.between(between) + self.source(state)[arrow[0]] + self.target(state)[arrow[1]]
        return functional.silu(joined)


class Update(nn.Module):
    """How messages change the states of atoms; the states before enter once more."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.middle = Residual(width), dense(width, width)
        self.last = nn.Sequential(Residual(width), Residual(width))

    def forward(self, message: Tensor, before: Tensor) -> Tensor:
        """Both [N, width] to the same."""
        result: Tensor = self.last(self.middle(self.first(message)) + before)
        return result


class GlobalPassing(nn.Module):
    """Messages between all pairs within the cutoff, before and after an update."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter, self.update = dense(width, width), Update(width)
        self.joined, self.gate = Joined(width), nn.Linear(width, width, bias=False)

    def forward(self, state: Tensor, radial: Tensor, near: Tensor) -> Tensor:
        """States [N, width] and embedded distances [P, width] to states."""
        passed = self.pass_messages(self.enter(state), radial, near)
        return self.pass_messages(self.update(passed, state), radial, near)

    def pass_messages(self, state: Tensor, radial: Tensor, near: Tensor) -> Tensor:
        """Each atom's state and what it receives."""
        message = self.joined(state, radial, near) * self.gate(radial)
        return state.index_add(0, near[1], message)


class LocalPassing(nn.Module):
    """Messages along bonds, which know the angles along paths and around atoms; an output of each atom."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter, self.update = dense(width, width), Update(width)
        self.along, self.over, self.around, self.under = (Joined(width), Joined(width), *_bond_layers(width))
        self.path_gate, self.fan_gate, self.out_gate = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.path_angle, self.fan_angle = (
            nn.Sequential(dense(width, width), dense(width, width)) for _ in range(2)
        )
        last = nn.Linear(width, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.read = nn.Sequential(dense(width, width), dense(width, width), last)

    def forward(self, state: Tensor, bonds: Bonds, graph: AtomGraph) -> tuple[Tensor, Tensor]:
        """States [N, width] to states and outputs [N]."""
        entered = self.enter(state)
        radial = bonds.radial
        sent = self.along(entered, radial, graph.bond) * self.path_gate(radial)
        turned = sent[graph.path[0]] * self.path_angle(bonds.path_angle)
        message = self.over(entered, radial, graph.bond).index_add(0, graph.path[1], turned)
        sent = self.around(message) * self.fan_gate(radial)
        turned = sent[graph.fan[0]] * self.fan_angle(bonds.fan_angle)
        message = self.under(message).index_add(0, graph.fan[1], turned)
        received = torch.zeros_like(entered).index_add(0, graph.bond[1], message * self.out_gate(radial))
        after = self.update(received, state)
        return after, self.read(after)[:, 0]


def _bond_layers(width: int) -> tuple[nn.Sequential, nn.Sequential]:
    return dense(width, width), dense(width, width)


@dataclass(frozen=True)
class Bonds:
    """What the local messages of all layers read of the bonds."""

    radial: Tensor
    """[E, width], lengths."""
    path_angle: Tensor
    """[Q, width], angles between a bond and the one it leads to, with the length of the former."""
    fan_angle: Tensor
    """[R, width], angles between two bonds to the same atom, with the length of the former."""


class Mxmnet(nn.Module):
    """A number for each molecule, which depends on elements, distances and angles alone."""

    def __init__(self, settings: MxmnetSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        n_angular = settings.n_spherical * settings.n_angular_radial
        self.atom = nn.Embedding(len(settings.elements), width)
        self.near_radial, self.bond_radial = dense(settings.n_radial, width), dense(settings.n_radial, width)
        self.path_angle, self.fan_angle = dense(n_angular, width), dense(n_angular, width)
        self.wide = nn.ModuleList(GlobalPassing(width) for _ in range(settings.layers))
        self.close = nn.ModuleList(LocalPassing(width) for _ in range(settings.layers))

    def forward(self, graph: AtomGraph) -> Tensor:
        """One number for each molecule, [B]; differentiable in the positions."""
        state, total = self.atom(graph.kind), graph.position.new_zeros(len(graph.kind))
        near, bonds = self._near(graph), self._bonds(graph)
        for wide, close in zip(self.wide, self.close, strict=True):
            state = wide(state, near, graph.near)
            state, output = close(state, bonds, graph)
            total = total + output
        return total.new_zeros(graph.count).index_add(0, graph.molecule, total)

    def _near(self, graph: AtomGraph) -> Tensor:
        """Embedded distances, [P, width], 0 at the cutoff, so that no pair comes or goes at once."""
        length, cutoff = arrows(graph.position, graph.near).norm(dim=1), self.settings.cutoff
        embedded = self.near_radial(radial_basis(length, self.settings.n_radial, cutoff))
        share = length / cutoff
        fading: Tensor = embedded * (share * envelope(share))[:, None]
        return fading

    def _bonds(self, graph: AtomGraph) -> Bonds:
        settings = self.settings
        arrow = arrows(graph.position, graph.bond)
        length = arrow.norm(dim=1)

        def angles(pairs: Tensor, sign: float) -> Tensor:
            """The basis of the angles between the first bonds of `pairs` and the second ones."""
            first, second = pairs
            scale = length[first] * length[second]
            cosine = sign * (arrow[first] * arrow[second]).sum(dim=1) / scale
            sizes = settings.n_spherical, settings.n_angular_radial
            return spherical_basis(length[first], cosine, *sizes, settings.cutoff)

        return Bonds(
            self.bond_radial(radial_basis(length, settings.n_radial, settings.cutoff)),
            self.path_angle(angles(graph.path, -1.0)),
            self.fan_angle(angles(graph.fan, 1.0)),
        )


def arrows(position: Tensor, ends: Tensor) -> Tensor:
    """Position of the second end minus that of the first, [E, 3], Å."""
    return position[ends[1]] - position[ends[0]]
