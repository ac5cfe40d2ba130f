"""What a run says: TensorBoard, metrics.jsonl, console lines and a progress bar, all from one stream of figures."""

import logging
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from vae_cli.config.diff import compares, flatten
from vae_cli.metrics.registry import METRICS
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_log import MetricsLog

log = logging.getLogger("vae_cli")

SECONDS_BETWEEN_LINES = 10.0

Figures = dict[str, Any]  # numbers, and lists of numbers for one figure per unit


class Journal:
    """Writes one run folder. `step` is where a resumed run continues: what an earlier process logged beyond it
    is cut from metrics.jsonl and hidden by TensorBoard, for it will be logged again."""

    def __init__(self, folder: Path, step: int, total_steps: int, progress: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter  # here: whoever only reads figures need not wait

        self.writer: Any = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
        self.metrics = MetricsLog(RunFolder(folder).metrics_file, step)
        self.stack = ExitStack()
        visible = progress and sys.stderr.isatty()
        self.bar = tqdm(total=total_steps, initial=step, unit="step", disable=not visible, dynamic_ncols=True)
        if visible:
            self.stack.enter_context(logging_redirect_tqdm())
        self.total_steps = total_steps
        self.next_line = time.monotonic() + SECONDS_BETWEEN_LINES

    def figures(self, split: str, step: int, epoch: float, figures: Figures) -> None:
        """Log figures under `split`/: numbers as scalars, lists as histograms; all of them to metrics.jsonl."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = {name: value for name, value in figures.items() if not isinstance(value, list)}
        values = [Summary.Value(tag=f"{split}/{name}", simple_value=v) for name, v in scalars.items()]
        # the test stands past the last step: a run that is resumed there hides it, for it tests again
        shown = step + (split == "test")
        self.writer.file_writer.add_summary(Summary(value=values), shown)  # one record, not one for each
        for name in figures.keys() - scalars.keys():
            self.writer.add_histogram(f"{split}/{name}", np.asarray(figures[name]), shown)
        self.metrics.append({"step": step, "epoch": epoch, "split": split, **figures})

    def advance(self, steps: int, epoch: float, figures: Figures) -> None:
        """Move the bar, or say a line when the last one was some time ago."""
        self.bar.update(steps - self.bar.n)
        shown = {name: f"{figures[name]:.2f}" for name in ("elbo", "rate", "distortion") if name in figures}
        self.bar.set_postfix(shown | {"images/s": f"{figures['examples_per_second']:,.0f}"}, refresh=False)
        if self.bar.disable and time.monotonic() > self.next_line:
            self.line(f"epoch {epoch:.2f}, step {steps}/{self.total_steps}", "train", figures)

    def line(self, where: str, split: str, figures: Figures) -> None:
        self.next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        rows = [row for row in METRICS.values() if row.console and row.name in figures]
        shown = (f"{row.label} {_short(figures[row.name])}" for row in rows)
        log.info("%s: %s %s", where, split, "  ".join(shown))

    def image(self, tag: str, picture: np.ndarray, step: int) -> None:
        self.writer.add_image(tag, picture, step, dataformats="HWC")

    def configuration(self, yaml: str, config: dict[str, Any], name: str) -> None:
        """The configuration as text, and as hyper-parameters in this same run: the HPARAMS tab then compares
        the runs of a sweep by every key that differs and every scalar that they log."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self.writer.add_text("configuration", "".join(f"    {line}\n" for line in yaml.splitlines()))
        flat = {key: value for key, value in flatten(config).items() if compares(key)}
        if flat.get("estimator.temperature") == flat.get("latent.temperature"):
            flat.pop("estimator.temperature", None)  # it follows the latent's: no column of its own
        plain = {key.removesuffix(".name"): value for key, value in flat.items()}
        texts = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in plain.items()}
        self._write_raw(hparams_pb(texts, trial_id=name))

    def session_end(self, success: bool) -> None:
        """Tell the HPARAMS tab how the run ended (tensorboard's own helper for this needs TensorFlow)."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE
        end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        content = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
        self._write_raw(Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=content)]))

    def _write_raw(self, summary: Any) -> None:
        self.writer.file_writer.add_summary(summary)

    def flush(self) -> None:
        """Before a checkpoint is written: a run that goes on from it does not log again what came before."""
        self.writer.flush()

    def close(self) -> None:
        self.bar.close()
        self.stack.close()
        self.writer.close()
        self.metrics.close()


def _short(value: float | int) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
