from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluvial.config.file import load_config, parse_config
from fluvial.core.errors import ConfigError

F = '[env]\nkind = "fragments"\n'
G = '[env]\nkind = "hypergrid"\n'
TERM = F + "[[reward.term]]\n"
TRANSFORM = TERM + 'kind = "qed"\n[reward.term.transform]\n'
FILTER = F + "[[reward.filter]]\n"


def complaint(text: str, *overrides: str, origin: str = "run.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, origin, overrides)
    return str(caught.value)


BAD = [
    # syntax
    ("seed = \n", "run.toml:1:8: Invalid value"),
    ("seed = 1\nname\n", "run.toml:2:5: Expected '=' after a key in a key/value pair"),
    ("seed = 1\n\nseed = 2\n", "run.toml:3:9: the key is set a second time here; keep one of the two"),
    ('[env]\nkind = "x"\n[env]\n', "run.toml:3:5: Cannot declare ('env',) twice"),
    ('name = "\ud7ff', "run.toml:1:10: Unterminated string"),
    ("seed = " + "9" * 5000, "run.toml: Exceeds the limit"),
    ("seed = " + "[" * 100_000, "run.toml: lists or tables are nested too deeply to be a configuration."),
    # unknown keys
    (F + "max_fragment = 3", "run.toml:3: unknown key 'env.max_fragment' - did you mean 'max_fragments'?"),
    (F + "[alog]\nbatch = 3", "run.toml:3: unknown key 'alog' - did you mean 'algo'?"),
    (F + "[algo]\nlr = 1", "run.toml:4: unknown key 'algo.lr' - did you mean 'optimizer.lr'?"),
    (F + "side = 3", "run.toml:3: unknown key 'env.side' - only kind = 'hypergrid' has it"),
    (F + "[stop]\nzzz = 3", "run.toml:4: unknown key 'stop.zzz' - known keys here: steps, minutes"),
    (F + '"a\\nb" = 3', "run.toml:3: unknown key 'env.\"a\\nb\"' - known keys here: kind, vocabulary"),
    (
        F + 'MAX-fragments = "3"',
        "run.toml:3: unknown key 'env.MAX-fragments' - did you mean 'max_fragments'?",
    ),
    # types
    (F + '[algo]\nbatch = "64"', 'run.toml:4: algo.batch = "64": must be a whole number'),
    (F + "[algo]\nbatch = 6.5", "run.toml:4: algo.batch = 6.5: must be a whole number"),
    (F + "[optimizer]\nlr = true", "run.toml:4: optimizer.lr = true: must be a number"),
    (F + "[log]\ntensorboard = 1", "run.toml:4: log.tensorboard = 1: must be true or false"),
    ("name = 3\n" + F, "run.toml:1: name = 3: must be text, in quotes"),
    ("stop = 3\n" + F, "run.toml:1: stop = 3: must be a section of keys"),
    (
        "env = 3",
        "run.toml:1: env = 3: must be a table; its kind must be one of 'fragments', 'atoms', 'synthesis', 'hypergrid', 'graph'",
    ),
    (F + "[reward]\nterm = 3", "run.toml:4: reward.term = 3: must be a list [...]"),
    (F + '[algo]\nepsilon = "a"', 'run.toml:4: algo.epsilon = "a": must be a number or a table {...}'),
    (F + "[condition]\nbeta = [1]", "run.toml:4: condition.beta = [1]: must be a number or a table {...}"),
    (F + "[log]\nevery = 1979-05-27", 'run.toml:4: log.every = "1979-05-27": must be a whole number'),
    # ranges
    (F + "\n\n[algo]\n\nbatch = -3", "run.toml:7: algo.batch = -3: must be at least 1"),
    (F + "[optimizer]\nlr = 0", "run.toml:4: optimizer.lr = 0: must be more than 0"),
    (F + "[replay]\nfraction = 1.0", "run.toml:4: replay.fraction = 1.0: must be at most 0.95"),
    ("seed = 9223372036854775808\n" + F, "must be at most 9223372036854775807"),
    (
        "seed = 0x" + "f" * 5000 + "\n" + F,
        "run.toml:1: seed = a number of thousands of digits: must be at most",
    ),
    (F + "[optimizer]\nlr = nan", "run.toml:4: optimizer.lr = NaN: must be a finite number"),
    (
        F + "[condition]\nbeta = inf",
        "run.toml:4: condition.beta = Infinity: must be a finite number more than 0",
    ),
    (F + "[algo]\nepsilon = 2", "run.toml:4: algo.epsilon = 2: must be a number from 0 to 1"),
    (F + "[optimizer]\nbetas = [0.9]", "run.toml:4: optimizer.betas = [0.9]: must have 2 items"),
    (F + "[optimizer]\nbetas = [0.9, 1, 2]", "optimizer.betas = [0.9, 1, 2]: must have at most 2 items"),
    (F + "[optimizer]\nbetas = [0.9, 1]", "betas = [0.9, 1.0]: must each be at least 0 and less than 1"),
    ("format = 2\n" + F, "run.toml:1: format = 2: must be 1"),
    ('name = "a b"\n' + F, 'run.toml:1: name = "a b": must be 1 to 100 letters, digits, - and _'),
    ('device = "gpu"\n' + F, "run.toml:1: device = \"gpu\": must be 'auto', 'cpu', 'cuda' or 'cuda:N'"),
    ('out = "runs/{nam}"\n' + F, 'out = "runs/{nam}": must be a path, in which {name} is the only word'),
    (F + 'vocabulary = " "', 'run.toml:3: env.vocabulary = " ": must have a visible character'),
    # kinds and choices
    (
        "",
        "run.toml: [env] is missing: its kind must be one of 'fragments', 'atoms', 'synthesis', 'hypergrid', 'graph'",
    ),
    (
        "seed = 1\n[env]\n",
        "run.toml:2: env.kind is missing: must be one of 'fragments', 'atoms', 'synthesis', 'hypergrid', 'graph'",
    ),
    (
        'env.kind = "fragment"',
        "run.toml:1: env.kind = \"fragment\": must be one of 'fragments', 'atoms', 'synthesis', 'hypergrid', 'graph', 'sequence', 'set' - did you mean",
    ),
    (F + '[optimizer]\nkind = "Adam-W"', "must be one of 'adam', 'adamw', 'sgd' - did you mean 'adamw'?"),
    (
        F + '[algo]\nobjective = "tbb"',
        "run.toml:4: algo.objective = \"tbb\": must be one of 'tb', 'vargrad', 'db', 'subtb'",
    ),
    (
        F + '[algo]\nobjective = "vargrad"\n[condition]\nbeta = {distribution = "uniform", a = 1, b = 2}',
        "unless [condition] is the same for all",
    ),
    (F + "[replay]\nfraction = 0.005", "must be 0, or large enough to replay one trajectory beside 64"),
    (F + "[replay]\nfraction = 0.999", "replay.fraction = 0.999: must be"),
    (
        TERM + 'name = "x"',
        "run.toml:3: reward.term.0.kind is missing: must be one of 'function', 'similarity', "
        "'substructure', 'seh', 'gap', 'scscore', 'route', 'learned', 'onnx', 'oracle', or a property such as 'qed'",
    ),
    (
        TERM + 'kind = "qde"',
        "run.toml:4: reward.term.0.kind = \"qde\": unknown property 'qde' - did you mean 'qed'?",
    ),
    (TERM + 'kind = "Function"', "run.toml:4: reward.term.0.kind = \"Function\": must be written 'function'"),
    (
        TERM + 'kind = "similarity"',
        "run.toml:3: reward.term.0.to is missing: SMILES of the molecules to be similar to.",
    ),
    (
        TRANSFORM + 'kind = "sigmoyd"',
        "transform.kind = \"sigmoyd\": must be one of 'sigmoid', 'reverse_sigmoid'",
    ),
    (TRANSFORM + "low = 1", "run.toml:5: reward.term.0.transform.kind is missing"),
    (
        FILTER + 'kind = "alert"',
        "run.toml:4: reward.filter.0.kind = \"alert\": must be one of 'alerts', 'range', 'smarts'",
    ),
    # chemistry
    (TERM + 'kind = "similarity"\nto = []', "run.toml:5: reward.term.0.to = []: must not be empty"),
    (
        TERM + 'kind = "similarity"\nto = ["C",\n "C1"]',
        "run.toml:6: reward.term.0.to.1 = \"C1\": 'C1' is no valid SMILES",
    ),
    (
        TERM + 'kind = "substructure"\nsmarts = "(("',
        "reward.term.0.smarts = \"((\": '((' is not a SMARTS pattern",
    ),
    (TERM + 'kind = "function"\nfunction = "a.py"', "function = \"a.py\": must look like 'file.py:function'"),
    (
        FILTER + 'kind = "alerts"\nsets = ["PAIN"]',
        "sets.0 = \"PAIN\": unknown alert set 'PAIN' - did you mean 'PAINS'?",
    ),
    (TERM + f'kind = "similarity"\nto = ["{"C" * 2001}"]', "CCC...: must have at most 2000 characters"),
    (TERM + 'kind = "q\\n\\nd"', "reward.term.0.kind = \"q\\n\\nd\": unknown property 'q d'"),
    # contradictions
    (F + "min_fragments = 6", "run.toml:3: env.min_fragments = 6: must be at most max_fragments = 5"),
    (F + "[policy]\nheads = 5", "run.toml:3: policy.width = 64: must be a multiple of heads = 5"),
    (F + "[replay]\ncapacity = 0", "run.toml:4: replay.capacity = 0: must be at least 1"),
    (
        F + '[policy]\nkind = "mlp"',
        "run.toml:4: policy.kind = \"mlp\": must be 'graph-transformer' or 'uniform' for",
    ),
    (F + '[policy]\nkind = "tabular"', "policy.kind = \"tabular\": must be 'graph-transformer' or 'uniform'"),
    (
        G + '[policy]\nkind = "graph-transformer"',
        "must be 'mlp' or 'tabular' or 'uniform' for env.kind = 'hypergrid'",
    ),
    (G + "[reward]\nfloor = 0.1", "run.toml:3: reward = {...}: must be left out for env.kind = 'hypergrid'"),
    (G + "dimension = 16\nside = 999", "run.toml:4: env.side = 999: must be smaller for dimension = 16"),
    (G + 'side = 1001\n[policy]\nkind = "tabular"', "must be 'mlp' for 1002001 cells; a table holds 1000000"),
    (
        G + '[policy]\nkind = "tabular"\n[condition]\nbeta = {distribution = "uniform", a = 1, b = 2}',
        "policy.kind = \"tabular\": must be 'mlp' unless [condition] is the same for all; a table cannot see it",
    ),
    (
        F + "[optimizer]\nmomentum = 0.5",
        "momentum = 0.5: must be left out or 0 for kind = 'adam'; only 'sgd' has it",
    ),
    (
        F + '[optimizer]\nkind = "sgd"\nbetas = [0.5, 0.9]',
        "betas = [0.5, 0.9]: must be left out for kind = 'sgd'",
    ),
    (
        F + '[condition]\nbeta = {distribution = "uniform", a = 3, b = 3}',
        "beta.b = 3.0: must be more than a = 3",
    ),
    (
        F + '[condition]\nbeta = {distribution = "gamma"}',
        "condition.beta.b: must be given for distribution = 'gamma'",
    ),
    (
        F + "[condition.beta]\nb = 3",
        "run.toml:4: condition.beta.b = 3.0: must be left out for distribution =",
    ),
    (
        F + '[[reward.term]]\nkind = "qed"\n[[reward.term]]\nkind = "qed"',
        'run.toml:5: reward.term.1.name = "qed": must differ from the names of the terms before it',
    ),
    (
        F + "[reward]\ntimeout_seconds = 5",
        "reward.timeout_seconds = 5.0: must be left out unless reward.workers is",
    ),
    (TRANSFORM + 'kind = "linear"\nlow = 3\nhigh = 3', "transform.high = 3.0: must be more than low = 3"),
    (
        TRANSFORM + 'kind = "value_mapping"\nmapping = {a = 1}',
        "mapping = {...}: must map numbers; 'a' is none",
    ),
    (TRANSFORM + 'kind = "value_mapping"\nmapping = {1 = -1}', "must map to at least 0; -1 is negative"),
    (FILTER + 'kind = "range"\nproperty = "mw"', "reward.filter.0.low: must be given, or high, or both"),
    (
        FILTER + 'kind = "range"\nproperty = "mw"\nlow = 5\nhigh = 4',
        "filter.0.high = 4.0: must be at least low = 5",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), BAD, ids=range(len(BAD)))
def test_bad_configurations_are_explained(text: str, sentence: str) -> None:
    message = complaint(text)
    assert sentence in message
    assert message.count("\n") == 0


BAD_OVERRIDES = [
    ("algo.batch", "override 'algo.batch': must look like key=value, as in algo.batch=32"),
    ("=3", "override '=3': must look like key=value"),
    ("algo..batch=3", "override 'algo..batch=3': must look like key=value"),
    ("algo.bach=3", "override 'algo.bach=3': unknown key 'algo.bach' - did you mean 'batch'?"),
    ("alog.batch=3", "override 'alog.batch=3': unknown key 'alog' - did you mean 'algo'?"),
    ("algo.batch=-3", "override 'algo.batch=-3': algo.batch = -3: must be at least 1"),
    ("algo.batch=many", "override 'algo.batch=many': algo.batch = \"many\": must be a whole number"),
    ("algo.batch=", "override 'algo.batch=': algo.batch = \"\": must be a whole number"),
    ("algo.batch=1\n[x]\ny=2", 'algo.batch = "1\\n[x]\\ny=2": must be a whole number'),
    ("log.tensorboard=True", 'log.tensorboard = "True": must be true or false'),
    ("algo.batch.size=3", "override 'algo.batch.size=3': 'algo.batch' is 8, which has no keys inside"),
    ("reward.term.2.weight=2", "'reward.term' has 1 items, counted from 0; '2' is none of them"),
    ("reward.term.first.weight=2", "'reward.term' has 1 items, counted from 0; 'first' is none of them"),
    (
        "reward.term.0.weight=0",
        "override 'reward.term.0.weight=0': reward.term.0.weight = 0: must be more than 0",
    ),
    ("reward.filter.0.kind=alerts", "the file has no list 'reward.filter' to change; write it there first"),
    ("env.kind=hypergrid", "run.toml:3: reward = {...}: must be left out for env.kind = 'hypergrid'"),
    ("name=\udcff", "override 'name=\\udcff': is not UTF-8 text"),
]


@pytest.mark.parametrize(("override", "sentence"), BAD_OVERRIDES)
def test_bad_overrides_are_explained(override: str, sentence: str) -> None:
    message = complaint(TERM + 'kind = "qed"\n[algo]\nbatch = 8', override)
    assert sentence in message
    assert message.count("\n") == 0


def test_overrides_set_values_in_order() -> None:
    config = parse_config(
        TERM + 'kind = "qed"\n[algo]\nepsilon = {start = 0.5}',
        overrides=[
            "algo.batch=3",
            "algo.batch = 4",
            "name=tyk2",
            "device=cuda:1",
            "algo.epsilon.end=0.25",
            "reward.term.0.weight=2",
            'reward.term.0.transform={kind = "right_step", high = 0.5}',
            "optimizer.betas=[0.5, 0.75]",
            "stop.minutes=1e-3",
        ],
    )
    assert (config.algo.batch, config.name, config.device) == (4, "tyk2", "cuda:1")
    assert (config.algo.epsilon.start, config.algo.epsilon.end) == (0.5, 0.25)
    assert config.reward is not None
    assert config.reward.term[0].weight == 2.0
    assert config.reward.term[0].transform is not None
    assert config.reward.term[0].transform.parameters() == {"high": 0.5}
    assert (config.optimizer.betas, config.stop.minutes) == ((0.5, 0.75), 0.001)


@given(st.integers(1, 65536))
@settings(max_examples=30, deadline=None)
def test_any_number_in_range_can_be_set(batch: int) -> None:
    assert parse_config(F, overrides=[f"algo.batch={batch}"]).algo.batch == batch


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.text(max_size=10))
@settings(max_examples=100, deadline=None)
def test_nothing_that_is_typed_ends_in_a_trace(text: str, override: str) -> None:
    for broken in (text, F + text):
        with suppress(ConfigError):
            parse_config(broken, overrides=[override])


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        'seed = -1\nname = "a"\n[env]\nkind = "fragments"\nmax_fragments = 0\nmin_fragment = 1\n'
        '[reward]\nterm = [\n  {kind = "qed"},\n  {kind = "similarity"},\n]\n[algo]\nbatch = 0\n'
    )
    assert complaint(text, "log.every=0", "nonsense", "stop.step=3").split("\n") == [
        "run.toml:1: seed = -1: must be at least 0",
        "run.toml:5: env.max_fragments = 0: must be at least 1",
        "run.toml:6: unknown key 'env.min_fragment' - did you mean 'min_fragments'?",
        "run.toml:10: reward.term.1.to is missing: SMILES of the molecules to be similar to.",
        "run.toml:13: algo.batch = 0: must be at least 1",
        "override 'log.every=0': log.every = 0: must be at least 1",
        "override 'stop.step=3': unknown key 'stop.step' - did you mean 'steps'?",
        "override 'nonsense': must look like key=value, as in algo.batch=32",
    ]


def test_an_override_is_named_only_for_what_it_set() -> None:
    text = F + "[policy]\nwidth = 4\n[algo]\nbatch = 0"
    assert complaint(text, "policy.layers=2", "algo.temperature=0.5").split("\n") == [
        "run.toml:4: policy.width = 4: must be at least 8",
        "run.toml:6: algo.batch = 0: must be at least 1",
    ]
    assert complaint(F + "[policy]\nwidth = 4", 'policy={kind = "uniform", width = 3}').startswith(
        "override 'policy={kind = \"uniform\", width = 3}': unknown key 'policy.width'"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "run.json:1:2: Expecting property name enclosed in double quotes"),
        ("[1]", "run.json: must be one table {...} with the sections inside."),
        (
            '{"seed": 1, "seed": 2}',
            'run.json: the key "seed" is set twice in the same table; keep one of the two',
        ),
        ('{"seed": NaN}', "run.json: NaN is not a number that a configuration can hold"),
        ('{"name": "\\ud800"}', "run.json: holds half a character (a lone surrogate); write it whole."),
        ('{"seed": ' + "9" * 5000 + "}", "run.json: Exceeds the limit"),
        ('{"seed": ' + "[" * 100_000, "run.json: lists or tables are nested too deeply"),
        ('{"env": {"kind": "fragments"}, "seed": null}', "run.json: seed = null: must be a whole number"),
    ],
)
def test_bad_json_is_explained(text: str, sentence: str) -> None:
    assert sentence in complaint(text, origin="run.json")


def test_json_and_toml_say_the_same() -> None:
    data = {"env": {"kind": "fragments"}, "algo": {"batch": 8}}
    assert parse_config(json.dumps(data), "a.JSON") == parse_config(F + "[algo]\nbatch = 8")


def test_files_are_loaded_with_the_folder_that_paths_start_at(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub" / "run.toml"
    file.write_bytes(b"\xef\xbb\xbf" + F.replace("\n", "\r\n").encode())
    loaded = load_config(file, ["algo.batch=8"])
    assert (loaded.config.algo.batch, loaded.base, loaded.origin) == (8, tmp_path / "sub", str(file))
    assert loaded.path("v.csv") == tmp_path / "sub" / "v.csv"
    assert loaded.path("/v.csv") == Path("/v.csv")


def test_problems_name_the_file_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text(F + "[algo]\nbatch = 0")
    with pytest.raises(ConfigError, match=r"^a\.toml:4: algo\.batch = 0: must be at least 1$"):
        load_config("a.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"seed = 1\nname = 'caf\xe9'\n")
    (tmp_path / "huge.toml").write_bytes(b"#" * 1_000_001)
    expected = {
        "none.toml": "there is no such file; `fluvial init` writes one to start from.",
        "": "is a folder; name the configuration file in it.",
        "latin.toml": "latin.toml:2: byte 0xe9 is not UTF-8; save the file as UTF-8.",
        "huge.toml": "is larger than 1000000 bytes, which no configuration is.",
        "run.yaml": "YAML is not read here; write the configuration as TOML or JSON.",
        "huge.toml/x": "cannot be read: Not a directory.",
        "a\0b": "cannot be read: embedded null byte.",
        "a" * 300: "cannot be read: File name too long.",
    }
    for name, sentence in expected.items():
        with pytest.raises(ConfigError) as caught:
            load_config(os.path.join(tmp_path, name))
        assert sentence in str(caught.value)
