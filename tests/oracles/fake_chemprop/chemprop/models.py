from __future__ import annotations

import torch
from torch import Tensor, nn


class MPNN(nn.Module):
    def __init__(self, factors: list[float]) -> None:
        super().__init__()
        self.factors = torch.tensor(factors)

    @classmethod
    def load_from_file(cls, path: object, map_location: object = None) -> MPNN:
        return cls(torch.load(path, map_location, weights_only=False)["hyper_parameters"].factors)

    def forward(self, graphs: list[int], _atoms: None, _molecules: None) -> Tensor:
        return torch.tensor(graphs)[:, None] * self.factors
