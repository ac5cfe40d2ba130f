"""Objectives: what training minimizes. An objective turns a model, images and noise into named terms for each example.

An objective owns its schedules and parameters, and so does its estimator, which says how E_q[f(z)] is differentiated.
May import `models`. Begin with `contract.py`, then `elbo.py`, then `estimators/contract.py`.
"""
