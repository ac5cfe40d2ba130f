"""Distances of an observation from its expectation, in standard errors. Tests fix their seeds and compare with Z."""

import math

import numpy as np
import torch

Z = 4.0


def chi_square_z(counts: np.ndarray, expected: np.ndarray) -> float:
    """Pearson's statistic, standardized by its mean df and its variance, about 2 df."""
    df = len(counts) - 1
    return (((counts - expected) ** 2 / expected).sum() - df) / math.sqrt(2 * df)


def proportion_z(hits: torch.Tensor, p: float) -> float:
    """The z-score of the fraction of true entries, if each is true with probability p."""
    return abs(hits.double().mean().item() - p) / math.sqrt(p * (1 - p) / hits.numel())
