"""Estimators of the expectation of a bound and of its gradient, one file for each family. Begin with `contract.py`.

May import `models`, `objectives.target`, `objectives.reductions` and `objectives.schedules`.
"""
