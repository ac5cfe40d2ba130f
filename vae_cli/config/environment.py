"""Environment variables that are set to nothing mean what unset ones do, as for most programs. Imports nothing."""

import os

# not CUDA_VISIBLE_DEVICES, which hides all GPUs where it is empty
VARIABLES = (
    "HOME", "TMPDIR", "XDG_CACHE_HOME", "VAE_CLI_DATA", "OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK", "SLURM_JOB_ID", "CC", "CXX",
    "TORCHINDUCTOR_CACHE_DIR", "MPLBACKEND", "MPLCONFIGDIR",
)  # fmt: skip


def unset_empty() -> None:
    """Call it before anything reads them."""
    for name in VARIABLES:
        if os.environ.get(name) == "":
            del os.environ[name]
