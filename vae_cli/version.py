"""The version of this package, and those of what it runs on."""

import platform

__version__ = "0.1.0"


def versions() -> dict[str, str]:
    import torch  # here: the version alone is asked for without torch

    return {"vae-cli": __version__, "python": platform.python_version(), "torch": torch.__version__}
