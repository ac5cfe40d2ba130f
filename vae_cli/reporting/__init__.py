"""What people look at: PNG files, HTML pages and the aligned tables of the console.

May import `data`, `models` and `metrics.registry`; `table.py` and `html.py` import no torch. Begin with `plots.py`.
"""
