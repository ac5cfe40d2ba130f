"""Time of a training step, ours beside others': a 784-400-20 Gaussian VAE, Bernoulli likelihood, batch 128, Adam.

All train on the same 60,000 images of 28×28 (our rectangles, seed 0), in float32, with torch's own number of
threads. One run, in rounds: each round times a block of steps of every contestant in turn, so that a drift of
the machine meets all alike. A ratio is that of the two medians of one round; its median and quartiles are over
the rounds. A step is everything from one update to the next:

ours            epoch_order and batches (gather of uint8), learning rate, vae_cli.state.train_step with its norm
                of the gradient; parts as vae_cli.config.build makes them; without the journal
pythae          see pythae_worker.py; in a process of its own that sleeps while others run
dataloader      as pytorch/examples' vae/main.py: DataLoader (shuffle, no workers) over torchvision's MNIST with
                ToTensor, hence a PIL image and a conversion for each image; zero_grad, forward, summed binary
                cross-entropy + KL, backward, loss.item(), torch.optim.Adam with its defaults
tensor dataset  the same loop over a TensorDataset of ready floats; without a target, for the reader
products        the step's eleven matrix products alone, written into tensors that exist already: four forwards,
                four for the weights' gradients, three for the inputs' (the first layer needs none)
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from subprocess import DEVNULL, PIPE, Popen

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from vae_cli.config import accept, build, config_folder
from vae_cli.data import batches, epoch_order
from vae_cli.state import Experiment, State, train_step
from vae_cli.train import Trainer

HERE = Path(__file__).resolve().parent
PYTHAE = HERE.parents[1] / ".venv-pythae/bin/python"
BATCH, PIXELS, HIDDEN, CODE = 128, 784, 400, 20
OVERRIDES = ["data=rectangles", "data.height=28", "data.width=28", "data.train_size=60000", "device=cpu"]
OVERRIDES += [f"latent.code_size={CODE}", f"network.hidden=[{HIDDEN}]", f"batch_size={BATCH}"]
TARGETS = {"pythae": 0.5, "dataloader": 0.25, "tensor dataset": None, "products": 1.6}

Block = Callable[[int], list[float]]  # number of steps → seconds of each


def experiment() -> Experiment:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return build(accept(compose("config", OVERRIDES)))


def ours(parts: Experiment) -> Iterator[None]:
    state = State(parts, torch.Generator().manual_seed(0))
    trainer = Trainer(state, None, Path(), lambda: False)  # for its learning rate; nothing is logged
    images = parts.data.train.images
    while True:
        order = epoch_order(len(images), 0, state.step // parts.steps_per_epoch, images.device)
        for batch in batches(images, order, BATCH, images.device):
            trainer.set_learning_rate()
            state.rows = [train_step(state, batch)]
            yield


class ExampleVAE(nn.Module):
    """The model of pytorch/examples, sizes and order of operations alike."""

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


def dataloader(dataset: Dataset) -> Iterator[None]:
    model = ExampleVAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True)
    total = 0.0
    while True:
        for data, _ in loader:
            optimizer.zero_grad()
            x = data.view(-1, PIXELS)
            recon, mu, logvar = model(x)
            bce = F.binary_cross_entropy(recon, x, reduction="sum")
            loss = bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            loss.backward()
            total += loss.item()
            optimizer.step()
            yield


def products() -> Iterator[None]:
    layers = [(PIXELS, HIDDEN), (HIDDEN, 2 * CODE), (CODE, HIDDEN), (HIDDEN, PIXELS)]
    jobs = []
    for i, (inputs, outputs) in enumerate(layers):
        x, weight = torch.randn(BATCH, inputs), torch.randn(outputs, inputs)
        gradient = torch.randn(BATCH, outputs)
        jobs += [(x, weight.t(), torch.empty(BATCH, outputs)), (gradient.t(), x, torch.empty_like(weight))]
        jobs += [(gradient, weight, torch.empty_like(x))] if i else []
    while True:
        for a, b, out in jobs:
            torch.mm(a, b, out=out)
        yield


def timed(steps: Iterator[None]) -> Block:
    def block(n: int) -> list[float]:
        marks = [time.perf_counter()]
        for _ in range(n):
            next(steps)
            marks.append(time.perf_counter())
        return [b - a for a, b in pairwise(marks)]

    return block


def write_mnist(root: Path, images: Tensor) -> Path:
    """The images in MNIST's own files, for torchvision's loader and the Pythae process; returns their folder."""
    folder = root / "MNIST/raw"
    folder.mkdir(parents=True)
    for split, x in (("train", images), ("t10k", images[:1])):  # torchvision looks for both
        shape = b"".join(n.to_bytes(4, "big") for n in (2051, len(x), 28, 28))
        (folder / f"{split}-images-idx3-ubyte").write_bytes(shape + (x * 255).numpy().tobytes())
        shape = b"".join(n.to_bytes(4, "big") for n in (2049, len(x)))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(shape + bytes(len(x)))
    return folder


def pythae(folder: Path) -> Block:
    """A worker that says its versions, then answers each number of steps with their times."""
    worker = Popen(
        [PYTHAE, HERE / "pythae_worker.py", folder], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True
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


def spread(values: list[float], digits: int) -> str:
    low, _, high = quantiles(values, n=4)
    return f"{median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def report(times: dict[str, list[list[float]]]) -> None:
    """`times`: of each contestant, rounds of steps in seconds."""
    print(f"{'step':16}{'ms, median [quartiles]':>28}{'ours / it, over rounds':>28}{'target':>8}")
    for name, rounds in times.items():
        line = f"{name:16}{spread([1000 * t for block in rounds for t in block], 2):>28}"
        if name != "ours":
            ratios = [median(a) / median(b) for a, b in zip(times["ours"], rounds, strict=True)]
            line += f"{spread(ratios, 3):>28}"
            if target := TARGETS[name]:
                line += f"{target:>8} {'met' if median(ratios) <= target else 'MISSED'}"
        print(line)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    names = ("vae-cli", "torch", "torchvision")
    return (
        f"{cpu['model name']} (family {cpu['cpu family']}, model {cpu['model']}), "
        f"{len(os.sched_getaffinity(0))} cores, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}; load {os.getloadavg()[0]:.2f} before the run\n"
        f"python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in names)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="time of a training step, ours beside others'")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=50, help="of each contestant in a round")
    args = parser.parse_args()
    print(machine())
    parts = experiment()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as root:
        images = parts.data.train.images
        folder = write_mnist(Path(root), images)
        contestants: dict[str, Block] = {"ours": timed(ours(parts))}
        if PYTHAE.exists():
            contestants["pythae"] = pythae(folder)
        else:
            print(f"no {PYTHAE}: without Pythae. To have it: make .venv-pythae")
        contestants["dataloader"] = timed(dataloader(MNIST(root, transform=ToTensor())))
        floats = TensorDataset(images.float(), torch.zeros(len(images)))
        contestants["tensor dataset"] = timed(dataloader(floats))
        contestants["products"] = timed(products())
        for block in contestants.values():
            block(args.steps)  # warm-up
        times: dict[str, list[list[float]]] = {name: [] for name in contestants}
        for _ in range(args.rounds):
            for name, block in contestants.items():
                times[name].append(block(args.steps))
    print(f"n = {args.rounds} rounds × {args.steps} steps after a warm-up of {args.steps}; seeds 0\n")
    report(times)


if __name__ == "__main__":
    main()
