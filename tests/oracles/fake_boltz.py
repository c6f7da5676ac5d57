"""A program that takes the arguments of `boltz` and writes what it writes, or fails in a chosen way.

FAKE_BOLTZ maps a SMILES to a mode; other molecules are well. Numbers follow from SMILES and seed.
"""

import json
import math
import os
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path


def number(smiles, seed, name):
    return zlib.crc32(f"{smiles} {seed} {name}".encode()) / 2**32


def smiles_of(path):
    text = path.read_text()
    try:
        sequences = json.loads(text)["sequences"]
        return sequences[-1]["ligand"]["smiles"]
    except ValueError:
        return json.loads(re.search(r'smiles: (".*?[^\\]")', text)[1])


def affinity(smiles, seed):
    value = {f"affinity_pred_value{n}": 4 * number(smiles, seed, f"v{n}") - 2 for n in (1, 2)}
    probability = {f"affinity_probability_binary{n}": number(smiles, seed, f"p{n}") for n in (1, 2)}
    means = {
        "affinity_pred_value": sum(value.values()) / 2,
        "affinity_probability_binary": sum(probability.values()) / 2,
    }
    return means | value | probability


def write(out, stem, smiles, seed, mode):
    folder = out / "boltz_results_inputs" / "predictions" / stem
    folder.mkdir(parents=True)
    (folder / f"{stem}_model_0.cif").write_text(f"data_{stem}\n")
    confidence = {
        "confidence_score": number(smiles, seed, "c"),
        "iptm": 0.5,
        "chains_ptm": {"0": 0.9, "1": 0.8},
    }
    for model in (1, 0):
        (folder / f"confidence_{stem}_model_{model}.json").write_text(
            json.dumps(confidence | {"ptm": 1.0 - model})
        )
    text = json.dumps(affinity(smiles, seed))
    if mode == "partial":
        text = text[: len(text) // 2]
    if mode == "nan":
        text = json.dumps(affinity(smiles, seed) | {"affinity_pred_value1": math.nan})
    if mode == "field":
        text = json.dumps({"affinity_pred_value": 1.0})
    if mode != "no affinity":
        (folder / f"affinity_{stem}{'_B' if mode == 'community' else ''}.json").write_text(text)


def main():
    words = sys.argv[1:]
    assert words[0] == "predict"
    option = {name: words[words.index(name) + 1] for name in ("--out_dir", "--cache", "--seed")}
    with open(os.environ.get("FAKE_BOLTZ_LOG", os.devnull), "a") as log:
        log.write(json.dumps(words) + "\n")
    modes = json.loads(os.environ.get("FAKE_BOLTZ", "{}"))
    out = Path(option["--out_dir"])
    inputs = {path: smiles_of(path) for path in sorted(Path(words[1]).iterdir(), reverse="order" in modes)}
    cache = Path(option["--cache"])
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "weights").exists():
        with open(cache / "downloads", "a") as stream:
            stream.write("1")
        time.sleep(float(os.environ.get("FAKE_BOLTZ_DOWNLOAD", "0")))
        (cache / "weights").touch()
    if "--use_msa_server" in words:
        for path in inputs:
            msa = out / "boltz_results_inputs" / "msa"
            msa.mkdir(parents=True, exist_ok=True)
            (msa / f"{path.stem}_0.csv").write_text("key,sequence\n-1,MKT\n")
    if len(inputs) > int(modes.get("most", 99)):
        print("| WARNING: ran out of memory, skipping batch")
        return
    for path, smiles in inputs.items():
        mode = modes.get(smiles, "ok")
        if mode == "skip":
            print(f"Failed to process {path}. Skipping. Error: no such luck.")
        elif mode == "exit":
            print("RuntimeError: it broke", file=sys.stderr)
            sys.exit(1)
        elif mode == "hang":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(os.environ["FAKE_BOLTZ_CHILD"]).write_text(str(child.pid))
            time.sleep(600)
        elif mode == "sleep":
            Path(os.environ["FAKE_BOLTZ_CHILD"]).write_text(str(os.getpid()))
            time.sleep(600)
        elif mode != "nothing":
            write(out, path.stem, smiles, option["--seed"], mode)


main()
