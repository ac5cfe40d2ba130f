"""Trains one run and writes its run folder: the work of vae-train.

May import every room up to `build`; knows nothing of `evaluation`, `comparison` and `sweeps`. Begin with `run.py`, the
loop of one run, then read `session.py`, a run from its lock to its summary, and `trainer.py`, what is due after a step.
"""
