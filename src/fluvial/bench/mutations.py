"""Texts that once were right: seeds, and what is done to them."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fluvial.chem.synthesis.templates import embedded_templates
from fluvial.tasks.registry import TASKS

MOST_REPEATS = 3000
"""How often a piece is repeated at most, for length and for nesting; arbitrary."""
SMILES = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[C@H](N)C(=O)N1CCC[C@@H]1C(O)=O",
    "O=S(=O)(Nc1ccc2[nH]cnc2c1)c1cc(F)c(Cl)c(Br)c1",
    "C/C=C\\C#N.[Na+].[O-][N+](=O)c1ccccc1",
    "[13CH3][C@@]12CC[C@H]3[C@@H](CCC4=CC(=O)CC[C@@]34C)[C@@H]1CC[C@@H]2O",
    "c1cc2ccc3cccc4ccc(c1)c2c34",
    "C%10CC%11CC%10CC%11",
    "F[P-](F)(F)(F)(F)F.C[N+]1=CC=CC=C1",
    "C1=CC=C[CH-]1.C1=CC=C[CH-]1.[Fe+2]",
    "*C(=O)[*:1]",
    "B(O)(O)c1cc[se]c1",
    "N#[N+][N-]c1nnn[nH]1",
)
MESSAGES = (
    '{"id": "7", "value": 0.5}',
    '{"id": 7, "values": {"affinity": -7.25, "pose": null}, "seconds": 1.5}',
    '{"id": "8", "error": "no pose", "retry": true}',
    '{"id": "9", "started": true}',
    '{"ready": true}',
    '{"fatal": "no licence"}',
    '{"answers": [{"id": "1", "value": 3}, {"id": "2", "error": "x"}]}',
    '{"version": 4, "payload": {"score": [0.25, "nan"], "other": [1, 2]}}',
)
ODD = (
    "-1",
    "0",
    "1e400",
    "nan",
    "true",
    '""',
    "[]",
    "{}",
    '"x"',
    "9223372036854775808",
    "[[]]",
    "1979-05-27",
)
"""Values that few keys of a configuration take."""


@dataclass(frozen=True)
class Corpus:
    """What inputs of a kind are made from."""

    seeds: tuple[str, ...]
    alphabet: str


def smiles() -> Corpus:
    """Molecules."""
    return Corpus(SMILES, "CNOPSFIclnosBr[]()=#:.-+\\/@%*0123456789H>$~ \x00é\ud800")


def templates() -> Corpus:
    """Reactions."""
    seeds = tuple(template.smarts for template in embedded_templates())
    return Corpus(seeds, "CNO[];:!&,()=#$~-+@>.0123456789HXRDv\t\n \x00é\ud800")


def messages() -> Corpus:
    """Lines of workers, one byte a character."""
    return Corpus(MESSAGES, '{}[]",:.-+eE0123456789truefalsnNaIity\\ \x00\xff\xc3\n')


def configurations() -> Corpus:
    """Configurations of the tasks, whole and without comments, and with overrides in lines of `#=`."""
    whole = [task.toml for task in TASKS.values()]
    bare = [
        "\n".join(line for line in text.splitlines() if line.strip()[:1] not in ("", "#")) for text in whole
    ]
    keys = (
        "algo.batch",
        "seed",
        "policy.width",
        "reward.term.0.transform",
        "condition.beta",
        "env",
        "stop.steps",
    )
    overridden = [f"{text}\n#= {key}={value}" for text in bare for key in keys for value in ODD]
    odd = [
        "\n".join((*lines[:place], f"{lines[place].partition('=')[0]}= {value}", *lines[place + 1 :]))
        for lines in (text.splitlines() for text in bare)
        for place in range(len(lines))
        if "=" in lines[place]
        for value in ODD
    ]
    return Corpus((*whole, *bare, *overridden, *odd), string.printable + "é\ud800")


CORPORA: dict[str, Callable[[], Corpus]] = {
    "smiles": smiles,
    "template": templates,
    "configuration": configurations,
    "message": messages,
}


def mutated(corpus: Corpus, generator: random.Random) -> Iterator[str]:
    """Inputs without end: seeds to which up to eight things were done."""
    while True:
        text = generator.choice(corpus.seeds)
        for _ in range(generator.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
            text = generator.choice(MUTATIONS)(text, corpus, generator)
        yield text


def inserted(text: str, corpus: Corpus, generator: random.Random) -> str:
    """Some characters more."""
    place = generator.randint(0, len(text))
    return (
        text[:place] + "".join(generator.choices(corpus.alphabet, k=generator.randint(1, 4))) + text[place:]
    )


def replaced(text: str, corpus: Corpus, generator: random.Random) -> str:
    """Another character."""
    place = generator.randint(0, len(text))
    return text[:place] + generator.choice(corpus.alphabet) + text[place + 1 :]


def deleted(text: str, corpus: Corpus, generator: random.Random) -> str:
    """A piece less."""
    start, stop = piece(text, generator)
    return text[:start] + text[stop:]


def doubled(text: str, corpus: Corpus, generator: random.Random) -> str:
    """A piece twice, the second time elsewhere."""
    start, stop = piece(text, generator)
    place = generator.randint(0, len(text))
    return text[:place] + text[start:stop] + text[place:]


def spliced(text: str, corpus: Corpus, generator: random.Random) -> str:
    """The beginning of this and the end of another."""
    other = generator.choice(corpus.seeds)
    return text[: generator.randint(0, len(text))] + other[generator.randint(0, len(other)) :]


def cut(text: str, corpus: Corpus, generator: random.Random) -> str:
    """The beginning alone."""
    return text[: generator.randint(0, len(text))]


def repeated(text: str, corpus: Corpus, generator: random.Random) -> str:
    """A short piece again and again; seldom, as it takes its time."""
    if generator.random() > 0.02:
        return replaced(text, corpus, generator)
    start = generator.randint(0, len(text))
    stop = min(len(text), start + generator.randint(1, 6))
    return text[:stop] + text[start:stop] * generator.randint(1, MOST_REPEATS) + text[stop:]


def piece(text: str, generator: random.Random) -> tuple[int, int]:
    """Where a piece begins and ends."""
    start = generator.randint(0, len(text))
    return start, min(len(text), start + generator.randint(1, 12))


Mutation = Callable[[str, Corpus, random.Random], str]
MUTATIONS: Sequence[Mutation] = (inserted, replaced, deleted, doubled, spliced, cut, repeated)
