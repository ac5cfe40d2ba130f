"""The variance of the encoder's gradient, by estimator, at one trained model: ratios to DisARM with two samples (T1.1).

    vae-train experiment=rodeo_mnist estimator=disarm device=cpu epochs=100 hydra.run.dir=outputs/disarm
    python tests/benchmarks/gradient_variance.py outputs/disarm --draws 2000

The control variates are trained first, on batches of training images with the model frozen. Then every estimator is drawn
with the same model on the same batch of 100 images. The published curves are of each estimator's own training, averaged over
batches: "Gradient Estimation with Discrete Stein Operators" (Shi et al., 2022), arXiv:2202.09497.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from step import machine

from vae_cli import load
from vae_cli.build import build_objective, load_data
from vae_cli.config.compose import accept, prepare_hydra
from vae_cli.config.resolvers import register
from vae_cli.config.yaml_comments import config_folder
from vae_cli.metrics.gradients import gradient_metrics
from vae_cli.objectives.contract import Objective

# published at about 200,000 steps, read off the figure to 3 %
PUBLISHED = {
    "disarm 2": 1.33, "double_cv 2": 1.27, "rodeo 2": 1.00, "relax 3": 0.98, "arms 3": 0.70, "double_cv 3": 0.70,
    "rodeo 3": 0.63,
}  # fmt: skip
OTHERS = ("leave_one_out 2", "leave_one_out 3", "arm 2", "disarm 4")  # without a published figure
BATCH = 100


def objective(name: str, samples: str, shape: tuple[int, int, int]) -> Objective:
    overrides = ["data=binarized_mnist", "latent=bernoulli", "latent.code_size=200", f"estimator={name}"]
    overrides += [f"objective.samples={samples}", "objective.kl=sampled"]
    overrides += ["estimator.coupled=false"] if name == "relax" else []
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return build_objective(accept(compose("config", overrides)), shape)


def train_control(made: Objective, model: Any, data: Any, steps: int) -> None:
    """`steps` steps of the objective's own optimizer, with the model frozen."""
    own, generator = made.own_optimizer(), torch.Generator().manual_seed(1)
    if own is None:
        return
    for _ in range(steps):
        images = data.train.images[torch.randint(len(data.train.images), (BATCH,), generator=generator)]
        x = data.targets(images, generator, torch.get_default_dtype())
        noise = model.latent.noise((made.rows, BATCH), generator, x)
        control = made(model, x, x, noise, made.schedule(0)).control
        own.zero_grad()
        control.mean().backward()
        own.step()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="run folder of vae-train")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--control-steps", type=int, default=5000)
    parser.add_argument(
        "--only",
        nargs="*",
        default=[*PUBLISHED, *OTHERS],
        help="such as 'disarm 2' 'relax 3'; the first is 1",
    )
    options = parser.parse_args()
    prepare_hydra()
    register()
    print(machine())
    trained = load(options.run, "last", "cpu")
    data, model = load_data(trained.config.data), trained.vae.requires_grad_()
    x = data.targets(data.train.images[:BATCH], torch.Generator().manual_seed(2), torch.get_default_dtype())
    print(f"{trained.step} steps of training; n = {options.draws} draws of one batch of {BATCH} images")
    first = None
    for each in options.only:
        torch.manual_seed(0)
        name, samples = each.split()
        made, start = objective(name, samples, data.shape), time.perf_counter()
        train_control(made, model, data, options.control_steps)
        found = gradient_metrics(model, made, x, options.draws, made.schedule(0))
        first = first or found["gradient_variance"]
        published = f"  published {PUBLISHED[each] / PUBLISHED['disarm 2']:.2f}" if each in PUBLISHED else ""
        print(
            f"{each:14} variance {found['gradient_variance']:.4g}  snr {found['gradient_snr']:.3f}  "
            f"ratio {found['gradient_variance'] / first:.3f}{published}  {time.perf_counter() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
