"""What a training step costs with each estimator for bits: its time over that of Concrete's at equal decoder evaluations.

784-200-20 Bernoulli VAE on black-and-white images, batch 128, Adam, float32, runtime=graph (traced). In each round every
contestant makes `--steps` steps; a ratio is computed within a round, its median and quartiles are over the rounds.

    python tests/benchmarks/estimators.py --rounds 6 --steps 20
"""

import argparse
import time
from collections.abc import Iterator
from statistics import median

from our_steps import endless_steps, new_states
from step import machine, with_quartiles

from vae_cli.build import build_runtime
from vae_cli.config.compose import prepare_hydra
from vae_cli.config.resolvers import register

COMMON = [
    "latent=bernoulli", "data=rectangles", "data.height=28", "data.width=28", "data.train_size=2048",
    "data.validation_size=0", "data.test_size=128", "batch_size=128", "network.hidden=[200]", "runtime=graph",
]  # fmt: skip
TWENTY, TEN = ["latent.code_size=20"], ["latent.code_size=10"]
# name → what it is compared with, its overrides
CONTESTANTS = {
    "concrete, 2": ("", [*TWENTY, "estimator=concrete", "objective.samples=2"]),
    "concrete, 4": ("", [*TWENTY, "estimator=concrete", "objective.samples=4"]),
    "reinforce, 8, 10 bits": (
        "",
        [*TEN, "estimator=reinforce", "estimator.baseline=leave_one_out", "objective.samples=8"],
    ),
    "exact, 10 bits": ("reinforce, 8, 10 bits", [*TEN, "estimator=exact"]),
    "disarm, 2": ("concrete, 2", [*TWENTY, "estimator=disarm", "objective.samples=2"]),
    "disarm, 4": ("concrete, 4", [*TWENTY, "estimator=disarm", "objective.samples=4"]),
    **{
        f"{name}, 2": ("concrete, 2", [*TWENTY, f"estimator={name}", "objective.samples=2"])
        for name in ("arm", "arms", "reinmax", "gumbel_rao", "muprop", "double_cv", "rodeo", "rebar", "relax")
    },
}
TARGETS = {"disarm, 2": 1.15, "disarm, 4": 1.15, "exact, 10 bits": 3.0}  # at most


def contestant(overrides: list[str]) -> Iterator[None]:
    states = new_states([*COMMON, *overrides])
    steps = endless_steps(states, build_runtime(states[0].experiment.config))
    for _ in range(5):  # traces
        next(steps)
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    prepare_hydra()
    register()
    print(machine())
    runs = {name: contestant(overrides) for name, (_, overrides) in CONTESTANTS.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, steps in runs.items():
            start = time.perf_counter()
            for _ in range(options.steps):
                next(steps)
            times[name].append(1000 * (time.perf_counter() - start) / options.steps)
    print(f"n = {options.rounds} rounds of {options.steps} steps")
    for name, (other, _) in CONTESTANTS.items():
        line = f"{name:24} {with_quartiles(times[name], 2)} ms"
        if other:
            ratios = [a / b for a, b in zip(times[name], times[other], strict=True)]
            target = (
                f", target {TARGETS[name]}: {'met' if median(ratios) <= TARGETS[name] else 'missed'}"
                if name in TARGETS
                else ""
            )
            line += f"   {with_quartiles(ratios, 2)} × {other}{target}"
        print(line)


if __name__ == "__main__":
    main()
