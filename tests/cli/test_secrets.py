"""No message, page or log shows the password of a database."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fluvial.core.errors import ConfigError
from fluvial.rewards.http_service import HttpService

PLACE = "postgresql://me:s3cret@127.0.0.1:9/fluvial"
RUN = '[env]\nkind = "fragments"\n[[reward.term]]\nkind = "oracle"\noracle = "x"\n'
CLUSTER = f'place = "{PLACE}"\n[[workers]]\nname = "all"\ncount = 1\nsimulate = "latency=1"\n'


@pytest.mark.parametrize(
    "words",
    [
        ["status", PLACE],
        ["check", "run.toml", f'queue.place=["{PLACE}"]'],
        ["check", "run.toml", f'queue.order="{PLACE}"'],
        ["cluster", "slurm", "cluster.toml"],
        ["check", f"{PLACE}.toml"],
    ],
    ids=lambda words: "-".join(words[:2])[:20],
)
def test_errors(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(RUN)
    Path("cluster.toml").write_text(CLUSTER)
    result = call(*words)
    assert result.exit_code != 0
    assert "***" in result.stderr
    assert "s3cret" not in result.stdout + result.stderr


def test_the_address_of_a_service() -> None:
    with pytest.raises(ConfigError, match=r"'postgresql://me:\*\*\*@127\.0\.0\.1:9/fluvial' is no address"):
        HttpService(PLACE)


def test_the_page_of_a_run(call: Any, trained_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    with (run / "config.toml").open("a") as file:
        file.write(f'\n# place = "{PLACE}"\n')  # the page shows the text of the file
    result = call("report", run)
    assert (result.exit_code, result.stderr) == (0, "")
    page = (run / "report.html").read_text()
    assert "me:***@127.0.0.1" in page
    assert "s3cret" not in page
