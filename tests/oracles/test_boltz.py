"""Boltz as an oracle, with a program in its place that fails in every way that Boltz does."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fluvial.core.errors import ConfigError, RewardError
from fluvial.oracles.boltz.inputs import files_in, filled_template, input_text, rooted
from fluvial.oracles.boltz.oracle import BoltzOracle, formulas
from fluvial.oracles.boltz.scores import PRESETS
from fluvial.oracles.boltz.target import BoltzTarget
from fluvial.oracles.seeds import seed_of
from fluvial.oracles.tool import open_tool, tool_process
from fluvial.queue.jobs import Result

FAKE = Path(__file__).with_name("fake_boltz.py")
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a target file for the program in place of Boltz; keys of [run] and further text may be given."""

    def write(further: str = "", msa: str = "empty", **run: object) -> Path:
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in run.items())
        command = json.dumps([sys.executable, "-I", "-S", str(FAKE)])
        chain = f'[[chain]]\nid = "A"\nsequence = "MKT"\nmsa = "{msa}"\n'
        head = f'tool = "boltz"\nname = "toy"\n{further}\n'
        path = tmp_path / "toy.toml"
        path.write_text(f'{head}{chain}[run]\ncommand = {command}\ncache = "weights"\n{lines}\n')
        return path

    return write


def evaluated(file: Path, texts: list[str]) -> list[Result]:
    found = dict(BoltzOracle(file).evaluate({str(index): text for index, text in enumerate(texts)}))
    assert len(found) == len(texts)
    return [found[str(index)] for index in range(len(texts))]


def expected(smiles: str, replicate: int = 0) -> dict[str, float]:
    seed = seed_of(smiles, 0, replicate)

    def number(name: str) -> float:
        return zlib.crc32(f"{smiles} {seed} {name}".encode()) / 2**32

    return {"affinity_pred_value1": 4 * number("v1") - 2, "affinity_probability_binary1": number("p1")}


def test_the_published_formula() -> None:
    fields = {"affinity_pred_value1": 1.1219, "affinity_probability_binary1": 0.05588}
    assert PRESETS["published"].formula(fields) == pytest.approx(0.012265, abs=5e-6)
    assert PRESETS["published"].formula(fields) == (2 - 1.1219) / 4 * 0.05588
    # Weaker than 100 µM is 0, not negative; stronger than 10 nM is not cut off.
    assert PRESETS["published"].formula({**fields, "affinity_pred_value1": 2.5}) == 0.0
    strong = {"affinity_pred_value1": -3.0, "affinity_probability_binary1": 1.0}
    assert PRESETS["published"].formula(strong) == 1.25
    assert PRESETS["pic50"].formula({"affinity_pred_value": -3.0}) == 9.0
    assert PRESETS["kcal_per_mol"].formula({"affinity_pred_value": 0.0}) == pytest.approx(8.184)


def test_values_are_those_of_the_files(make: Make) -> None:
    (result,) = evaluated(make(), ["OCC"])
    wanted = expected("CCO")
    assert result.values["affinity_pred_value1"] == wanted["affinity_pred_value1"]
    assert result.values["published"] == PRESETS["published"].formula(wanted)
    # All fields of both members, and of the best model.
    names = {
        "affinity_pred_value",
        "affinity_pred_value2",
        "affinity_probability_binary2",
        "iptm",
        "chains_ptm_1",
    }
    assert names <= set(result.values)
    assert result.values["ptm"] == 1.0


def test_each_fault_has_its_outcome_and_costs_no_other_molecule(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    modes = {"CCO": "skip", "CCN": "exit", "CCC": "partial", "CCF": "nan", "CCS": "field", "CCCl": "nothing"}
    modes |= {"CCBr": "no affinity", "CCCO": "community"}
    monkeypatch.setenv("FAKE_BOLTZ", json.dumps(modes))
    good = ["c1ccccc1", "CCCN"]
    results = dict(zip([*good, *modes], evaluated(make(), [*good, *modes]), strict=True))
    for smiles in (*good, "CCCO"):
        assert results[smiles].is_value, results[smiles]
    wanted = {
        "CCO": ("refused the input", False),
        "CCN": ("ended with exit code 1: RuntimeError: it broke", True),
        "CCC": ("no whole JSON: affinity_mol", True),
        "CCF": ("not finite: affinity_pred_value1 is nan", False),
        "CCS": ("no such field: affinity_pred_value1", False),
        "CCCl": ("wrote no result for it", True),
        "CCBr": ("a structure, but no affinity", True),
    }
    for smiles, (reason, may_pass) in wanted.items():
        assert not results[smiles].values
        assert reason in results[smiles].reason
        assert results[smiles].may_pass == may_pass
    together = evaluated(make(seeding="batch"), ["CCO", "CCN", *good])
    assert [one.is_value for one in together] == [False, False, True, True]
    assert not list((tmp_path / "boltz").glob("batch-*"))


def test_order_and_company_do_not_matter(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_BOLTZ", json.dumps({"order": "reversed"}))
    file = make()
    ethanol = evaluated(file, ["CCO"])[0].values
    assert evaluated(file, ["CCC", "C(O)C", "CCN"])[1].values == ethanol
    batch = make(seeding="batch")
    one, two = evaluated(batch, ["CCO", "CCC"])
    assert one.values != two.values
    assert evaluated(batch, ["CCC", "CCO"])[1].values == one.values


def test_a_program_that_hangs_is_ended_with_its_children(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_BOLTZ", json.dumps({"CCO": "hang"}))
    monkeypatch.setenv("FAKE_BOLTZ_CHILD", str(tmp_path / "child"))
    good, bad = evaluated(make(timeout_seconds=0.5, start_seconds=0.5, download_seconds=0.0), ["CCC", "CCO"])
    assert good.is_value
    assert bad.may_pass
    assert "no answer within 1 s" in bad.reason
    assert is_gone(int((tmp_path / "child").read_text()))


def is_gone(number: int) -> bool:
    for _ in range(100):
        status = Path(f"/proc/{number}/status")
        if not status.exists() or "(zombie)" in status.read_text():
            return True
        time.sleep(0.02)
    return False


def test_a_lack_of_memory_halves_the_batch(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_BOLTZ", json.dumps({"most": 1}))
    monkeypatch.setenv("FAKE_BOLTZ_LOG", str(tmp_path / "log"))
    texts = ["CCO", "CCC", "CCN", "CCF"]
    assert all(one.is_value for one in evaluated(make(seeding="batch"), texts))
    assert len((tmp_path / "log").read_text().splitlines()) == 7  # 4, 2, 1, 1, 2, 1, 1
    monkeypatch.setenv("FAKE_BOLTZ", json.dumps({"most": 0}))
    (alone,) = evaluated(make(), ["CCO"])
    assert alone.may_pass
    assert "ran out of memory" in alone.reason


def test_replicates_have_seeds_a_mean_and_a_spread(make: Make, tmp_path: Path) -> None:
    (result,) = evaluated(make(replicates=3), ["CCO"])
    values = [expected("CCO", replicate)["affinity_pred_value1"] for replicate in range(3)]
    assert len(set(values)) == 3
    assert result.values["affinity_pred_value1"] == pytest.approx(sum(values) / 3)
    mean = sum(values) / 3
    spread = (sum((value - mean) ** 2 for value in values) / 2) ** 0.5
    assert result.values["affinity_pred_value1_sd"] == pytest.approx(spread)
    assert result.values["n_replicates"] == 3.0
    (record,) = [json.loads(line) for path in (tmp_path / "boltz/records").iterdir() for line in path.open()]
    assert [run["seed"] for run in record["runs"]] == [seed_of("CCO", 0, n) for n in range(3)]


def test_what_was_scored_is_recorded_and_salts_are_one_calculation(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_BOLTZ_LOG", str(tmp_path / "log"))
    acid, salt = evaluated(make(), ["CC(=O)O", "CC(=O)[O-].[Na+]"])
    assert len((tmp_path / "log").read_text().splitlines()) == 1
    assert (acid.values["ligand_changed"], salt.values["ligand_changed"]) == (0.0, 1.0)
    assert acid.values["published"] == salt.values["published"]


def test_structures_are_kept_under_the_inchikey(make: Make, tmp_path: Path) -> None:
    evaluated(make(structures=True), ["CCO"])
    folder = tmp_path / "boltz/structures/LFQSCWFLJHTTHZ-UHFFFAOYSA-N" / f"seed-{seed_of('CCO', 0)}"
    assert {path.suffix for path in folder.iterdir()} == {".cif", ".json"}


def test_an_alignment_is_asked_for_once_for_a_target(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_BOLTZ_LOG", str(tmp_path / "log"))
    file = make(msa="server")
    evaluated(file, ["CCO", "CCC"])
    evaluated(file, ["CCN"])
    calls = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert ["--use_msa_server" in words for words in calls] == [True, False, False]


def test_weights_are_fetched_by_one_worker(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_BOLTZ_DOWNLOAD", "0.3")
    file = make()
    processes = [tool_process(file) for _ in range(3)]
    found: dict[str, Result] = {}

    def ask(number: int) -> None:
        found.update(processes[number].evaluate({str(number): "C" * (number + 1)}, lambda: False))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        process.close()
    assert all(one.is_value for one in found.values())
    assert (tmp_path / "weights/downloads").read_text() == "1"


def test_behind_lines_of_json_boltz_ends_with_its_server(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_BOLTZ", json.dumps({"CCO": "sleep"}))
    monkeypatch.setenv("FAKE_BOLTZ_CHILD", str(tmp_path / "number"))
    process, number = tool_process(make()), tmp_path / "number"
    found = dict(
        process.evaluate({"0": "CCC", "1": "CCO"}, lambda: number.exists() and bool(number.read_text()))
    )
    process.close()
    assert list(found) == ["0"]
    assert is_gone(int(number.read_text()))


def test_a_missing_program_is_said_once(make: Make) -> None:
    file = make()
    file.write_text(file.read_text().replace(sys.executable, "/no/boltz"))
    process = tool_process(file)
    with pytest.raises(RewardError, match=r"/no/boltz: there is no such program.*run.command"):
        dict(process.evaluate({"0": "CCO"}, lambda: False))
    process.close()


# Inputs


def target(**keys: object) -> BoltzTarget:
    chain = {"id": "A", "sequence": "MKT", "msa": "empty"}
    return BoltzTarget.model_validate({"tool": "boltz", "chain": [chain], **keys})


def test_an_input_has_all_that_the_target_says(tmp_path: Path) -> None:
    chains = [
        {
            "id": ["A", "B"],
            "sequence": "MKT",
            "msa": "x.a3m",
            "modification": [{"position": 2, "ccd": "SEP"}],
        },
        {"kind": "rna", "id": "C", "sequence": "ACGU", "cyclic": True},
    ]
    chosen = target(
        chain=chains,
        cofactor=[{"id": "D", "ccd": "ATP"}],
        pocket={"contacts": [["A", 2], ["C", 1]], "force": True},
        contact=[{"token1": ["A", 1], "token2": ["C", 2]}],
        bond=[{"atom1": ["A", 1, "SG"], "atom2": ["D", 1, "C1"]}],
        template=[{"file": "t.pdb", "chain_id": "A", "force": True, "threshold": 2.0}],
    )
    document = json.loads(input_text(chosen, "C/C=C\\C", tmp_path, {}))
    assert [next(iter(one)) for one in document["sequences"]] == ["protein", "rna", "ligand", "ligand"]
    protein = document["sequences"][0]["protein"]
    assert protein["id"] == ["A", "B"]
    assert protein["msa"] == str(tmp_path / "x.a3m")
    assert protein["modifications"] == [{"position": 2, "ccd": "SEP"}]
    assert document["sequences"][-1]["ligand"] == {"id": "E", "smiles": "C/C=C\\C"}
    assert document["properties"] == [{"affinity": {"binder": "E"}}]
    assert document["constraints"][0]["pocket"]["binder"] == "E"
    assert document["constraints"][2] == {"bond": {"atom1": ["A", 1, "SG"], "atom2": ["D", 1, "C1"]}}
    assert document["templates"][0]["pdb"] == str(tmp_path / "t.pdb")


def test_a_template_of_the_user_gets_the_ligand() -> None:
    text = "sequences:\n- protein: {id: [A, B]}\n- ligand:\n    id: <LIGAND-ID>\n    smiles: '<LIGAND>'\n"
    assert filled_template(text, "C/C=C\\C").endswith('id: C\n    smiles: "C/C=C\\\\C"\n')


TEMPLATE = """\
# msa: old.a3m
sequences:
- protein:
    id: A
    sequence: MKT
    msa: sub/a.a3m  # made by hand
- protein: {id: B, sequence: MKT, msa: 'b 1.csv'}
- protein: {id: C, sequence: MKT, msa: empty}
- protein: {id: D, sequence: MKT, "msa":"/abs/d.a3m"}
- ligand:
    id: <LIGAND-ID>
    smiles: <LIGAND>
templates:
  - cif: t.cif
    chain_id: A
properties: [{affinity: {binder: <LIGAND-ID>}}]
"""


def test_files_in_a_template_of_the_user_start_at_the_target_file() -> None:
    assert files_in(TEMPLATE) == ["sub/a.a3m", "b 1.csv", "/abs/d.a3m", "t.cif"]
    found = rooted(TEMPLATE, Path("/here"))
    wanted = TEMPLATE.replace("sub/a.a3m", '"/here/sub/a.a3m"').replace("'b 1.csv'", '"/here/b 1.csv"')
    assert found == wanted.replace("t.cif", '"/here/t.cif"')


def test_files_in_a_template_of_the_user_are_part_of_the_oracle(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text('tool = "boltz"\ninput = "toy.yaml"\n')
    text = "sequences:\n- protein:\n    id: A\n    msa: a.a3m\n- ligand: {id: B, smiles: <LIGAND>}\n"
    (tmp_path / "toy.yaml").write_text(f"{text}properties: [affinity: {{binder: B}}]\n")
    with pytest.raises(ConfigError, match=r"a\.a3m: no such file"):
        open_tool(path)
    (tmp_path / "a.a3m").write_text(">101\nMKT\n")
    first = open_tool(path).oracle()
    (tmp_path / "a.a3m").write_text(">101\nMKT\n>x\nMKT\n")
    assert open_tool(path).oracle().fingerprint != first.fingerprint
    chosen = BoltzTarget(tool="boltz", input="toy.yaml")
    assert f'msa: "{tmp_path}/a.a3m"\n' in input_text(chosen, "CCO", tmp_path, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('tool = "boltz"\n', "toy.toml: chain = []: must be given"),
        ('tool = "boltz"\nchian = 1\n', "toy.toml:2: unknown key 'chian' - did you mean 'chain'?"),
        ('[[chain]]\nid = "A"\n', "toy.toml: tool: must be "),
        ('tool = "boltz"\n[[chain]]\nid = "A"\nsequence = "MKT"\n', "toy.toml:2: chain.0.msa: must be given"),
        (
            'tool = "boltz"\n[[chain]]\nid = ["A", "A"]\nsequence = "MKT"\nmsa = "empty"\n',
            "chain = [{}, {}]: must have different ids",
        ),
        (
            'tool = "boltz"\n[[chain]]\nid = "A"\nsequence = "MKT"\nmsa = "no.a3m"\n',
            "no.a3m: no such file",
        ),
        (
            'tool = "boltz"\n[pocket]\ncontacts = [["Q", 1]]\n[[chain]]\nid = "A"\nsequence = "M"\nmsa = "empty"\n',
            "must have an id 'Q', which a constraint names",
        ),
    ],
)
def test_a_bad_target_file_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "toy.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        open_tool(tmp_path / "toy.toml")
    for word in words.split(" = [{}, {}]"):
        assert word in str(caught.value)


def test_the_oracle_changes_with_the_target_and_not_with_the_machine(make: Make, tmp_path: Path) -> None:
    first = open_tool(make()).oracle().fingerprint
    assert open_tool(make(folder="elsewhere", timeout_seconds=9.0)).oracle().fingerprint == first
    assert open_tool(make(replicates=2)).oracle().fingerprint != first
    (tmp_path / "a.a3m").write_text(">101\nMKT\n")
    second = open_tool(make(msa="a.a3m")).oracle().fingerprint
    assert second != first
    (tmp_path / "a.a3m").write_text(">101\nMKT\n>x\nMKT\n")
    assert open_tool(make(msa="a.a3m")).oracle().fingerprint != second
    assert os.environ.get("FAKE_BOLTZ") is None


def test_a_score_of_ones_own() -> None:
    own = {
        "name": "both",
        "factor": [
            {
                "field": "affinity_pred_value",
                "transform": {"kind": "reverse_linear", "low": -2.0, "high": 2.0},
            },
            {"field": "iptm", "weight": 2.0},
        ],
    }
    found = formulas(target(scores=["ensemble"], score=[own]))
    assert list(found) == ["ensemble", "both"]
    assert found["both"].fields == ("affinity_pred_value", "iptm")
    assert found["both"].formula({"affinity_pred_value": 0.0, "iptm": 0.6}) == pytest.approx(0.18)
