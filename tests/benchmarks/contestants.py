"""What step.py times: a training step of a 784-400-20 Gaussian VAE, Bernoulli likelihood, batch 128, Adam.

All train on the same 60,000 images of 28×28 (our rectangles, seed 0), in float32, with torch's own number of
threads. A step is everything from one update to the next:

ours            all of vae_cli.training.trainer.Trainer.fit but its journal: the data's order, the gather of uint8, schedules, the
                step; parts as vae_cli.build makes them, with runtime=auto, which is `graph` here
ours, eager     the same with runtime=eager; without a target
pythae          see pythae_worker.py; in a process of its own that sleeps while others run
dataloader      as pytorch/examples' vae/main.py: DataLoader (shuffle, no workers) over torchvision's MNIST with
                ToTensor, hence a PIL image and a conversion for each image; zero_grad, forward, summed binary
                cross-entropy + KL, backward, loss.item(), torch.optim.Adam with its defaults
tensor dataset  the same loop over a TensorDataset of ready floats; without a target, for the reader
products        the step's eleven matrix products alone, written into tensors that exist already: four forwards,
                four for the weights' gradients, three for the inputs' (the first layer needs none)
"""

import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from vae_cli.build import build
from vae_cli.config.compose import accept, config_folder
from vae_cli.data.batches import epoch_order
from vae_cli.data.dataset import Dataset
from vae_cli.engine.runtimes import Eager, Runtime
from vae_cli.engine.state import Experiment, State
from vae_cli.engine.trainable import SingleRun

HERE = Path(__file__).resolve().parent
PYTHAE = Path(os.environ.get("VAE_CLI_PYTHAE", HERE.parents[1] / ".venv-pythae/bin/python"))
BATCH, PIXELS, HIDDEN, CODE = 128, 784, 400, 20
OVERRIDES = ["data=rectangles", "data.height=28", "data.width=28", "data.train_size=60000"]
OVERRIDES += [f"latent.code_size={CODE}", f"network.hidden=[{HIDDEN}]", f"batch_size={BATCH}"]

Block = Callable[[int], list[float]]  # number of steps → seconds of each


def configured(*overrides: str, loaded: dict[str, Dataset] | None = None) -> Experiment:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return build(accept(compose("config", [*OVERRIDES, *overrides])), loaded)


def contestants(root: Path, device: str = "cpu") -> dict[str, Block]:
    """By name, `ours` first. `root` is an empty folder for the images."""
    parts, again = (configured(f"device={device}") for _ in range(2))
    images = parts.data.train.images.cpu()
    folder = write_mnist(root, images)
    torch.manual_seed(0)
    steps = {
        "ours": ours(parts, parts.runtime),
        "ours, eager": ours(again, Eager()),
        "dataloader": dataloader(MNIST(str(root), transform=ToTensor()), device),
        "tensor dataset": dataloader(TensorDataset(images.float(), torch.zeros(len(images))), device),
        "products": products(device),
    }
    blocks = {name: timed(iterator, device) for name, iterator in steps.items()}
    if not PYTHAE.exists():
        print(f"no {PYTHAE}: without Pythae. `make bench` makes it")
        return blocks
    return {"ours": blocks.pop("ours"), "pythae": pythae(folder, device), **blocks}


def ours(parts: Experiment, runtime: Runtime) -> Iterator[None]:
    state = State(parts, torch.Generator().manual_seed(0))
    runner = runtime(SingleRun(state))
    n, device = len(parts.data.train.images), parts.device
    while True:
        order = epoch_order(n, 0, state.step // parts.steps_per_epoch, device)
        for batch in runner.feed(order, lambda: 50):
            state.rows = [runner(batch)]
            yield from [None] * len(state.rows[0])


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
    """On CUDA, where steps are queued, each one's share of the whole block."""

    def queued(n: int) -> list[float]:
        start = time.perf_counter()
        for _ in range(n):
            next(steps)
        torch.cuda.synchronize()
        return [(time.perf_counter() - start) / n] * n

    def block(n: int) -> list[float]:
        marks = [time.perf_counter()]
        for _ in range(n):
            next(steps)
            marks.append(time.perf_counter())
        return [b - a for a, b in pairwise(marks)]

    return queued if device == "cuda" else block


def pythae(folder: Path, device: str) -> Block:
    """A worker that says its versions, then answers each number of steps with their times."""
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
