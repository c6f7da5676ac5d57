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
    """Writes the metrics of each due step into the folder `tensorboard` of the run."""

    def __init__(self) -> None:
        self._writer: Any = None

    def begin(self, run: Run, step: int) -> None:
        """Open a file; later steps of an earlier, abandoned course are hidden."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run.directory.tensorboard), purge_step=step + 1)

    def step(self, status: Status) -> None:
        """Write the numbers of a due step."""
        if status.is_due:
            for name, value in status.metrics.items():
                self._writer.add_scalar(name, value, status.step)
            self._writer.add_scalar("steps_per_second", status.steps_per_second, status.step)

    def note(self, event: str, text: str) -> None:
        """Make sure that what was written is on the disk when a checkpoint is."""
        if event == "checkpoint":
            self._writer.flush()

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
