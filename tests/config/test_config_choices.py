from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.config.choices import IN_MEMORY, Choice, configured, free_folder, reward_terms
from fluvial.core.errors import ConfigError, FluvialError, RewardError


def score(smiles: list[str]) -> list[float]:
    return [1.0 for _ in smiles]


def test_factors_become_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tables, functions = reward_terms("QED * sub/mine.py:score*sa_score")
    assert tables == [
        {"name": "qed", "kind": "qed"},
        {"name": "score", "kind": "function", "function": f"{tmp_path}/sub/mine.py:score"},
        {"name": "sa", "kind": "sa"},
    ]
    assert functions == {}


def test_equal_names_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [table["name"] for table in reward_terms("a.py:score*b.py:score*qed")[0]] == [
        "score",
        "score 2",
        "qed",
    ]


def test_python_functions_stay_in_memory() -> None:
    assert reward_terms(score) == (
        [{"name": "score", "kind": "function", "function": f"{IN_MEMORY}:function"}],
        {"score": score},
    )
    tables, functions = reward_terms({"activity": score, "druglike": "qed"})
    assert [table["name"] for table in tables] == ["activity", "druglike"]
    assert tables[1]["kind"] == "qed"
    assert functions == {"activity": score}
    assert list(reward_terms(lambda smiles: [1.0])[1]) == ["reward"]
    assert reward_terms(None) == ([], {})


@pytest.mark.parametrize(
    ("reward", "kind", "sentence"),
    [
        ("qed*", ConfigError, "has an empty factor"),
        ("qde", ConfigError, "unknown reward property 'qde' - did you mean 'qed'?"),
        ({"a": "qed*sa"}, ConfigError, "'qed*sa' are several factors; give each a name of its own"),
        (lambda: [], RewardError, "cannot be called with one list of molecules"),
        (":score", RewardError, "does not name a reward function"),
    ],
)
def test_bad_rewards(reward, kind: type[FluvialError], sentence: str) -> None:
    with pytest.raises(kind) as caught:
        reward_terms(reward)
    assert sentence in str(caught.value)


def test_choices_go_above_the_file_and_below_the_overrides(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('seed = 1\n[env]\nkind = "fragments"\nmax_fragments = 7\n[stop]\nsteps = 5\n')
    choices = [Choice("stop.steps", 6, "--steps 6"), Choice("seed", 2, "--seed 2")]
    config = configured(path, choices, ["seed=3"]).config
    assert (config.env.model_dump()["max_fragments"], config.stop.steps, config.seed) == (7, 6, 3)


def test_without_a_file_all_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = configured(None)
    assert loaded.base == tmp_path
    assert loaded.config.env.kind == "fragments"
    assert loaded.config.reward is not None


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (Choice("condition.beta", -1.0, "--beta -1.0"), "--beta -1.0: condition.beta = -1.0: must be"),
        (Choice("env.max_fragments", 99, "--max-fragments 99"), "--max-fragments 99: env.max_fragments = 99"),
        (
            Choice("stop.stepz", 3, "settings['stop.stepz']"),
            "settings['stop.stepz']: unknown key 'stop.stepz'",
        ),
        (Choice("name", "a'\"b", "settings['name']"), "settings['name']: name = "),
        (Choice("name", Path("a/b"), "settings['name']"), "settings['name']: name = \"a/b\": must be"),
        (Choice("stop.minutes", float("inf"), "x"), "inf cannot be written to a configuration"),
    ],
)
def test_complaints_are_in_the_words_of_the_user(choice: Choice, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(None, [choice])
    assert sentence in str(caught.value)


def test_a_free_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda form: "NOW")
    assert free_folder(tmp_path) == tmp_path / "design-NOW"
    (tmp_path / "design-NOW").mkdir()
    (tmp_path / "design-NOW-2").touch()
    assert free_folder(tmp_path) == tmp_path / "design-NOW-3"
