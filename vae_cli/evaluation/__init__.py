"""vae-eval: measures a trained run, draws its pictures and writes one page; and loads a trained model in Python.

Begin with evaluate.py, then plan.py and gallery.py. May import every room before it, but not training.
"""
