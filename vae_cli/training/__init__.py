"""Trains one run and writes its run folder: the work of vae-train.

May import every room up to `build`; it knows nothing of `evaluation`, `comparison` and `sweeps`. Begin with `run` (the
loop of one run), then read `session` (a run from its lock to its summary) and `trainer` (what is due after a step).
"""
