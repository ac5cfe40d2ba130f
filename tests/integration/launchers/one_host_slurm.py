"""A real Slurm for the tests. Its only node is this machine, on the loopback interface; its files are in one folder."""

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "squeue")
PACKAGES = "slurm-wlm munge"

CONFIGURATION = """
ClusterName=test
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
KillWait=5
NodeName={node} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes={node} Default=YES State=UP
"""


def missing() -> str | None:
    """Why Slurm cannot be started here; None where it can."""
    if absent := [name for name in PROGRAMS if not find(name)]:
        return f"Slurm is not installed (no {absent[0]}): apt-get install --no-install-recommends {PACKAGES}"
    return None if os.geteuid() == 0 else "only root can start Slurm's daemons"


def find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def run(*words: str, environment: dict[str, str]) -> str:
    done = subprocess.run([find(words[0]) or words[0], *words[1:]], env=environment, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@contextmanager
def one_host_slurm(root: Path) -> Iterator[dict[str, str]]:
    """Start the cluster. Yields the environment in which sbatch finds it. All users must be able to read the folders
    above `root`."""
    node = platform.node().partition(".")[0]
    for name in ("state", "spool", "munge"):
        (root / name).mkdir(parents=True)
    (root / "munge").chmod(0o700)
    key = root / "munge/key"
    key.touch(0o600)
    key.write_bytes(os.urandom(1024))
    (root / "slurm.conf").write_text(CONFIGURATION.format(node=node, root=root, ports=free_ports(2)))
    environment = os.environ | {"SLURM_CONF": f"{root}/slurm.conf"}
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    options = [f"--{option}={root}/munge/{file}" for option, file in files.items()]
    try:
        run("munged", "--force", *options, environment=environment)
        run("slurmctld", environment=environment)
        run("slurmd", "-N", node, environment=environment)
        end = time.monotonic() + 30
        while "idle" not in (state := run("sinfo", "-h", "-o", "%T", environment=environment)):
            assert time.monotonic() < end, f"the node is {state!r}: {(root / 'slurmctld.log').read_text()}"
            time.sleep(0.2)
        yield environment
        run("scancel", "--user=root", environment=environment)
        time.sleep(1)
    finally:
        for file in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
            if (root / file).exists():
                subprocess.run(["kill", (root / file).read_text().strip()], check=False)
