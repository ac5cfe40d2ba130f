"""One training step, and faster ways to compute the same step.

May import `config`, `models`, `data`, `objectives` and the rooms before them; it knows nothing of run folders, logging
and validation. Begin with `state` (what a step changes) and `step` (the specification of a step), then read `trainable`
(one run, or many packed runs) and `runners` (what makes the steps). The rest computes these steps faster: see README.md.
"""
