"""Measures one trained run and draws what its code learned: the work of vae-eval.

May import every room up to `build`; knows nothing of `training`, `comparison` and `sweeps`. Begin with `evaluate.py`,
then `plan.py`, what is measured and drawn, and `trained.py`, a trained model as `vae_cli.load` returns it.
"""
