"""Probes and rankings: examples worked by hand, chance level, and what a classifier must not depend on."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Generator, Tensor
from torch import distributions as oracle

from vae_cli.metrics import probes
from vae_cli.metrics.probes import (
    Examples,
    accuracy_error,
    logistic_regression,
    nearest_neighbours,
    pixel_classifier,
    ranking,
)

every_classifier = pytest.mark.parametrize("classify", [logistic_regression, nearest_neighbours])


def clusters(n: int, seed: int) -> Examples:
    """Three classes at the corners of a triangle, 10 standard deviations apart."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    return Examples(10 * np.eye(3)[labels] + rng.standard_normal((n, 3)), labels)


# Accuracies.


@every_classifier
def test_separable_codes_are_classified_without_error(classify):
    assert classify(clusters(100, 0), clusters(200, 1)) == 1.0


@every_classifier
def test_labels_that_are_independent_of_codes_are_predicted_at_chance(classify):
    """Three equally likely classes, 3,000 test labels that are independent of the predictions: z ≤ 4."""
    (train, labels), (test, test_labels), rng = clusters(300, 0), clusters(3000, 1), np.random.default_rng(2)
    accuracy = classify(
        Examples(train, rng.permutation(labels)), Examples(test, rng.permutation(test_labels))
    )
    assert abs(accuracy - 1 / 3) <= 4 * accuracy_error(1 / 3, 3000)


def test_logistic_regression_standardizes_its_inputs():
    """The scale of an input does not matter: inputs are standardized on the training set."""
    factors, (train, labels), (test, test_labels) = (
        np.array([1e-4, 1.0, 1e4]),
        clusters(60, 0),
        clusters(300, 1),
    )
    noise = np.random.default_rng(3).normal(0, 4, (360, 3))  # so that some predictions are wrong
    first, second = train + noise[:60], test + noise[60:]
    plain = logistic_regression(Examples(first, labels), Examples(second, test_labels))
    scaled = logistic_regression(Examples(first * factors, labels), Examples(second * factors, test_labels))
    assert 0.6 < plain < 1
    assert scaled == pytest.approx(plain, abs=1e-12)


def test_neighbours_vote_and_there_are_no_more_than_training_images():
    """Of five, three are of class 1; of three training images all vote."""
    inputs = np.array([[0.0], [0.1], [0.2], [0.3], [0.4], [9.0]])
    labels = np.array([0, 0, 1, 1, 1, 0])
    at_zero = Examples(np.array([[0.0]]), np.array([1]))
    assert nearest_neighbours(Examples(inputs, labels), at_zero) == 1.0
    few = Examples(inputs[[0, 1, 5]], np.array([0, 1, 1]))
    assert nearest_neighbours(few, at_zero) == 1.0


def test_the_error_of_an_accuracy_is_that_of_a_frequency():
    """√(p (1 − p) / n); the mean of n values 0 and 1 has it, but for n − 1."""
    assert accuracy_error(0.5, 100) == pytest.approx(0.05)
    assert accuracy_error(0.2, 400) == pytest.approx(0.02)
    assert accuracy_error(1.0, 10) == accuracy_error(0.0, 10) == 0.0
    right = np.arange(50) < 40
    assert accuracy_error(0.8, 50) == pytest.approx(right.std() / math.sqrt(50))


# The classifier on pixels.


def toy(n: int, seed: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Four noisy pixels, the bright one is the label."""
    generator = Generator().manual_seed(seed)
    labels = torch.randint(4, (n,), generator=generator)
    return (torch.eye(4)[labels] + 0.1 * torch.randn(n, 4, generator=generator)).to(dtype), labels


def classified(train, test, epochs: int, tick=lambda n: None) -> tuple[float, float]:
    """Mean loss and accuracy."""
    loss, correct = pixel_classifier(train, test, epochs, tick)
    assert loss.shape == correct.shape == test[1].shape
    return loss.mean().item(), correct.mean().item()


def test_the_pixel_classifier_learns_and_reports_each_epoch():
    """The loss falls from about log 4 nats, chance level; loss and accuracy are of the test images."""
    ticks = []
    before, _ = classified(toy(600, 0), toy(200, 1), 0, ticks.append)
    loss, accuracy = classified(toy(600, 0), toy(200, 1), 20, ticks.append)
    assert ticks == [1] * 20
    assert before == pytest.approx(math.log(4), abs=0.3)
    assert loss < 0.1 and accuracy == 1.0
    x, labels = toy(200, 1)
    assert classified(toy(600, 0), (x, (labels + 1) % 4), 5, ticks.append)[1] == 0.0


def test_the_pixel_classifier_is_deterministic_and_leaves_torchs_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = classified(toy(300, 0), toy(100, 1), 2)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert classified(toy(300, 0), toy(100, 1), 2) == first
    assert classified(toy(300, 2), toy(100, 1), 2) != first


def test_the_pixel_classifier_standardizes_by_the_training_set():
    """The result is the same for grey levels from 0 to 255 or from 0 to 1, and with an offset."""
    (x, labels), (test, test_labels) = toy(300, 0, torch.float64), toy(100, 1, torch.float64)
    plain = classified((x, labels), (test, test_labels), 3)
    scaled = classified((255 * x + 7, labels), (255 * test + 7, test_labels), 3)
    assert scaled == pytest.approx(plain, rel=1e-9)


def test_the_pixel_classifier_takes_images_that_are_all_the_same():
    """The loss is finite, and the accuracy is that of one constant prediction."""
    x, (_, labels) = torch.full((50, 4), 0.5), toy(50, 0)
    loss, accuracy = classified((x, labels), (x, labels), 2)
    assert math.isfinite(loss)
    assert accuracy in [count / 50 for count in labels.bincount().tolist()]


# Ranking.


def test_ranking_is_what_one_counts_by_hand():
    """Of 8 pairs, 2 beats 1 and ties with 2, 4 beats 1, 2 and 3: 4.5 / 8. Down the list, recall rises to ½ at
    precision ½ (5, 4) and to 1 at precision 2/5 (5, 4, 3, 2, 2)."""
    found = ranking(np.array([1.0, 2.0, 3.0, 5.0]), np.array([2.0, 4.0]))
    assert found.auroc == pytest.approx(4.5 / 8)
    assert found.average_precision == pytest.approx(0.5 * 1 / 2 + 0.5 * 2 / 5)


def test_ranking_at_its_extremes(monkeypatch):
    """All above, all below, all equal: every resample is the same, so that the errors are 0."""
    monkeypatch.setattr(probes, "RESAMPLES", 20)
    low, high = np.arange(6.0), np.arange(10.0, 13.0)
    assert ranking(low, high) == pytest.approx((1.0, 0.0, 1.0, 0.0), abs=1e-12)
    below = ranking(high, low)
    assert (below.auroc, below.auroc_error) == pytest.approx((0.0, 0.0), abs=1e-12)
    same = ranking(np.zeros(6), np.zeros(3))
    assert same == pytest.approx((0.5, 0.0, 3 / 9, 0.0), abs=1e-12)


def test_scores_of_one_distribution_rank_at_chance():
    """z ≤ 4 by the figures' own errors: AUROC ½, average precision M / (N + M)."""
    scores = np.random.default_rng(1).standard_normal(900)
    found = ranking(scores[:600], scores[600:])
    assert abs(found.auroc - 0.5) <= 4 * found.auroc_error
    assert abs(found.average_precision - 1 / 3) <= 4 * found.average_precision_error


def test_the_bootstraps_error_is_hanleys_and_mcneils():
    """Two Gaussians 1 apart, 400 and 800 scores: within 20 % of the formula, and AUROC within 4 of Φ(1 / √2)."""
    rng, n, m = np.random.default_rng(0), 400, 800
    found = ranking(rng.standard_normal(n), 1 + rng.standard_normal(m))
    area = oracle.Normal(0.0, 1.0).cdf(torch.tensor(1 / math.sqrt(2))).item()
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2)
    error = math.sqrt(variance / (n * m))
    assert found.auroc_error == pytest.approx(error, rel=0.2)
    assert abs(found.auroc - area) <= 4 * error


def test_the_bootstraps_error_of_an_average_precision_is_its_spread_over_new_scores():
    """200 new draws know the spread to 5 %, as 200 resamples do: within 25 %."""
    rng, truth = np.random.default_rng(0), np.repeat([0, 1], [300, 150])
    drawn = [truth + rng.standard_normal(450) for _ in range(200)]
    spread = np.std([average_precision_score(truth, scores) for scores in drawn])
    found = ranking(drawn[0][:300], drawn[0][300:])
    assert found.average_precision_error == pytest.approx(spread, rel=0.25)


def test_ranking_is_deterministic_and_leaves_numpys_generator_alone(monkeypatch):
    monkeypatch.setattr(probes, "RESAMPLES", 20)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002, the global state that must not move
    normal, anomalous = np.arange(20.0), np.arange(10.0, 30.0)
    assert ranking(normal, anomalous) == ranking(normal, anomalous)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002, the global state that must not move
