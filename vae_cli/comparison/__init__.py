"""Compares many run folders: one table, charts and a page. The work of vae-compare.

May import `config`, `runs`, `metrics.registry` and `reporting`; starts without torch. Begin with `compare.py`.
"""
