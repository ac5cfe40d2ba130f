"""The run folder: what training leaves behind, and everything that other commands know about it.

May import `errors`, `version` and `config`. torch is imported inside the functions of `checkpoint` and `events` only, so that
`vae-compare` and the first process of a sweep start without it. Begin with `folder.py`, which names every file.
"""
