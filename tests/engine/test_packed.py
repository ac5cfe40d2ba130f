"""Packed runs make the steps that each run makes by itself."""

import pytest
import torch
import yaml
from conftest import later_counts
from engine.steps import LEARNED_PRIOR, PAIRS_OF_KINDS, changed, execute, new_state, of_pair, specified
from models.tables import PAIRS, ROWS
from run_comparison import assert_equal

from vae_cli.config.schema.estimators import EstimatorConfig
from vae_cli.config.yaml_comments import config_folder
from vae_cli.data.batches import epoch_order
from vae_cli.engine.cuda_graph import CudaGraphRunner
from vae_cli.engine.gradients import TracedGradient
from vae_cli.engine.packed import PackedRuns
from vae_cli.engine.runners import Runner, StepByStep
from vae_cli.engine.trainable import SingleRun, Trainable

STEPS = 26  # two epochs
DIFFERENT = [
    ("seed=1",),
    ("seed=2", "latent.code_size=5", "optimizer=sgd", "optimizer.lr=0.001"),
    ("seed=3", "latent.code_size=2", "objective.beta=2", "schedule=cosine"),
]
RUNNERS = {
    "eager": lambda trainable: StepByStep(trainable, ""),
    "traced": lambda trainable: StepByStep(trainable, "", TracedGradient(trainable)),
    "captured": lambda trainable: CudaGraphRunner(trainable, 4, None, execute),
}


def packs_code_sizes(estimator: str) -> bool:
    target = yaml.safe_load((config_folder() / f"estimator/{estimator}.yaml").read_text())["_target_"]
    return EstimatorConfig.options()[target].packs_code_sizes


def make_packed_steps(packed: PackedRuns, runner: Runner) -> torch.Tensor:
    """The metrics of STEPS steps, [steps, M, 1 + terms]. Every run has the same order of images."""
    steps = 4 if isinstance(runner, CudaGraphRunner) else 1

    def single(trainable: Trainable) -> Runner:  # gives the batches of one run
        return CudaGraphRunner(trainable, steps, None, execute) if steps > 1 else StepByStep(trainable, "")

    found, givers = [], [single(SingleRun(state)) for state in packed.states]
    for epoch in range(2):
        order = epoch_order(100, 0, epoch, torch.device("cpu"))
        each = [giver.batches(order, lambda: 100) for giver in givers]
        found += [runner(list(batches)) for batches in zip(*each, strict=True)]
    return torch.cat(found)


@pytest.mark.parametrize(
    ("latent", "estimator", "runner"),
    [(*pair, "eager") for pair in PAIRS]
    + [(*pair, runner) for pair in PAIRS_OF_KINDS for runner in ("traced", "captured")],
)
def test_each_run_makes_its_own_steps(latent, estimator, runner):
    """Three code sizes where the estimator allows it, two classes of optimizers, several schedules. The smaller codes are
    padded."""
    alike = () if packs_code_sizes(estimator) else ("latent.code_size=3",)
    runs = [later_counts(*of_pair(latent, estimator), *different, *alike) for different in DIFFERENT]
    if ROWS[estimator].objective != "elbo":
        runs = [[word for word in run if not word.startswith("objective.beta")] for run in runs]
    packed = PackedRuns([new_state(*overrides) for overrides in runs])
    metrics = make_packed_steps(packed, RUNNERS[runner](packed))
    for i, overrides in enumerate(runs):
        assert_equal(metrics[:, i], specified(*overrides)[0][:STEPS], 1e-9)
        state = packed.states[i]
        assert state.step == STEPS
        (group,) = state.experiment.optimizer.param_groups
        assert group["lr"] == pytest.approx(state.experiment.step_schedule(STEPS - 1).learning_rate)


@pytest.mark.parametrize("runner", ["eager", "captured"])
def test_each_run_learns_its_own_prior(runner):
    """At its own rate, also where smaller codes are padded and the model's optimizer is of the same class."""
    runs = [
        (*LEARNED_PRIOR, "seed=1"),
        (*LEARNED_PRIOR, "seed=2", "latent.prior_lr=0.03", "optimizer=sgd", "optimizer.lr=0.001"),
        (*LEARNED_PRIOR, "seed=3", "latent.code_size=2", "schedule=cosine"),
    ]
    packed = PackedRuns([new_state(*overrides) for overrides in runs])
    metrics = make_packed_steps(packed, RUNNERS[runner](packed))
    for i, (state, overrides) in enumerate(zip(packed.states, runs, strict=True)):
        assert_equal(metrics[:, i], specified(*overrides)[0][:STEPS], 1e-9)
        assert state.experiment.model.latent.prior_logits.abs().min() > 1e-3


def test_the_tensors_of_a_run_are_views_of_the_packed_ones():
    """Its evaluation, checkpoints and pictures see the current values."""
    packed = PackedRuns([new_state(f"seed={seed}") for seed in (1, 2)])
    before = [changed(state)["model"] for state in packed.states]
    packed.stacked[0].data.fill_(7.0)
    for state, model in zip(packed.states, before, strict=True):
        first = next(iter(model))
        assert (state.experiment.model.state_dict()[first] == 7).all()
