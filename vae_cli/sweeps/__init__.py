"""Many runs: what Hydra calls for each run, and all that concerns the members of a sweep or a search together.

May import every room up to `training`; `cli` and `plugins` import it. Begin with `task`, which Hydra calls, then read
`member`, one member from its start to its end, and `monitor`, which watches them all from the process that the user
started.
"""
