"""Latents, one file each: how the encoder's output becomes a posterior over codes, the prior, and the noise they need.

A latent answers every question about its codes, so that no metric or picture asks which latent it has. Begin with
`contract.py`. To add a latent: its distribution, its class here, an option in `configs/latent/` with its model in
`config/schema/latents.py`, and a row in the tables of the tests.
"""
