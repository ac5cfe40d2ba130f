"""How well classifiers predict labels from codes and from raw pixels, and how well the likelihood separates anomalies
from normal images.

Classifiers and ranking metrics are scikit-learn's. Only the pixel classifier uses torch, as its source did.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import bootstrap
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
    with warnings.catch_warnings():  # 200 iterations on pixels suffice for an accuracy
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
    """The cross-entropy in nats of each test image [N], and whether its label is predicted [N], by a network D – 1000 – classes.

    ReLU, pixels standardized by the training set's mean and standard deviation, SGD with learning rate 0.01 and
    momentum 0.5, batches of 120. Source: "Variational Auto-encoders" (ML Journal Club talk). Calls `tick(1)` after
    every epoch.
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
    auroc_error: float | None
    average_precision: float
    average_precision_error: float | None


def ranking(normal: np.ndarray, anomalous: np.ndarray) -> Ranking:
    """Scores [N] and [M], higher for what is less likely. Chance is AUROC ½ and average precision M / (N + M)."""
    truth = np.concatenate([np.zeros(len(normal), int), np.ones(len(anomalous), int)])

    def area(a: np.ndarray, b: np.ndarray) -> float:
        return float(roc_auc_score(truth, np.concatenate([a, b])))

    def precision(a: np.ndarray, b: np.ndarray) -> float:
        return float(average_precision_score(truth, np.concatenate([a, b])))

    return Ranking(
        area(normal, anomalous), _bootstrap_error(area, normal, anomalous),
        precision(normal, anomalous), _bootstrap_error(precision, normal, anomalous),
    )  # fmt: skip


def _bootstrap_error(statistic: Callable[..., float], *samples: np.ndarray) -> float | None:
    """The standard error of a statistic of independent samples, each resampled by itself; None if one of them has a single value."""
    if min(map(len, samples)) < 2:
        return None
    found = bootstrap(
        samples, statistic, n_resamples=RESAMPLES, vectorized=False, method="percentile",
        batch=20, random_state=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.standard_error)
