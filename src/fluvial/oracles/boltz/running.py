"""Runs of Boltz on batches of ligands."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from fluvial.oracles.boltz.inputs import input_text
from fluvial.oracles.boltz.results import FOR_GOOD, Lacking, Measured, outcome
from fluvial.oracles.boltz.target import BoltzTarget
from fluvial.oracles.locking import first_alone
from fluvial.oracles.programs import Ended, run_program
from fluvial.oracles.seeds import short_key
from fluvial.queue.jobs import Result
from fluvial.queue.worker import ShouldStop
from fluvial.rewards.guard import BreakdownError

FILLED = ".fluvial-filled"
"""Mark in a cache of weights that a run has ended well with it."""


@dataclass
class BoltzRuns:
    """What `guarded` asks: a run for each batch, with one seed.

    Ligands are given as SMILES by short key. A ligand of which nothing is known after a run breaks the batch,
    so that it is asked for again in halves, and at last alone: a crash, a time-out or a lack of memory is
    then its own.
    """

    target: BoltzTarget
    base: Path
    """Folder of the target file."""
    needed: tuple[str, ...]
    """Fields that must be there."""
    seed: int
    keep: Callable[[str, Measured], None]
    """Told of each ligand's files before they are deleted."""
    names_culprits: bool = field(default=False, init=False)

    def ask(
        self, texts: Mapping[str, str], one_by_one: bool, should_stop: ShouldStop
    ) -> Iterator[tuple[str, Result]]:
        """See `Asked.ask`."""
        folder = self.base / Path(self.target.run.folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        # A new folder for each run, because Boltz takes what it finds there for its own results.
        with tempfile.TemporaryDirectory(prefix="batch-", dir=folder) as batch:
            ended = self._run(texts, Path(batch))
            lacking: list[Lacking] = []
            for key in texts:
                found = outcome(Path(batch) / "out", key, self.needed, ended.log)
                if isinstance(found, Measured):
                    self.keep(key, found)
                    yield key, Result(dict(found.fields))
                elif found.why in FOR_GOOD:
                    yield key, Result(reason=found.reason)
                else:
                    lacking.append(found)
            if lacking:
                raise BreakdownError(f"{lacking[0].reason} ({ended.words})")

    def _run(self, texts: Mapping[str, str], batch: Path) -> Ended:
        with first_alone(self._cache / FILLED) as is_first:
            needs_msa = any(one.msa == "server" for one in self.target.chain)
            if not needs_msa:
                return self._predict(texts, batch, {}, is_first)
            with first_alone(self._alignments / FILLED):
                known = self._known_alignments()
                ended = self._predict(texts, batch, known, is_first)
                if not known:
                    self._store_alignments(batch)
                return ended

    def _predict(
        self, texts: Mapping[str, str], batch: Path, alignments: Mapping[str, Path], is_first: bool
    ) -> Ended:
        run = self.target.run
        inputs = batch / "inputs"
        inputs.mkdir()
        for key, smiles in texts.items():
            text = input_text(self.target, smiles, self.base, alignments)
            (inputs / f"{key}.yaml").write_text(text, encoding="utf-8")
        seconds = run.start_seconds + run.timeout_seconds * len(texts)
        command = [*run.command, "predict", str(inputs), "--out_dir", str(batch / "out")]
        command += ["--cache", str(self._cache), "--seed", str(self.seed), *run.options]
        if not alignments and any(one.msa == "server" for one in self.target.chain):
            command.append("--use_msa_server")
            if run.msa_server_url is not None:
                command += ["--msa_server_url", run.msa_server_url]
        (batch / "out").mkdir()
        ended = run_program(
            command, batch, batch / "log", seconds + (run.download_seconds if is_first else 0.0)
        )
        if not ended.reason:
            self._cache.mkdir(parents=True, exist_ok=True)
            (self._cache / FILLED).touch()
        return ended

    @property
    def _cache(self) -> Path:
        return self.base / Path(self.target.run.cache).expanduser()

    @property
    def _alignments(self) -> Path:
        """Folder of the alignments that the server made for this target."""
        sequences = "\n".join(one.sequence for one in self.target.chain)
        name = blake2b(sequences.encode(), digest_size=8).hexdigest()
        return self.base / Path(self.target.run.folder).expanduser() / f"msa-{name}"

    def _known_alignments(self) -> dict[str, Path]:
        """Sequence to alignment, for all proteins or for none."""
        wanted = {one.sequence for one in self.target.chain if one.msa == "server"}
        found = {sequence: self._alignments / f"{short_key(sequence)}.csv" for sequence in wanted}
        return found if all(path.is_file() for path in found.values()) else {}

    def _store_alignments(self, batch: Path) -> None:
        """Keep what the server has made: `STEM_0.csv` is of the first different chain of whatever kind."""
        chains = list(dict.fromkeys((one.kind, one.sequence) for one in self.target.chain))
        wanted = {one.sequence for one in self.target.chain if one.msa == "server"}
        places = {sequence: chains.index(("protein", sequence)) for sequence in wanted}
        for stem in sorted({path.stem for path in (batch / "inputs").iterdir()}):
            made = {
                sequence: path
                for sequence, place in places.items()
                for path in batch.glob(f"out/boltz_results_*/msa/{stem}_{place}.csv")
            }
            if made.keys() == wanted:
                self._alignments.mkdir(parents=True, exist_ok=True)
                for sequence, path in made.items():
                    shutil.copyfile(path, self._alignments / f"{short_key(sequence)}.csv")
                (self._alignments / FILLED).touch()
                return
