"""What is due after a training step: log lines, validation, checkpoints."""

import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from vae_cli.data.batches import epoch_order
from vae_cli.engine.runners import Runner
from vae_cli.engine.state import State
from vae_cli.engine.step import gradient_norm, means
from vae_cli.engine.trainable import Batch
from vae_cli.errors import Diverged
from vae_cli.metrics import bound, gradients
from vae_cli.metrics.registry import direction
from vae_cli.reporting import plots, previews
from vae_cli.runs import checkpoint
from vae_cli.runs.folder import RunFolder
from vae_cli.training.logger import RunLogger

TENSORBOARD_SAMPLES = 64


class Trainer:
    """Gives the batches of a state's next steps, and does what is due after each: `logger` and checkpoints/."""

    def __init__(self, state: State, runner: Runner, logger: RunLogger, folder: RunFolder) -> None:
        self.state, self.runner, self.logger, self.folder = state, runner, logger, folder
        self.parts, self.config = state.experiment, state.experiment.config
        self.steps_per_epoch = self.parts.steps_per_epoch
        self.total_steps = self.parts.total_steps
        self.interval_start = self.checkpointed = self.batch_given = time.perf_counter()

    @property
    def epoch(self) -> float:
        return self.state.step / self.steps_per_epoch

    def stopped_early(self) -> bool:
        return self.config.patience is not None and self.state.stale >= self.config.patience

    def until_logged(self) -> int:
        """Steps to the next log line, where the host reads what the device has computed."""
        return self.config.log_every - self.state.step % self.config.log_every

    def batches(self) -> Iterator[Batch]:
        """The batches from the state's step to the last step or to early stopping, as the runner takes them. `after`
        is called between two of them."""
        self.interval_start = time.perf_counter()
        n, seed, batch_size = len(self.parts.data.train.images), self.config.seed, self.config.batch_size
        while self.state.step < self.total_steps and not self.stopped_early():
            epoch, position = divmod(self.state.step, self.steps_per_epoch)
            order = epoch_order(n, seed, epoch, self.parts.device)[position * batch_size :]
            for batch in self.runner.batches(order, self.until_logged):
                self.batch_given = time.perf_counter()
                yield batch

    def after(self, step_metrics: Tensor, seconds: float | None = None) -> None:
        """Counts the metrics [steps, 3] of the last steps, and does what is due. Between two log lines nothing here
        waits for the device.

        `seconds` is what the steps took, where several runs take turns: the rest of the time since the batch was given
        went to the others and is not this run's training time.
        """
        if seconds is not None:
            self.interval_start += time.perf_counter() - self.batch_given - seconds
        self.state.step_metrics.append(step_metrics)
        step, config = self.state.step, self.config
        at_epoch_end = step % self.steps_per_epoch == 0
        epochs = step // self.steps_per_epoch
        if step % config.log_every == 0 or at_epoch_end:
            self.log_interval()
        if at_epoch_end:
            self.log_epoch()
            if epochs % config.validate_every == 0 or step == self.total_steps:
                self.validate()
        by_epoch = at_epoch_end and epochs % (config.checkpoint.epochs or step + 1) == 0
        if by_epoch or time.perf_counter() - self.checkpointed > 60 * config.checkpoint.minutes:
            self.save("last")

    def log_interval(self) -> None:
        """Logs the means over the steps since the last line, weighted by examples. Waits for the device."""
        state = self.state
        rows = torch.cat(state.step_metrics).double().cpu()
        state.step_metrics = []
        self._raise_if_diverged(rows)
        n, batch_size = len(self.parts.data.train.images), self.config.batch_size
        examples = torch.full((len(rows), 1), float(batch_size), dtype=rows.dtype)
        if state.step % self.steps_per_epoch == 0:  # the last batch of an epoch may be smaller
            examples[-1] = n - (self.steps_per_epoch - 1) * batch_size
        sums = [*(rows * examples).sum(0).tolist(), examples.sum().item()]
        state.epoch_sums = [a + b for a, b in zip(state.epoch_sums, sums, strict=True)]
        now = time.perf_counter()
        state.seconds += now - self.interval_start
        state.examples += int(sums[-1])
        schedule = self.parts.step_schedule(state.step - 1)
        metrics = means(self.parts.step_metrics, sums) | {
            "gradient_norm": gradient_norm(state).item(),
            "learning_rate": schedule.learning_rate,
            **schedule.objective,
            "examples_per_second": sums[-1] / (now - self.interval_start),
        }
        self.interval_start = now
        self.logger.log("train", state.step, self.epoch, metrics)
        self.logger.advance(state.step, self.epoch, metrics)

    def _raise_if_diverged(self, rows: Tensor) -> None:
        """Names the first step whose metrics are not finite."""
        if not rows.isfinite().all():
            row, column = (~rows.isfinite()).nonzero()[0].tolist()
            step = self.state.step - len(rows) + row + 1
            raise Diverged(
                f"{self.parts.step_metrics[column].replace('_', ' ')} is {rows[row, column].item()} at step {step}, "
                f"epoch {math.ceil(step / self.steps_per_epoch)}"
            )

    def log_epoch(self) -> None:
        """Logs the means over the whole epoch, as `train/epoch_…`."""
        state, whole = self.state, means(self.parts.step_metrics, self.state.epoch_sums)
        state.epoch_sums = [0.0] * len(state.epoch_sums)
        self.logger.log("train", state.step, self.epoch, {f"epoch_{k}": v for k, v in whole.items()})
        self.logger.line(f"epoch {round(self.epoch)}/{self.config.epochs}", "train", whole)

    def validate(self) -> None:
        """Logs the validation bound and pictures, and keeps the best state. This is not training time."""
        state, parts, data = self.state, self.parts, self.parts.data
        if len(data.validation.images):
            objective = parts.objective
            metrics = bound.bound(
                parts.model, data, data.validation, objective.samples, seed=1, objective=objective
            )
            if not math.isfinite(value := float(metrics[objective.monitor])):  # type: ignore[arg-type]
                raise Diverged(
                    f"validation {objective.monitor} is {value} at step {state.step}, epoch {round(self.epoch)}"
                )
            if self.config.gradient_draws:
                metrics |= self._gradient_variance()
            self.logger.log("validation", state.step, self.epoch, metrics)
            self.logger.line(f"epoch {round(self.epoch)}/{self.config.epochs}", "validation", metrics)
            score = value if direction(objective.monitor) == "max" else -value
            state.best, state.stale = (score, 0) if score > state.best else (state.best, state.stale + 1)
            if state.stale == 0:
                self.save("best")
        shape = data.shape
        samples = plots.grid(
            previews.prior_samples(parts.model, data, TENSORBOARD_SAMPLES), shape, 8, magnify=2
        )
        self.logger.image("samples", samples, state.step)
        rows = previews.observed_and_reconstructed(parts.model, data)
        self.logger.image("reconstructions", plots.grid(rows, shape, len(rows) // 2, magnify=2), state.step)
        self.interval_start = time.perf_counter()

    def _gradient_variance(self) -> bound.Metrics:
        """Of one batch of validation images with this step's schedule, as the estimator trains."""
        parts, config = self.parts, self.config
        like = next(parts.model.parameters())
        images = parts.data.validation.images[: config.batch_size]
        x = parts.data.pixels(images.to(like.device), like.dtype)
        step = self.state.step - 1
        schedule = parts.objective.schedule(step)
        return gradients.gradient_variance(parts.model, parts.objective, x, config.gradient_draws, schedule)

    def save(self, name: str) -> None:
        """Writes checkpoints/<name>.pt; a state with a NaN or infinite parameter never replaces a good one."""
        for part in (self.parts.model, self.parts.objective):
            for parameter, values in part.state_dict().items():
                if not values.isfinite().all():
                    raise Diverged(f"parameter {parameter} is not finite at step {self.state.step}")
        self.logger.flush()
        state = self.state.state_dict()
        if name == "best":  # it is evaluated and not resumed; the optimizer is two thirds of the bytes
            del state["optimizer"]
        checkpoint.save(self.folder.checkpoint(name), state, self.parts.config.plain())
        if name == "last":
            self.checkpointed = time.perf_counter()

    def save_at_the_end(self) -> None:
        """Writes last.pt, and best.pt where no validation has: then the last state is the best known."""
        self.save("last")
        if not (len(self.parts.data.validation.images) and self.folder.best.exists()):
            self.save("best")
