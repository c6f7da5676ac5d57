"""The transform of each built-in property and predictor where the user names none."""

from __future__ import annotations

from fluvial.rewards.transforms import Transform, identity, make_transform

DEFAULT_TRANSFORMS: dict[str, Transform] = {
    "qed": identity,
    "sa": make_transform("reverse_linear", low=1, high=10),  # (10 - SA) / 9
    "sa_normalised": identity,
    "np": make_transform("linear", low=-5, high=5),  # the usual range of the score
    "logp": make_transform("double_sigmoid", low=1, high=4),  # oral drugs
    # 1/2 at 200 and at 500 g/mol (Lipinski), 0.9 after 24 g/mol more inside
    "mw": make_transform("double_sigmoid", low=200, high=500, coef_div=500, coef_si=20, coef_se=20),
    # 1/2 at 20 and at 140 Å² (Veber), 0.9 after 7 Å² more inside
    "tpsa": make_transform("double_sigmoid", low=20, high=140, coef_div=140, coef_si=20, coef_se=20),
    # Lipinski and Veber: 5 donors, 10 acceptors, 10 rotatable bonds are still good, one more is not
    "hbd": make_transform("reverse_sigmoid", low=4, high=7, k=0.5),
    "hba": make_transform("reverse_sigmoid", low=9, high=12, k=0.5),
    "rotatable_bonds": make_transform("reverse_sigmoid", low=9, high=12, k=0.5),
    "rings": make_transform("double_sigmoid", low=0.5, high=5.5),  # 1 to 5
    "aromatic_rings": make_transform("double_sigmoid", low=0.5, high=3.5),  # 1 to 3
    # as for mw, with 14 g/mol for each heavy atom
    "heavy_atoms": make_transform("double_sigmoid", low=14, high=36, coef_div=36, coef_si=20, coef_se=20),
    "fraction_csp3": identity,
    "gap": identity,
    "scscore": make_transform("reverse_linear", low=1, high=5),  # (5 - SCScore) / 4
    # 1 for a block, 1/4 for three reactions, 0 where four do not do
    "route": make_transform("reverse_linear", low=0, high=4),
    "seh": make_transform("divide", by=8),  # as in the published tasks
}
"""Transform of each built-in property and predictor where the user names none; thresholds of properties are
those of oral drugs."""
