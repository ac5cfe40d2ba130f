"""One training step, and faster ways to compute the same step.

May import `config`, `models`, `data`, `objectives` and the rooms before them; it knows nothing of run folders, logging
and validation. Begin with `state` (what a step changes) and `step` (the specification of a step), then `trainable` (the
steps of one run, or of many at once). Everything else computes these steps faster: see README.md.
"""
