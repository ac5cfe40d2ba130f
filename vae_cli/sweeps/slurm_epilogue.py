"""The end of a Slurm job whose member was killed or cancelled: a result in its place, for submitit waits for one, without
end where Slurm keeps no accounts. The member's folder tells what became of it."""

import os
import pickle
import subprocess
from pathlib import Path


def main() -> None:
    log = Path("/proc/self/fd/1").readlink()  # the job's output, beside which submitit looks for its result
    result = log.with_name(log.name.replace("_log.out", "_result.pkl"))
    if not result.exists() and not _requeued():
        from hydra.core.utils import JobReturn, JobStatus

        partial = result.with_suffix(".tmp")
        partial.write_bytes(
            pickle.dumps(("success", JobReturn(_return_value=None, status=JobStatus.COMPLETED)))
        )
        partial.rename(result)


def _requeued() -> bool:
    """Slurm has counted one restart more than this one."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    # by SLURM_JOB_ID the last job of an array would be the whole array, whose number it has
    name = f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
    command = ["squeue", "--noheader", f"--jobs={name}", "--Format=restartcnt"]
    counted = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return counted != os.environ.get("SLURM_RESTART_COUNT", "0")


if __name__ == "__main__":
    main()
