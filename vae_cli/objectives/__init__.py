"""Objectives: what training minimizes. An objective turns a model, images and noise into named terms for each example.

A bound is a reduction of log-weights (`reductions.py`); what an estimator is given of it is a `target.Target`, and how its
expectation is differentiated is the estimator's. Objectives and estimators own their schedules and parameters.
May import `models`. Begin with `contract.py`, then `target.py`, `elbo.py`, and `estimators/contract.py`.
"""
