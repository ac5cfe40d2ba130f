"""What a configuration may be: one frozen pydantic model per option, and the roles of their keys.

This is the single source of truth about keys. From the fields follow the checks, the error messages, the
constructor arguments, what a resumed run may change, what the members of a pack may differ in, what a comparison
shows and how a member's folder is named. May import `vae_cli.errors` and pydantic alone. Begin with `run.py`
(a whole run), then `part.py` (one option of a group); one file per group follows.
"""
