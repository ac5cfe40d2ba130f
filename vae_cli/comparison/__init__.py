"""vae-compare: from many run folders to one table, charts and a page.

Begin with compare.py. Imports config, runs, metrics.registry and reporting; never torch, training or evaluation.
"""
