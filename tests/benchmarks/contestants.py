"""The contestants of step.py: training steps of a 784-400-20 Gaussian VAE, Bernoulli likelihood, batch 128, Adam.

All train on the same 60,000 images of 28×28 (our rectangles, seed 0), in float32, with torch's default number of
threads. A step is everything from one update to the next:

ours            what vae-train does without its logging: the order of images, the gathering of uint8 images, schedules and
                the step, with runtime=auto, which traces here
ours, eager     the same with runtime=eager; without a target
pythae          see pythae_worker.py; in its own process, which sleeps while others run
dataloader      as pytorch/examples' vae/main.py: DataLoader (shuffle, no workers) over torchvision's MNIST with
                ToTensor, hence a PIL image and a conversion for each image; zero_grad, forward, summed binary
                cross-entropy + KL, backward, loss.item(), torch.optim.Adam with its defaults
tensor dataset  the same loop over a TensorDataset of ready floats; without a target, for comparison
products        only the eleven matrix products of a step, written into existing tensors: four of the forward pass, four
                for the gradients of weights, three for those of inputs (the first layer needs none)
"""

import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import torch
from our_steps import endless_steps, new_states
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from vae_cli.build import build_runtime
from vae_cli.engine.runtimes import Eager

HERE = Path(__file__).resolve().parent
PYTHAE = Path(os.environ.get("VAE_CLI_PYTHAE", HERE.parents[1] / ".venv-pythae/bin/python"))
BATCH, PIXELS, HIDDEN, CODE = 128, 784, 400, 20
OVERRIDES = ["data=rectangles", "data.height=28", "data.width=28", "data.train_size=60000"]
OVERRIDES += [f"latent.code_size={CODE}", f"network.hidden=[{HIDDEN}]", f"batch_size={BATCH}"]

Block = Callable[[int], list[float]]  # number of steps → seconds of each


def contestants(root: Path, device: str = "cpu") -> dict[str, Block]:
    """Name → block, `ours` first. `root` is an empty folder for the images."""
    states, again = (new_states([*OVERRIDES, f"device={device}"]) for _ in range(2))
    experiment = states[0].experiment
    images = experiment.data.train.images.cpu()
    folder = write_mnist(root, images)
    torch.manual_seed(0)
    steps = {
        "ours": endless_steps(states, build_runtime(experiment.config)),
        "ours, eager": endless_steps(again, Eager()),
        "dataloader": dataloader(MNIST(str(root), transform=ToTensor()), device),
        "tensor dataset": dataloader(TensorDataset(images.float(), torch.zeros(len(images))), device),
        "products": products(device),
    }
    blocks = {name: timed(iterator, device) for name, iterator in steps.items()}
    if not PYTHAE.exists():
        print(f"{PYTHAE} does not exist: Pythae is left out. `make bench` installs it")
        return blocks
    return {"ours": blocks.pop("ours"), "pythae": pythae(folder, device), **blocks}


class ExampleVAE(nn.Module):
    """The model of pytorch/examples."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc3 = nn.Linear(PIXELS, HIDDEN), nn.Linear(CODE, HIDDEN)
        self.fc21, self.fc22 = nn.Linear(HIDDEN, CODE), nn.Linear(HIDDEN, CODE)
        self.fc4 = nn.Linear(HIDDEN, PIXELS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = F.relu(self.fc1(x))
        mu, logvar = self.fc21(h), self.fc22(h)
        std = torch.exp(0.5 * logvar)
        z = mu + torch.randn_like(std) * std
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar


def dataloader(dataset: torch.utils.data.Dataset, device: str) -> Iterator[None]:
    model = ExampleVAE().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True)
    total = 0.0
    while True:
        for data, _ in loader:
            optimizer.zero_grad()
            x = data.to(device).view(-1, PIXELS)
            recon, mu, logvar = model(x)
            bce = F.binary_cross_entropy(recon, x, reduction="sum")
            loss = bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            loss.backward()
            total += loss.item()
            optimizer.step()
            yield


def products(device: str) -> Iterator[None]:
    layers = [(PIXELS, HIDDEN), (HIDDEN, 2 * CODE), (CODE, HIDDEN), (HIDDEN, PIXELS)]
    jobs = []
    for i, (inputs, outputs) in enumerate(layers):
        x, weight = torch.randn(BATCH, inputs), torch.randn(outputs, inputs)
        gradient = torch.randn(BATCH, outputs)
        jobs += [(x, weight.t(), torch.empty(BATCH, outputs)), (gradient.t(), x, torch.empty_like(weight))]
        jobs += [(gradient, weight, torch.empty_like(x))] if i else []
    jobs = [tuple(tensor.to(device) for tensor in job) for job in jobs]
    while True:
        for a, b, out in jobs:
            torch.mm(a, b, out=out)
        yield


def timed(steps: Iterator[None], device: str) -> Block:
    """A block of these steps. On CUDA, where the host only queues steps, all of a block get the same time."""

    def queued(n: int) -> list[float]:
        start = time.perf_counter()
        for _ in range(n):
            next(steps)
        torch.cuda.synchronize()
        return [(time.perf_counter() - start) / n] * n

    def block(n: int) -> list[float]:
        times = [time.perf_counter()]
        for _ in range(n):
            next(steps)
            times.append(time.perf_counter())
        return [end - start for start, end in pairwise(times)]

    return queued if device == "cuda" else block


def pythae(folder: Path, device: str) -> Block:
    """Blocks of a worker process. It prints its versions, then the times of each block that it is asked for."""
    worker = Popen(
        [PYTHAE, HERE / "pythae_worker.py", folder, device],
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        text=True,
    )

    def answer() -> str:
        if not (line := worker.stdout.readline()):
            raise SystemExit(f"the Pythae worker died; try: echo 1 | {PYTHAE} {HERE}/pythae_worker.py FOLDER")
        return line

    def block(n: int) -> list[float]:
        print(n, file=worker.stdin, flush=True)
        return [float(seconds) for seconds in answer().split()]

    print(answer().strip())
    return block


def write_mnist(root: Path, images: Tensor) -> Path:
    """The images in MNIST's own files, for torchvision's loader and the Pythae worker; returns their folder."""
    folder = root / "MNIST/raw"
    folder.mkdir(parents=True)
    for split, x in (("train", images), ("t10k", images[:1])):  # torchvision looks for both
        shape = b"".join(n.to_bytes(4, "big") for n in (2051, len(x), 28, 28))
        (folder / f"{split}-images-idx3-ubyte").write_bytes(shape + (x * 255).numpy().tobytes())
        shape = b"".join(n.to_bytes(4, "big") for n in (2049, len(x)))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(shape + bytes(len(x)))
    return folder
