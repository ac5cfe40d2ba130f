"""The batches of a run, and what is due after each step: log lines, validation and checkpoints."""

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from vae_cli.data.batches import epoch_order
from vae_cli.engine.runners import Runner
from vae_cli.engine.state import State
from vae_cli.engine.step import gradient_norm, means
from vae_cli.engine.trainable import Batch
from vae_cli.runs import checkpoint
from vae_cli.runs.folder import RunFolder
from vae_cli.training.divergence import Before, diverged, raise_if_diverged
from vae_cli.training.intervals import sums_over_examples
from vae_cli.training.logger import RunLogger
from vae_cli.training.validation import pictures, validation_metrics


class Trainer:
    """Takes the batches of a run one by one. After the steps of each, logs to `logger` and writes to `folder`."""

    def __init__(self, state: State, runner: Runner, logger: RunLogger, folder: RunFolder) -> None:
        self.state, self.runner, self.logger, self.folder = state, runner, logger, folder
        self.experiment, self.config = state.experiment, state.experiment.config
        self.steps_per_epoch = self.experiment.steps_per_epoch
        self.total_steps = self.experiment.total_steps
        self.before = Before()
        self.epoch_batches: Iterator[Batch] = iter(())  # the rest of the current epoch
        # times: the start of this log interval, the last last.pt, the last batch
        self.interval_start = self.checkpointed = self.batch_given = time.perf_counter()

    @property
    def epoch(self) -> float:
        return self.state.step / self.steps_per_epoch

    def stopped_early(self) -> bool:
        return self.config.patience is not None and self.state.stale >= self.config.patience

    def until_logged(self) -> int:
        """Steps to the next log line. There the host reads what the device has computed."""
        return self.config.log_every - self.state.step % self.config.log_every

    def next_batch(self) -> Batch | None:
        """The batch of the state's next step or steps, as the runner takes it; None after the last step and at early
        stopping. `after` must be called between two calls."""
        batch = next(self.epoch_batches, None)
        if batch is None and self.state.step < self.total_steps and not self.stopped_early():
            self.epoch_batches = self._rest_of_epoch()
            batch = next(self.epoch_batches)
        self.batch_given = time.perf_counter()
        return batch

    def _rest_of_epoch(self) -> Iterator[Batch]:
        n, device = len(self.experiment.data.train.images), self.experiment.device
        epoch, position = divmod(self.state.step, self.steps_per_epoch)
        order = epoch_order(n, self.config.seed, epoch, device)
        return self.runner.batches(order[position * self.config.batch_size :], self.until_logged)

    def after(self, step_metrics: Tensor, seconds: float | None = None) -> None:
        """Keeps the metrics [steps, 1 + terms] of the last steps, and does what is due. Between two log lines it does not
        wait for the device.

        `seconds` says how long the steps took where several runs take turns. The rest of the time since the batch was
        given went to other runs, and does not count as training time of this one.
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
        state, experiment = self.state, self.experiment
        step_metrics = torch.cat(state.step_metrics).double().cpu()
        state.step_metrics = []
        raise_if_diverged(experiment, step_metrics, state.step, self.before)
        sums = sums_over_examples(experiment, step_metrics, state.step)
        state.epoch_sums = [a + b for a, b in zip(state.epoch_sums, sums, strict=True)]
        now = time.perf_counter()
        state.seconds += now - self.interval_start
        state.examples += int(sums[-1])
        schedule = experiment.step_schedule(state.step - 1)
        self.before = Before(step_metrics[-1], gradient_norm(state).item())
        metrics = means(experiment.step_metrics, sums) | {
            "gradient_norm": self.before.gradient_norm,
            "learning_rate": schedule.learning_rate,
            **schedule.objective,
            "examples_per_second": sums[-1] / (now - self.interval_start),
        }
        self.interval_start = now
        self.logger.log("train", state.step, self.epoch, metrics)
        self.logger.advance(state.step, self.epoch, metrics)

    def log_epoch(self) -> None:
        """Logs the means over the whole epoch, as `train/epoch_…`."""
        state = self.state
        metrics = means(self.experiment.step_metrics, state.epoch_sums)
        state.epoch_sums = [0.0] * len(state.epoch_sums)
        self.logger.log("train", state.step, self.epoch, {f"epoch_{k}": v for k, v in metrics.items()})
        self.logger.line(f"epoch {round(self.epoch)}/{self.config.epochs}", "train", metrics)

    def validate(self) -> None:
        """Logs the validation metrics and pictures, and saves a state that is the best so far. The time that this takes
        is not training time."""
        state = self.state
        if len(self.experiment.data.validation.images):
            metrics, score = validation_metrics(self.experiment, state.step, self.before)
            self.logger.log("validation", state.step, self.epoch, metrics)
            self.logger.line(f"epoch {round(self.epoch)}/{self.config.epochs}", "validation", metrics)
            state.best, state.stale = (score, 0) if score > state.best else (state.best, state.stale + 1)
            if state.stale == 0:
                self.save("best")
        for name, picture in pictures(self.experiment).items():
            self.logger.image(name, picture, state.step)
        self.interval_start = time.perf_counter()

    def save(self, name: str) -> None:
        """Writes checkpoints/<name>.pt. Raises Diverged for a state with a NaN or infinite parameter, so that it never
        replaces a good one."""
        for part in (self.experiment.model, self.experiment.objective):
            for parameter, values in part.state_dict().items():
                if not values.isfinite().all():
                    what = f"parameter {parameter} is not finite"
                    raise diverged(self.experiment, what, self.state.step, self.before)
        self.logger.flush()
        self.state.logged = self.logger.metrics.mark()
        state = self.state.state_dict()
        if name == "best":  # it is evaluated, never resumed; the optimizer is two thirds of the bytes
            del state["optimizer"]
        checkpoint.save(self.folder.checkpoint(name), state, self.config.plain())
        if name == "last":
            self.checkpointed = time.perf_counter()

    def save_at_the_end(self) -> None:
        """Writes last.pt; and best.pt if no validation has, because the last state is then the best known one."""
        self.save("last")
        if not (len(self.experiment.data.validation.images) and self.folder.best.exists()):
            self.save("best")
