"""Data sets: where images come from, how they are stored, and how batches are taken from them.

Each source has one file (`rectangles`, `mnist`, `arrays`). A library: imports `errors` and no other room. Begin with
`dataset.py`, the type that every source returns.
"""
