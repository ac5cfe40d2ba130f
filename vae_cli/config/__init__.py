"""What was asked: from the command line and the YAML files to one checked, typed configuration.

May import `errors` only; starts without torch. Begin with `compose.py`, which turns Hydra's configuration into a
`RunConfig`, then read `schema/run.py` and `schema/part.py`.
"""
