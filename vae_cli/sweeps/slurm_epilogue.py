"""Runs at the end of each Slurm job, and writes an empty result if a killed or cancelled member left none.

submitit waits for the result of every job, and where Slurm does no accounting it waits forever. The empty result says
nothing about the member; its folder does.
"""

import os
import pickle
import subprocess
from pathlib import Path


def main() -> None:
    log = Path("/proc/self/fd/1").readlink()  # the output of the job; submitit looks for the result beside it
    result = log.with_name(log.name.replace("_log.out", "_result.pkl"))
    if not result.exists() and not _is_requeued():
        from hydra.core.utils import JobReturn, JobStatus

        empty = JobReturn(_return_value=None, status=JobStatus.COMPLETED)
        partial = result.with_suffix(".tmp")
        partial.write_bytes(pickle.dumps(("success", empty)))
        partial.rename(result)


def _is_requeued() -> bool:
    """Whether Slurm has put the job back into the queue: then it counts one restart more than this job has seen."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    # the SLURM_JOB_ID of an array's last job is the number of the array, and would mean all its jobs
    name = f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
    command = ["squeue", "--noheader", f"--jobs={name}", "--Format=restartcnt"]
    restarts = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return restarts != os.environ.get("SLURM_RESTART_COUNT", "0")


if __name__ == "__main__":
    main()
