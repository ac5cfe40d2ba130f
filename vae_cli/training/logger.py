"""Writes the metrics of a run to TensorBoard, metrics.jsonl, the text log and a progress bar."""

import logging
import sys
import time
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import yaml
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from vae_cli.config.diff import compares, flatten
from vae_cli.config.schema.run import RunConfig
from vae_cli.metrics.registry import METRICS
from vae_cli.runs.events import Events
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_log import MetricsLog

SECONDS_BETWEEN_LINES = 10.0
LARGEST = (
    1e19  # TensorBoard has no bins beyond 1e20, and raises for a histogram without any value in its bins
)

Metrics = dict[str, Any]  # numbers, and lists with a number for each unit


class RunLogger:
    """Logs one run. A resumed run continues after `step`: what an earlier process logged later is removed from
    metrics.jsonl and hidden from TensorBoard, because it will be logged again. `logged`: what metrics.jsonl was then."""

    def __init__(
        self,
        folder: RunFolder,
        log: logging.Logger,
        step: int,
        total_steps: int,
        progress: bool,
        logged: str | None = None,
    ) -> None:
        self.text, self.contexts = log, ExitStack()
        self.events = Events(folder.path, step)
        self.writer = self.events.writer
        self.contexts.callback(self.events.close)
        self.metrics = MetricsLog(folder.metrics_file, step, logged)
        self.contexts.callback(self.metrics.close)
        if self.metrics.damaged:
            log.warning("metrics.jsonl had %d damaged lines, which are lost", self.metrics.damaged)
        elif self.metrics.is_changed:
            log.warning(
                "metrics.jsonl is not as it was at step %d: it has been damaged, or changed by hand", step
            )
        visible = progress and sys.stderr.isatty()
        self.bar = tqdm(total=total_steps, initial=step, unit="step", disable=not visible, dynamic_ncols=True)
        self.contexts.callback(self.bar.close)
        if visible:
            self.contexts.enter_context(logging_redirect_tqdm([log]))
        self.total_steps = total_steps
        self.next_line = time.monotonic() + SECONDS_BETWEEN_LINES

    def log(self, split: str, step: int, epoch: float, metrics: Metrics) -> None:
        """Logs metrics under `split`/: numbers as scalars, lists as histograms, all of them to metrics.jsonl."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = {name: value for name, value in metrics.items() if not isinstance(value, list)}
        values = [Summary.Value(tag=f"{split}/{name}", simple_value=v) for name, v in scalars.items()]
        # one step later than the last: a run that is resumed there tests again, and TensorBoard hides this test
        shown = step + (split == "test")
        self.writer.file_writer.add_summary(Summary(value=values), shown)  # one record for all
        for name in metrics.keys() - scalars.keys():
            values_in_bins = np.clip(metrics[name], -LARGEST, LARGEST)
            self.writer.add_histogram(f"{split}/{name}", values_in_bins, shown)
        self.metrics.append({"step": step, "epoch": epoch, "split": split, **metrics})

    def advance(self, steps: int, epoch: float, metrics: Metrics) -> None:
        """Moves the progress bar. Without a bar, logs a line if the last one is more than ten seconds old."""
        self.bar.update(steps - self.bar.n)
        shown = {name: f"{metrics[name]:.2f}" for name in ("elbo", "rate", "distortion") if name in metrics}
        self.bar.set_postfix(shown | {"images/s": f"{metrics['examples_per_second']:,.0f}"}, refresh=False)
        if self.bar.disable and time.monotonic() > self.next_line:
            self.line(f"epoch {epoch:.2f}, step {steps}/{self.total_steps}", "train", metrics)

    def line(self, where: str, split: str, metrics: Metrics) -> None:
        self.next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        rows = [row for row in METRICS.values() if row.console and row.name in metrics]
        shown = (f"{row.label} {_short(metrics[row.name])}" for row in rows)
        self.text.info("%s: %s %s", where, split, "  ".join(shown))

    def image(self, tag: str, picture: np.ndarray, step: int) -> None:
        self.writer.add_image(tag, picture, step, dataformats="HWC")

    def configuration(self, config: RunConfig, name: str) -> None:
        """Logs the configuration as text, and as hyper-parameters of this TensorBoard run. The HPARAMS tab then compares
        the runs of a sweep by every key that differs and every scalar that they log."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        text = yaml.safe_dump(config.plain(), sort_keys=False, allow_unicode=True)
        self.writer.add_text("configuration", "".join(f"    {line}\n" for line in text.splitlines()))
        flat = {key: value for key, value in flatten(config.plain()).items() if compares(key)}
        if flat.get("estimator.temperature") == flat.get("latent.temperature"):
            flat.pop("estimator.temperature", None)  # it is the latent's and needs no column of its own
        plain = {key.removesuffix(".name"): value for key, value in flat.items()}
        texts = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in plain.items()}
        self._write_raw(hparams_pb(texts, trial_id=name))

    def end(self, success: bool) -> None:
        """Logs for the HPARAMS tab how the run ended (tensorboard's own function for this needs TensorFlow)."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE
        end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        content = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
        self._write_raw(Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=content)]))

    def _write_raw(self, summary: Any) -> None:
        self.writer.file_writer.add_summary(summary)

    def flush(self) -> None:
        """Must be called before a checkpoint is written: a resumed run does not log again what came before it. Afterwards
        the metrics are on the disk, and a power cut does not lose them."""
        self.events.sync()
        self.metrics.sync()

    def __enter__(self) -> "RunLogger":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close everything, once it is on the disk: summary.json names the checksum of the metrics. After an error, an error
        of the disk must not hide it."""
        with suppress(*([OSError] if kind else [])), self.contexts:
            self.end(success=kind is None)
            self.flush()


def _short(value: float | int) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
