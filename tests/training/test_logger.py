"""What is logged can be read, whatever its size."""

import json
import logging

from vae_cli.runs.folder import RunFolder
from vae_cli.training.logger import RunLogger


def test_values_beyond_the_bins_of_tensorboard_are_logged(tmp_path):
    """A rate of 10³³ nats is finite: the run goes on, and a histogram without a value in its bins would raise."""
    folder = RunFolder(tmp_path)
    with RunLogger(folder, logging.getLogger("vae_cli"), 0, 10, progress=False) as logger:
        logger.log("test", 5, 1.0, {"rate": 2e33, "rate_per_unit": [1e33, 1e33]})
    assert json.loads(folder.metrics_file.read_text())["rate_per_unit"] == [1e33, 1e33]
