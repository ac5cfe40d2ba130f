"""Notices about a model and its data that training and evaluation both give."""

from vae_cli.data.dataset import Dataset
from vae_cli.data.support import is_binary
from vae_cli.models.vae import VAE

CROSS_ENTROPY = (
    "likelihood=bernoulli on grey pixels: the results are a cross-entropy, not a likelihood, and comparable only with "
    "each other (a density for grey pixels: likelihood=continuous_bernoulli)"
)


def of_likelihood(vae: VAE, data: Dataset) -> list[str]:
    """What a user should know about this likelihood on these data."""
    return [CROSS_ENTROPY] if vae.likelihood.is_discrete and not is_binary(data) else []
