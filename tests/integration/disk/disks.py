"""Small file systems of their own for the trials: one in memory, whose room can be changed, and one on a loop device, which
can fail. Both need the right to mount."""

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

BLOCK = 4096
SHUT_DOWN = 0x8004587D  # the ioctl of ext4 that ends all input and output, EXT4_IOC_SHUTDOWN
WITHOUT_THE_JOURNAL = 2  # as when the power goes: what was not synced is lost


def why_not() -> str | None:
    """Why no file system can be mounted here; None if it can."""
    if not shutil.which("mkfs.ext4"):
        return "needs mkfs.ext4"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with Memory(Path(folder) / "memory"), Device(Path(folder) / "device"):
                return None
        except subprocess.CalledProcessError as error:
            return f"needs the right to mount: {error.stderr.strip()}"


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)


class Memory:
    """A tmpfs, without bounds at first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> "Memory":
        self.path.mkdir()
        _run("mount", "-t", "tmpfs", "-o", "size=256m,nr_inodes=100k", "tmpfs", str(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", "--lazy", str(self.path))

    def sync(self) -> None:
        """It is in memory."""

    def leave_bytes(self, free: int) -> None:
        """Tasks that write meanwhile may make it fail."""
        found = os.statvfs(self.path)
        blocks = found.f_blocks - found.f_bfree + max(1, free // BLOCK)  # size=0 would be without bounds
        self._remount(f"size={blocks * BLOCK}")

    def leave_inodes(self, free: int) -> None:
        found = os.statvfs(self.path)
        self._remount(f"nr_inodes={found.f_files - found.f_ffree + free}")

    def read_only(self) -> None:
        self._remount("ro")

    def make_room(self) -> None:
        self._remount("rw,size=256m,nr_inodes=100k")

    def _remount(self, options: str) -> None:
        _run("mount", "-o", f"remount,{options}", str(self.path))


class Device:
    """An ext4 in a file."""

    def __init__(self, path: Path) -> None:
        self.path, self._image = path, path.with_suffix(".image")

    def __enter__(self) -> "Device":
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(2**25)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", "--lazy", str(self.path))
        self._image.unlink()

    def sync(self) -> None:
        _run("sync", "-f", str(self.path))

    def cut_power(self) -> None:
        """Nothing more is read or written, and what is not on the disk is lost."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUT_DOWN, struct.pack("I", WITHOUT_THE_JOURNAL))
        finally:
            os.close(folder)

    def fail(self) -> None:
        """The kernel finds an error, and makes the file system read-only."""
        source = subprocess.run(
            ["findmnt", "-n", "-o", "SOURCE", str(self.path)], check=True, capture_output=True, text=True
        )
        name = Path(source.stdout.strip()).name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1")

    def repair(self) -> None:
        _run("umount", str(self.path))
        subprocess.run(["e2fsck", "-fy", str(self._image)], check=False, capture_output=True)
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.path))
