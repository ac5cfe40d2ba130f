"""Times Pythae 0.1.2's VAE.get_nll for likelihood.py, in Pythae's own environment. For each line on stdin it prints the
seconds for one image and one sample."""

import sys
import time
from importlib.metadata import version

import torch
from pythae_worker import model

IMAGES, SAMPLES = 8, 500

if __name__ == "__main__":
    print(
        "worker:",
        *(f"{n} {version(n)}" for n in ("pythae", "torch")),
        f"{torch.get_num_threads()} threads",
        flush=True,
    )
    torch.manual_seed(0)
    vae = model().eval()
    images = (torch.rand(IMAGES, 1, 28, 28) < 0.2).float()
    for _ in sys.stdin:
        start = time.perf_counter()
        vae.get_nll(images, n_samples=SAMPLES, batch_size=100)
        print((time.perf_counter() - start) / (IMAGES * SAMPLES), flush=True)
