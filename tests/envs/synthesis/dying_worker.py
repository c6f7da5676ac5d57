"""A worker process that some questions end. It imports little, so that it starts fast."""

from __future__ import annotations

import os
from collections.abc import Callable

from fluvial.envs.synthesis.questions import Answer, Question, Setting, ready_to_answer


def dying(setting: Setting) -> Callable[[list[Question]], list[Answer]]:
    """Answers until it is asked about bromine."""
    answer = ready_to_answer(setting)

    def answers(questions: list[Question]) -> list[Answer]:
        if any("Br" in question.smiles for question in questions):
            os._exit(9)
        return answer(questions)

    return answers
