"""Data sets: where images come from, how they are stored and how batches are taken from them.

This room is a library. It imports `vae_cli.errors` and nothing else of ours: no configuration, no model.
Begin with `dataset.py`, the type that every source returns. Each source has one file (`rectangles`, `mnist`,
`arrays`); `batches` takes batches, `binarization` makes grey images black and white, `corruption` spoils what the
encoder sees, `support` checks pixels against a likelihood, `download` fetches missing files.
"""
