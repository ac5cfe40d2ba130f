"""The run folder: what a training leaves behind, and all that other commands know of it.

May import `errors`, `version` and `config`. torch is imported inside the functions of `checkpoint` only, so that
`vae-compare` and a sweep's first process work without it. Begin with `folder.RunFolder`, which names every file.
"""
