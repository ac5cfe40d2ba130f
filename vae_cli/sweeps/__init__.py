"""Many runs: the function that Hydra calls for each run, and everything about the members of a sweep or a search.

May import every room before it; `cli` and `plugins` import it. Begin with `task.py`, which Hydra calls. Then read
`member`, which trains one member from its start to its end, and `monitor`, which watches all members from the process
that the user started.
"""
