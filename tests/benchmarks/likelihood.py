"""Time of the importance-sampled likelihood for one image and one sample: ours, its lower limit, and Pythae's.

784-400-20 Gaussian VAE, Bernoulli likelihood, random weights, float32. Each round times every contestant once. A ratio
is computed within a round; its median and quartiles are over the rounds.

ours      vae_cli.metrics.likelihood.log_likelihood of 128 images, all five levels, K = 5,000
floor     the two matrix products of the same decoder, into existing tensors, and our softplus of the logits: every
          implementation that decodes each sample needs them
pythae    Pythae 0.1.2's VAE.get_nll with its default batch of 100 samples, in its own process, which sleeps while others
          run; 8 images, K = 500
"""

import resource
import time
from collections.abc import Callable
from statistics import median
from subprocess import DEVNULL, PIPE, Popen

import torch
from contestants import BATCH, CODE, HERE, HIDDEN, PIXELS, PYTHAE
from step import machine, with_quartiles

from vae_cli.data.dataset import Dataset, Split
from vae_cli.engine.devices import keep_memory
from vae_cli.metrics.bound import rows_at_once
from vae_cli.metrics.likelihood import importance_bounds, log_likelihood, nested_levels
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.likelihoods import BernoulliLikelihood
from vae_cli.models.networks import MLP
from vae_cli.models.softplus import softplus
from vae_cli.models.vae import VAE

ROUNDS, SAMPLES, MANY = 10, 5000, 1_000_000
TARGETS = {"floor": 2.0, "pythae": 0.1}  # ours / it, at most


def model() -> VAE:
    torch.manual_seed(0)
    network, shape = MLP([HIDDEN], "relu", "default"), (1, 28, 28)
    latent = GaussianLatent(CODE)
    encoder = network.encoder(shape, latent.encoder_outputs)
    return VAE(encoder, network.decoder(CODE, shape, 1), latent, BernoulliLikelihood())


def ours(vae: VAE) -> float:
    split = Split((torch.rand(BATCH, PIXELS) < 0.2).to(torch.uint8))
    start = time.perf_counter()
    log_likelihood(vae, Dataset(split, split, split, (1, 28, 28)), split, nested_levels(SAMPLES))
    return (time.perf_counter() - start) / (BATCH * SAMPLES)


@torch.no_grad()
def floor(vae: VAE) -> float:
    rows = rows_at_once(PIXELS, torch.device("cpu"))
    first, _, last = vae.decoder
    z, h, logits = (torch.randn(rows, width) for width in (CODE, HIDDEN, PIXELS))
    times = BATCH * SAMPLES // rows
    start = time.perf_counter()
    for _ in range(times):
        torch.mm(z, first.weight.T, out=h)
        torch.mm(h, last.weight.T, out=logits)
        softplus(logits)
    return (time.perf_counter() - start) / (times * rows)


def pythae() -> Callable[[], float]:
    worker = Popen([PYTHAE, HERE / "pythae_nll.py"], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True)
    assert worker.stdin is not None and worker.stdout is not None
    print(worker.stdout.readline().strip())

    def block() -> float:
        print("go", file=worker.stdin, flush=True)
        return float(worker.stdout.readline())

    return block


def main() -> None:
    print(machine())
    keep_memory()
    vae = model()
    contestants: dict[str, Callable[[], float]] = {"ours": lambda: ours(vae), "floor": lambda: floor(vae)}
    if PYTHAE.exists():
        contestants["pythae"] = pythae()
    rounds = [{name: block() for name, block in contestants.items()} for _ in range(ROUNDS + 1)][1:]
    print(f"n = {ROUNDS} rounds after one of warm-up; {BATCH} images, K = {SAMPLES:,}; all seeds 0\n")
    print(f"{'likelihood':12}{'µs an image and sample':>26}{'ours / it':>24}{'target':>8}")
    for name in contestants:
        line = f"{name:12}{with_quartiles([1e6 * times[name] for times in rounds], 2):>26}"
        if target := TARGETS.get(name):
            ratios = [times["ours"] / times[name] for times in rounds]
            met = "met" if median(ratios) <= target else "MISSED"
            line += f"{with_quartiles(ratios, 4):>24}{target:>8} {met}"
        print(line)
    with torch.no_grad():
        importance_bounds(vae, torch.zeros(4, PIXELS), nested_levels(MANY), torch.Generator().manual_seed(0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"peak memory after K = {MANY:,} of 4 images: {peak:.2f} GB (target 2) {'met' if peak < 2 else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
