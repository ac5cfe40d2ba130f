"""The training loop: a clock around the step, and what is due at each tick."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vae_cli.data.batches import epoch_order
from vae_cli.engine.runtimes import Runner
from vae_cli.engine.state import State, gradient_norm, means
from vae_cli.errors import Diverged
from vae_cli.metrics import bound, gradients
from vae_cli.metrics.registry import direction
from vae_cli.reporting import plots, previews
from vae_cli.runs import checkpoint
from vae_cli.training.logger import Journal
from vae_cli.training.steps import Asking

TENSORBOARD_SAMPLES = 64


class Steps(NamedTuple):
    """What a run asks for: steps on a batch of its runner's feed."""

    trainer: "Trainer"
    batch: Tensor

    def __call__(self) -> Tensor:
        """→ their rows [steps, 3]."""
        return self.trainer.runner(self.batch)


class Trainer:
    """Runs a state to its last step, and tells a journal and the checkpoints on the way."""

    def __init__(
        self, state: State, runner: Runner, journal: Journal, folder: Path, wish: Callable[[], str | None]
    ) -> None:
        self.state, self.runner, self.journal, self.folder, self.wish = state, runner, journal, folder, wish
        self.parts, self.settings = state.experiment, state.experiment.settings
        self.steps_per_epoch = self.parts.steps_per_epoch
        self.total_steps = self.parts.total_steps
        self.mark = self.checkpointed = time.perf_counter()

    @property
    def epoch(self) -> float:
        return self.state.step / self.steps_per_epoch

    def fit(self) -> Asking[str]:
        """Train to the end, to early stopping or to an interruption; "finished" or "interrupted".

        Asks for its steps, as `vae_cli.training.steps` says. Raises Diverged. Leaves checkpoints/last.pt, and best.pt where
        there is a validation split.
        """
        n, settings = len(self.parts.data.train.images), self.settings
        self.mark = time.perf_counter()
        while self.state.step < self.total_steps and not self.exhausted():
            epoch, position = divmod(self.state.step, self.steps_per_epoch)
            order = epoch_order(n, settings.seed, epoch, self.parts.device)[position * settings.batch_size :]
            for batch in self.runner.feed(order, self.until_logged):
                self.state.rows.append((yield Steps(self, batch)))
                self.events()
                if wish := self.wish():
                    self.save("last")
                    if wish == "end":
                        return "interrupted"
        self.save("last")
        validated = len(self.parts.data.validation.images) and (self.folder / "checkpoints/best.pt").exists()
        if not validated:
            self.save("best")  # the last state is the best known
        return "finished"

    def exhausted(self) -> bool:
        return self.settings.patience is not None and self.state.stale >= self.settings.patience

    def until_logged(self) -> int:
        """Steps to the next log line, where the host looks at what the device has done."""
        return self.settings.log_every - self.state.step % self.settings.log_every

    def events(self) -> None:
        """What is due after a step. Between two log lines nothing here waits for the device."""
        step, settings = self.state.step, self.settings
        at_epoch_end = step % self.steps_per_epoch == 0
        last = step == self.total_steps
        if step % settings.log_every == 0 or at_epoch_end:
            self.log_interval()
        if at_epoch_end:
            self.log_epoch()
            if (step // self.steps_per_epoch) % settings.validate_every == 0 or last:
                self.validate()
        by_epoch = (
            at_epoch_end and (step // self.steps_per_epoch) % (settings.checkpoint_epochs or step + 1) == 0
        )
        if by_epoch or time.perf_counter() - self.checkpointed > 60 * settings.checkpoint_minutes:
            self.save("last")

    def log_interval(self) -> None:
        """The means over the steps since the last line, weighted by examples. Waits for the device."""
        state = self.state
        rows = torch.cat(state.rows).double().cpu()
        state.rows = []
        if not rows.isfinite().all():
            row, column = (~rows.isfinite()).nonzero()[0].tolist()
            at = state.step - len(rows) + row + 1
            raise Diverged(
                f"{self.parts.step_metrics[column].replace('_', ' ')} is {rows[row, column].item()} at step {at}, "
                f"epoch {math.ceil(at / self.steps_per_epoch)}"
            )
        n, batch_size = len(self.parts.data.train.images), self.settings.batch_size
        examples = torch.full((len(rows), 1), float(batch_size), dtype=rows.dtype)
        if state.step % self.steps_per_epoch == 0:  # the last batch of an epoch is what was left
            examples[-1] = n - (self.steps_per_epoch - 1) * batch_size
        sums = [*(rows * examples).sum(0).tolist(), examples.sum().item()]
        state.epoch_sums = [a + b for a, b in zip(state.epoch_sums, sums, strict=True)]
        now = time.perf_counter()
        state.seconds += now - self.mark
        state.examples += int(sums[-1])
        dials = self.parts.dials(state.step - 1)
        figures = means(self.parts.step_metrics, sums) | {
            "gradient_norm": gradient_norm(state).item(),
            "learning_rate": dials.learning_rate,
            **dials.objective,
            "examples_per_second": sums[-1] / (now - self.mark),
        }
        self.mark = now
        self.journal.figures("train", state.step, self.epoch, figures)
        self.journal.advance(state.step, self.epoch, figures)

    def log_epoch(self) -> None:
        """The means over the whole epoch, as `train/epoch_…`."""
        state, whole = self.state, means(self.parts.step_metrics, self.state.epoch_sums)
        state.epoch_sums = [0.0] * len(state.epoch_sums)
        self.journal.figures("train", state.step, self.epoch, {f"epoch_{k}": v for k, v in whole.items()})
        self.journal.line(f"epoch {round(self.epoch)}/{self.settings.epochs}", "train", whole)

    def validate(self) -> None:
        """Log the validation bound and pictures; keep the best state. Time spent here is not training time."""
        state, parts, data = self.state, self.parts, self.parts.data
        if len(data.validation.images):
            objective = parts.objective
            figures = bound.bound(
                parts.model, data, data.validation, objective.samples, seed=1, objective=objective
            )
            if not math.isfinite(value := float(figures[objective.monitor])):  # type: ignore[arg-type]
                raise Diverged(
                    f"validation {objective.monitor} is {value} at step {state.step}, epoch {round(self.epoch)}"
                )
            if self.settings.gradient_draws:
                figures |= self.gradient_variance()
            self.journal.figures("validation", state.step, self.epoch, figures)
            self.journal.line(f"epoch {round(self.epoch)}/{self.settings.epochs}", "validation", figures)
            score = value if direction(objective.monitor) == "max" else -value
            state.best, state.stale = (score, 0) if score > state.best else (state.best, state.stale + 1)
            if state.stale == 0:
                self.save("best")
        shape = data.shape
        samples = plots.grid(
            previews.prior_samples(parts.model, data, TENSORBOARD_SAMPLES), shape, 8, magnify=2
        )
        self.journal.image("samples", samples, state.step)
        rows = previews.observed_and_reconstructed(parts.model, data)
        self.journal.image("reconstructions", plots.grid(rows, shape, len(rows) // 2, magnify=2), state.step)
        self.mark = time.perf_counter()

    def gradient_variance(self) -> bound.Metrics:
        """Of one batch of validation images with this step's schedule, as the estimator trains."""
        parts, settings = self.parts, self.settings
        like = next(parts.model.parameters())
        images = parts.data.validation.images[: settings.batch_size]
        x = parts.data.pixels(images.to(like.device), like.dtype)
        step = self.state.step - 1
        schedule = parts.objective.schedule(step)
        return gradients.gradient_variance(parts.model, parts.objective, x, settings.gradient_draws, schedule)

    def save(self, name: str) -> None:
        """Write checkpoints/<name>.pt; a state with a NaN or infinite parameter never replaces a good one."""
        for part in (self.parts.model, self.parts.objective):
            for parameter, values in part.state_dict().items():
                if not values.isfinite().all():
                    raise Diverged(f"parameter {parameter} is not finite at step {self.state.step}")
        self.journal.flush()
        state = self.state.state_dict()
        if name == "best":  # to be evaluated, not gone on with; the optimizer is two thirds of the bytes
            del state["optimizer"]
        checkpoint.save(self.folder / f"checkpoints/{name}.pt", state, self.parts.config.plain())
        if name == "last":
            self.checkpointed = time.perf_counter()
