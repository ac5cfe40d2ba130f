"""Models: a variational auto-encoder of an encoder, a decoder, a latent and a likelihood.

Everything is a vector: images [..., D], encoder outputs [..., P], codes [..., V]. Nothing here draws random numbers;
noise is an argument. It imports no other room. Begin with `vae.py`, then `latents/contract.py` and `distributions.py`.
"""
