from __future__ import annotations

import json
from pathlib import Path

from fluvial.config.file import LoadedConfig, parse_config
from fluvial.predictors.fitting import FitSettings
from fluvial.predictors.mxmnet import MxmnetSettings
from fluvial.train.launch import start, trained
from fluvial.train.proxy import ProxyExamples, train_proxy
from fluvial.train.run import SilentProgress

CONFIG = """
[env]
kind = "fragments"
vocabulary = "three.csv"
max_fragments = 2

[policy]
kind = "graph-transformer"
width = 8
layers = 1
heads = 1

[algo]
batch = 4

[stop]
steps = 1

[[reward.term]]
kind = "gap"

[[reward.term]]
kind = "learned"
file = "size.safetensors"
transform = {kind = "clip", low = 0.1, high = 100.0}
"""
VOCABULARY = "smiles,attachment_atoms\nF,0\nCC,0 1\nc1ccccc1,0 1 2 3 4 5\n"


def test_a_run_records_what_scored(tmp_path: Path) -> None:
    (tmp_path / "three.csv").write_text(VOCABULARY)
    table = tmp_path / "sizes.csv"
    texts = ["C" * size for size in range(1, 9)] + [f"c1ccccc1{'C' * size}F" for size in range(1, 9)]
    table.write_text("\n".join(["smiles,size", *(f"{text},{len(text)}" for text in texts)]))
    shape, how = MxmnetSettings(width=8, layers=1), FitSettings(epochs=1)
    train_proxy(ProxyExamples(table, "size"), tmp_path / "size.safetensors", shape, how)
    loaded = LoadedConfig(parse_config(CONFIG), tmp_path, "run.toml")
    directory = start(loaded, SilentProgress(), tmp_path / "run")
    facts = json.loads(directory.environment.read_text())
    assert (
        facts["reward_terms"]["gap"] == "predictor gap: extended Hückel theory (RDKit) on an ETKDG conformer"
    )
    assert "mxmnet of 12 molecules of sizes.csv" in facts["reward_terms"]["learned"]
    assert set(facts["inputs"]) >= {"size.safetensors"}
    with trained(directory.path) as run:
        (drawn, *_) = run.sample(4, 0)
    assert {"gap", "learned"} <= set(drawn.properties)
