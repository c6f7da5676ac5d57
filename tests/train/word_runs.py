"""Small runs on words whose reward counts a letter; what whole runs are tried with."""

from __future__ import annotations

FUNCTION = """
def score(texts: list[str]) -> list[float]:
    return [1.0 + text.count("A") ** 2 for text in texts]
"""
WORDS = """
threads = 1
[env]
kind = "sequence"
alphabet = ["A", "C", "G"]
max_length = 5
reward = "terms"
[policy]
kind = "mlp"
width = 16
layers = 1
[algo]
batch = 8
epsilon = 0.1
[optimizer]
schedule = "constant"
[replay]
start = 8
"""
"""Without steps and without the term of the reward, which begin a table each."""
INSTANT_TERM = """
[[reward.term]]
kind = "function"
function = "reward.py:score"
"""
