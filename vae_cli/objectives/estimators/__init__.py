"""Estimators of E_q[f(z)] and of its gradient, one file for each family. Begin with `contract.py`.

May import `models` and `objectives.schedules`.
"""
