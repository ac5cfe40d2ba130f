"""One training step, and faster ways to compute the same step.

May import `config`, `models`, `data`, `objectives` and the rooms before them; it knows nothing of run folders, logging
and validation. Begin with `state.py` (what a step changes) and `step.py` (the specification of a step), then read
`trainable.py` (one run, or many packed runs) and `runners.py` (what makes the steps). The rest computes these steps
faster: see README.md.
"""
