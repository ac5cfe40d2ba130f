"""What people look at: PNG files, HTML pages and the aligned tables of the console.

Begin with plots.py. Imports data, models and metrics.registry; table.py and html.py import no torch.
"""
