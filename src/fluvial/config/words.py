"""Words over an alphabet: env.kind = 'sequence'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from fluvial.config.section import KIND, Problem, Section, Text

Symbol = Annotated[Text, Field(max_length=100)]

DNA = ("A", "C", "G", "T")
"""The letters of the table of binding strengths, whose words have 8 of them."""


def _bit_words(size: int) -> tuple[str, ...]:
    return tuple(f"{number:0{size}b}" for number in range(1 << size))


ALPHABETS: dict[str, tuple[str, ...]] = {
    "dna": DNA,
    "rna": tuple("ACGU"),
    "protein": tuple("ACDEFGHIKLMNPQRSTVWY"),
    "bits": _bit_words(1),
    "bits2": _bit_words(2),
    "bits4": _bit_words(4),
    "bits8": _bit_words(8),
}
"""Symbols by the name of their alphabet: nucleic acids, the 20 amino acids, one or more bits to a symbol."""


def _named_alphabet(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in ALPHABETS:
        raise ValueError(f"must be a list of symbols, or one of {', '.join(ALPHABETS)}")
    return ALPHABETS[value]


Alphabet = Annotated[
    tuple[Symbol, ...],
    Field(strict=False, min_length=1, max_length=1000),
    BeforeValidator(_named_alphabet, json_schema_input_type=Literal[tuple(ALPHABETS)] | list[Symbol]),
]


class SequencesConfig(Section):
    """Words over an alphabet: DNA, bits, peptides, or symbols of your own."""

    kind: Literal["sequence"] = Field(description=KIND)
    alphabet: Alphabet = Field(
        default=("a", "b", "c"),
        description="Symbols, each of one or more characters; every text must have one reading. Or a "
        "name: dna, rna, protein, bits, or bits2, bits4, bits8 with several bits each. The default is a toy.",
    )
    max_length: int = Field(default=10, ge=1, le=10_000, description="Most symbols of a word. A toy's.")
    min_length: int = Field(default=1, ge=0, le=10_000, description="Fewest symbols of a word. A toy's.")
    order: Literal["append", "both_ends", "insert"] = Field(
        default="append",
        description="Where symbols are put: at the end (append), at either end, or anywhere. At the end is "
        "fastest: one evaluation of the network serves a whole word.",
    )
    reward: Literal["motifs", "modes", "binding", "terms"] = Field(
        default="motifs",
        description="What is worth making: words with many motifs; bit words near one of several hidden ones "
        "(modes); DNA of 8 letters that the protein SIX6 binds (binding); or what the [reward] section says "
        "(terms). The default needs nothing else.",
    )
    motifs: Annotated[tuple[Symbol, ...], Field(strict=False, min_length=1)] = Field(
        default=("aa", "bb", "cc"), description="Texts to find, for reward = 'motifs'. A toy's."
    )
    modes_seed: int = Field(
        default=0,
        ge=0,
        le=2**32 - 1,
        description="Seed of the hidden words, for reward = 'modes'. Arbitrary.",
    )
    n_modes: int = Field(
        default=5, ge=1, le=1000, description="Hidden words, for reward = 'modes'. Arbitrary."
    )

    def contradictions(self) -> Iterator[Problem]:
        """Lengths in order, and an alphabet that the reward can read."""
        fixed = self.min_length == self.max_length
        if self.min_length > self.max_length:
            yield "min_length", f"must be at most max_length = {self.max_length}"
        elif self.reward == "binding" and (self.alphabet != DNA or not fixed or self.max_length != 8):
            sentence = "needs alphabet = ['A', 'C', 'G', 'T'] and min_length = max_length = 8"
            yield "reward", f"must not be 'binding' with these words; it {sentence}"
        elif self.reward == "motifs" and not set("".join(self.motifs)) <= set("".join(self.alphabet)):
            yield "motifs", "must be written with the characters of the alphabet"
        elif self.reward == "modes":
            is_bits = set("".join(self.alphabet)) <= set("01") and len({*map(len, self.alphabet)}) == 1
            if not is_bits or not fixed or self.max_length * len(self.alphabet[0]) % 8:
                sentence = (
                    "needs symbols of equally many bits and min_length = max_length, 8 bits or a multiple"
                )
                yield "reward", f"must not be 'modes' with these words; it {sentence}"
