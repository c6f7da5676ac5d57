"""Which of the objects that a policy has just made are asked about, where a surrogate screens."""

from __future__ import annotations

from collections.abc import Sequence

from fluvial.config.run_config import RunConfig
from fluvial.core.errors import ConfigError
from fluvial.queue.records import UNANSWERED, ScoredObject
from fluvial.queue.store import Store
from fluvial.rewards.screen import Screen, ScreenSettings
from fluvial.train.scoring import Scoring

REASON = "not asked about: a surrogate finds others more promising"


class Screening:
    """Scores what passes a screen, which learns from the rewards in the store; the rest stays unanswered.

    It is not recorded, is not learned from, and may pass when it is made again.
    """

    def __init__(self, screen: Screen, store: Store) -> None:
        self._screen, self._store = screen, store

    def __call__(self, texts: Sequence[str], score: Scoring) -> list[ScoredObject]:
        """What `score` says of those of `texts` that are recorded or pass; UNANSWERED for the others."""
        self._learn()
        known = self._store.known(texts)
        new = [text for text in dict.fromkeys(texts) if text not in known]
        stopped = {text for text, passes in zip(new, self._screen.passes(new), strict=True) if not passes}
        asked = iter(score([text for text in texts if text not in stopped]))
        return [
            ScoredObject(text, None, UNANSWERED, REASON) if text in stopped else next(asked) for text in texts
        ]

    def _learn(self) -> None:
        due = self._screen.due(self._store.counts()["ok"])
        if due > self._screen.n_learned:
            rewarded = self._store.first_rewarded(due)
            self._screen.learn([text for text, _ in rewarded], [reward for _, reward in rewarded])


def build_screening(config: RunConfig, store: Store) -> Screening | None:
    """The screening of a run; None where everything is asked about.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    chosen = config.screen
    if chosen.share == 1.0:
        return None
    try:
        import sklearn  # noqa: F401 - said before a run begins
    except ImportError:
        raise ConfigError("screen.share < 1 needs scikit-learn: pip install 'fluvial[proxy]'") from None
    return Screening(Screen(ScreenSettings(**chosen.model_dump(), seed=config.seed)), store)
