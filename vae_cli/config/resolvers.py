"""OmegaConf resolvers that our YAML files use. `register` makes them known; every process that resolves them calls it."""

import hashlib
import os
import re
import shlex
import sys
from functools import cache

from omegaconf import OmegaConf

from vae_cli.config.hardware import gpu_share, parallel_jobs


def register() -> None:
    OmegaConf.register_new_resolver("member", member_name, replace=True)
    OmegaConf.register_new_resolver("python", lambda: shlex.quote(sys.executable), replace=True)
    # cached, so that a launcher's workers get the folder of the user, not their own
    OmegaConf.register_new_resolver("here", os.getcwd, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("parallel_jobs", parallel_jobs, replace=True)
    OmegaConf.register_new_resolver("gpu_share", gpu_share, replace=True)


def member_name(overrides: str, sweep: str = "") -> str:
    """The folder name of a sweep's member from its overrides: each key by its last part, safe characters only, with a hash
    where characters had to be replaced or the name would be too long. The experiment that gave the sweep its name is left
    out."""
    own = ",".join(part for part in overrides.split(",") if part != f"experiment={sweep}")
    short = (
        re.sub(r"(?:^|(?<=,))[\w.]+(?==)", lambda key: _short_keys().get(key[0], key[0]), own) or "defaults"
    )
    safe = re.sub(r"[^\w.,=+-]", "_", short, flags=re.ASCII)
    if safe == short and len(safe) <= 150:
        return safe
    return f"{safe[:140]}_{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"


@cache
def _short_keys() -> dict[str, str]:
    """Key → its last part, for the first key that has it."""
    from vae_cli.config.schema.keys import roles  # here: a single run does not name members
    from vae_cli.config.schema.run import GROUPS

    first = {key.rpartition(".")[2]: key for key in reversed(roles())}
    return {key: last for last, key in first.items() if last not in GROUPS}
