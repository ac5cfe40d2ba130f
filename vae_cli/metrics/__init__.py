"""Metrics: what a model, a code or an estimator is worth, each as one function of tensors.

`registry.py` has one row for each metric: its unit, whether higher or lower is better, and what it means. It imports
no torch. May import `models`, `data` and `objectives`. Begin with `registry.py`, then `bound.py`.
"""
