"""TensorBoard's event files of a run."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from fluvial.cli.progress import Status
from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.config.run_config import RunConfig
    from fluvial.train.run import Run


class TensorBoard:
    """Writes the metrics of each due step, and pictures of molecules, into the folder `tensorboard`."""

    def __init__(self) -> None:
        self._writer: Any = None
        self._run: Run | None = None

    def begin(self, run: Run, step: int) -> None:
        """Open a file; later steps of an earlier, abandoned course are hidden."""
        from torch.utils.tensorboard import SummaryWriter

        self._run = run
        self._writer = SummaryWriter(str(run.directory.tensorboard), purge_step=step + 1)

    def step(self, status: Status) -> None:
        """Write the numbers of a due step."""
        if status.is_due:
            for name, value in status.metrics.items():
                self._writer.add_scalar(name, value, status.step)
            self._writer.add_scalar("steps_per_second", status.steps_per_second, status.step)

    def note(self, event: str, text: str) -> None:
        """At a checkpoint draw the best and the latest molecules, and bring all to the disk."""
        if event == "checkpoint" and self._run is not None:
            self._draw(self._run)
            self._writer.flush()

    def _draw(self, run: Run) -> None:
        from fluvial.cli.samples import text_name
        from fluvial.report.pictures import best_picture, latest_picture

        if text_name(run.config) != "smiles":
            return
        for name, picture in (("best", best_picture(run.store)), ("latest", latest_picture(run.store))):
            if picture is not None:
                self._writer.add_image(f"molecules/{name}", picture, run.learner.step, dataformats="HWC")

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


def tensorboard_views(config: RunConfig) -> list[TensorBoard]:
    """The view that the configuration asks for, if it does.

    Raises:
        ConfigError: it does, and TensorBoard is not installed.
    """
    if not config.log.tensorboard:
        return []
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigError(
            "log.tensorboard = true needs TensorBoard, which is not installed: run"
            " pip install 'fluvial[tensorboard]', or set log.tensorboard = false"
        )
    return [TensorBoard()]
