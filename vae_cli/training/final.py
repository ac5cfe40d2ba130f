"""What a run does after its last step: it tests its best state and draws pictures."""

from typing import Any

from tqdm import tqdm

from vae_cli.engine.experiment import Experiment
from vae_cli.metrics import bound, likelihood
from vae_cli.reporting import plots, previews
from vae_cli.runs import checkpoint
from vae_cli.runs.files import sync_all
from vae_cli.runs.folder import RunFolder
from vae_cli.training.trainer import Trainer

SAMPLE_SIDE = 20  # samples.png is 20 × 20


def test(trainer: Trainer) -> dict[str, Any]:
    """Loads the best checkpoint into the model and the objective, and computes their validation and test metrics."""
    experiment, data, config = trainer.experiment, trainer.experiment.data, trainer.config
    model, objective = experiment.model, experiment.objective
    best = checkpoint.load(trainer.folder.best)
    model.load_state_dict(best["model"])
    objective.load_state_dict(best["objective"])
    result: dict[str, Any] = {"best_step": best["step"], "validation": None}
    if len(data.validation.images):
        result["validation"] = bound.bound(
            model, data, data.validation, objective.samples, seed=1, objective=objective
        )
    metrics = bound.bound(model, data, data.test, objective.samples, seed=2, objective=objective)
    if config.nll_samples and model.prior() is not None:
        hidden = trainer.logger.bar.disable
        title = f"nll, {config.nll_samples} samples"
        with tqdm(total=len(data.test.images), desc=title, unit="image", disable=hidden, leave=False) as bar:
            metrics |= likelihood.nll(model, data, data.test, config.nll_samples, bar.update, seed=3)
    result["test"] = metrics
    nll = metrics.get("nll")
    gap = nll - data.entropy if isinstance(nll, float) and data.entropy is not None else None
    result["data"] = {"name": experiment.config.data.name, "entropy": data.entropy, "gap": gap}
    logged = metrics | ({"gap": gap} if gap is not None else {})
    trainer.logger.log("test", trainer.state.step, trainer.epoch, logged)
    return result


def draw(experiment: Experiment, folder: RunFolder) -> None:
    """Draws figures/samples.png and figures/reconstructions.png."""
    folder.figures.mkdir(exist_ok=True)
    data, model, config = experiment.data, experiment.model, experiment.config
    what = f"{config.data.name}, {config.latent.name} code of {model.latent.in_words}"
    origin = previews.origin_of_samples(model)
    samples = previews.prior_samples(model, data, SAMPLE_SIDE**2)
    title = f"{SAMPLE_SIDE} × {SAMPLE_SIDE} decoded codes from {origin}: {what}"
    plots.save(folder.figure("samples"), plots.grid(samples, data.shape, SAMPLE_SIDE, magnify=2), title)
    images = previews.observed_and_reconstructed(model, data)
    grid = plots.grid(images, data.shape, len(images) // 2, magnify=3)
    title = f"test images and their reconstructions: {what}"
    plots.save(folder.figure("reconstructions"), grid, title, ("observation", "reconstruction"))
    sync_all(folder.figures)
