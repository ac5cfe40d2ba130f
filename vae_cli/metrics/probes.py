"""Is the code useful? How well labels are read from it, beside the same from raw pixels; and whether its likelihood
tells other images apart.

scikit-learn's classifiers and ranking figures; the pixel classifier alone is torch, as in its source.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

NEIGHBOURS = 5
RESAMPLES = 200  # of the bootstrap


class Examples(NamedTuple):
    inputs: np.ndarray  # [N, D]
    labels: np.ndarray  # [N]


def logistic_regression(train: Examples, test: Examples) -> float:
    """Accuracy of multinomial logistic regression on standardized inputs."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    with warnings.catch_warnings():  # 200 iterations on pixels are enough for an accuracy
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(*train)
    return float(model.score(*test))


def nearest_neighbours(train: Examples, test: Examples) -> float:
    """Accuracy of the vote of the five nearest training images, by Euclidean distance."""
    neighbours = min(NEIGHBOURS, len(train.labels))
    return float(KNeighborsClassifier(neighbours, algorithm="brute").fit(*train).score(*test))


CLASSIFIERS = {
    "logistic": (logistic_regression, "logistic regression"),
    "neighbours": (nearest_neighbours, f"{NEIGHBOURS} nearest neighbours"),
}


def pixel_classifier(
    train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], epochs: int, tick: Callable[[int], object]
) -> tuple[Tensor, Tensor]:
    """Cross-entropy in nats, and whether right, of each test image, [N]: D – 1000 ReLU – classes on pixels standardized by the training
    set's mean and standard deviation: SGD, learning rate 0.01, momentum 0.5, batches of 120.

    Source: "Variational Auto-encoders" (ML Journal Club talk). `tick(n)` is told of each n epochs done.
    """
    (x, labels), (test_x, test_labels) = train, test
    mean, std = x.mean(), x.std().clamp(min=1e-6)
    generator = Generator(x.device).manual_seed(0)
    with torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []):
        torch.manual_seed(0)
        layers = (
            nn.Linear(x.shape[-1], 1000),
            nn.ReLU(),
            nn.Linear(1000, int(max(labels.max(), test_labels.max())) + 1),
        )
        model = nn.Sequential(*layers).to(x.device, x.dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=generator, device=x.device).split(120):
            optimizer.zero_grad()
            cross_entropy(model((x[batch] - mean) / std), labels[batch]).backward()
            optimizer.step()
        tick(1)
    with torch.no_grad():
        logits = model((test_x - mean) / std)
        loss = cross_entropy(logits, test_labels, reduction="none")
        return loss.double(), (logits.argmax(-1) == test_labels).double()


def accuracy_error(accuracy: float, n: int) -> float:
    """Standard error of an accuracy over n images."""
    return math.sqrt(accuracy * (1 - accuracy) / n)


class Ranking(NamedTuple):
    """How well a score puts anomalies above normal images, each with its standard error by a stratified bootstrap."""

    auroc: float
    auroc_error: float
    average_precision: float
    average_precision_error: float


def ranking(normal: np.ndarray, anomalous: np.ndarray) -> Ranking:
    """Scores [N] and [M], higher for what is less likely. Chance is AUROC ½ and average precision M / (N + M)."""
    truth = np.concatenate([np.zeros(len(normal), int), np.ones(len(anomalous), int)])
    figures = roc_auc_score, average_precision_score
    values = [float(f(truth, np.concatenate([normal, anomalous]))) for f in figures]
    rng, repeats = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        scores = np.concatenate([rng.choice(normal, len(normal)), rng.choice(anomalous, len(anomalous))])
        repeats.append([f(truth, scores) for f in figures])
    errors = np.std(repeats, axis=0, ddof=1).tolist()
    return Ranking(values[0], errors[0], values[1], errors[1])
