"""Times Pythae 0.1.2's training step for contestants.py, in Pythae's own environment.

    pythae_worker.py FOLDER [cuda]
                              trains on the IDX images in FOLDER. It prints its versions; then, until stdin ends, it reads
                              a number of steps, makes so many, and prints their seconds on one line

The model is pythae.models.VAE with the package's default MLPs, their 512 hidden units changed to 400 (ReLU,
sigmoid, code size 20), reconstruction_loss="bce". The loop is BaseTrainer.train(), unchanged: its DataLoader (no
workers) over a BaseDataset of floats with its collate, zero_grad, backward, Adam with torch's defaults,
loss.item(), its progress bar. A step is everything between the ends of two batches. The trainer's own hook after each
batch, `on_train_step_end`, takes the time; between blocks the trainer waits inside it.
"""

import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.nn.default_architectures import Decoder_AE_MLP, Encoder_VAE_MLP
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn


class Clock(TrainingCallback):
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def wait(self) -> None:
        """Waits for the next block. Ends the process when there is none, because the trainer has no other way to end."""
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        self.left = int(line)
        self.last = time.perf_counter()

    def on_train_begin(self, *args: object, **kwargs: object) -> None:
        self.wait()

    def on_train_step_end(self, *args: object, **kwargs: object) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now
        self.left -= 1
        if not self.left:
            print(*self.seconds, flush=True)
            self.seconds = []
            self.wait()


def model() -> VAE:
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce")
    encoder, decoder = Encoder_VAE_MLP(config), Decoder_AE_MLP(config)
    encoder.layers[0][0] = nn.Linear(784, 400)
    encoder.embedding, encoder.log_var = nn.Linear(400, 20), nn.Linear(400, 20)
    decoder.layers[0][0], decoder.layers[1][0] = nn.Linear(20, 400), nn.Linear(400, 784)
    return VAE(config, encoder, decoder)


def main() -> None:
    pixels = np.fromfile(Path(sys.argv[1]) / "train-images-idx3-ubyte", np.uint8, offset=16)
    images = torch.from_numpy(pixels.reshape(-1, 1, 28, 28)) / 255
    names = ("pythae", "torch")
    print("worker:", *(f"{n} {version(n)}" for n in names), f"{torch.get_num_threads()} threads", flush=True)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, per_device_train_batch_size=128, num_epochs=10**6, learning_rate=1e-3, seed=0,
            no_cuda=sys.argv[2:] != ["cuda"],
        )  # fmt: skip
        dataset = BaseDataset(images, torch.ones(len(images)))
        BaseTrainer(model(), dataset, training_config=config, callbacks=[Clock()]).train()


if __name__ == "__main__":
    main()
