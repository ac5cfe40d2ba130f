"""Published data files: found in a folder, downloaded when they are missing, read packed or unpacked.

pooch downloads: checksums, retries, the progress bar.
"""

import gzip
import logging
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from vae_cli.errors import UserError

TIMEOUT = 30  # seconds without an answer


class PublishedFiles(NamedTuple):
    """Files that several servers offer.

    mirrors     URLs of folders, tried in this order
    checksums   name of a file → checksum of what is downloaded for it, "md5:…" or "sha256:…"
    packed      the mirrors serve NAME.gz instead of NAME
    """

    mirrors: tuple[str, ...]
    checksums: dict[str, str]
    packed: bool = False

    def find(self, folder: Path) -> list[Path]:
        """The path of each file in `folder`, NAME or NAME.gz, after downloading those that are missing.

        Raises UserError where a download fails; the folder then has the files that it had before.
        """
        if missing := [name for name in self.checksums if _existing(folder, name) is None]:
            self._download(folder, missing)
        return [path for name in self.checksums if (path := _existing(folder, name))]

    def _download(self, folder: Path, names: list[str]) -> None:
        """Downloads into a temporary folder beside the final place, and moves whole files at the end."""
        try:
            with _folder(folder), tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as temporary:
                for file in [self._fetch(name, Path(temporary)) for name in names]:
                    file.replace(folder / file.name)
        except OSError as error:
            raise UserError(
                f"{folder} lacks {', '.join(names)}, and the download failed ({error}); "
                "put the files there (NAME or NAME.gz), or say by data.root=FOLDER where they are"
            ) from error

    def _fetch(self, name: str, folder: Path) -> Path:
        """Downloads one file from the first mirror that has it. Raises OSError with the reason of each mirror."""
        import pooch  # here, because a run that has all files need not spend 0.1 s on it

        shows_progress = sys.stderr.isatty()
        pooch.get_logger().setLevel(logging.INFO if shows_progress else logging.WARNING)
        served = f"{name}.gz" if self.packed else name
        unpack = pooch.Decompress(method="gzip", name=name) if self.packed else None
        downloader = pooch.HTTPDownloader(progressbar=shows_progress, timeout=TIMEOUT)
        failures = []
        for mirror in self.mirrors:
            source = pooch.create(
                folder, base_url=mirror, registry={served: self.checksums[name]}, retry_if_failed=1
            )
            try:
                return Path(source.fetch(served, processor=unpack, downloader=downloader))
            except (OSError, ValueError) as error:  # ValueError: pooch found another checksum
                failures.append(f"{mirror}{served}: {_reason(error)}")
        raise OSError("; ".join(failures))


def read(path: Path) -> bytes:
    """The content of a file, unpacked if its name ends in .gz."""
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is truncated or corrupt ({error}); delete it") from error


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Create a folder. If an exception ends this, the folders that were created are removed while they are empty."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # another process may have put its files there
            for each in missing:
                each.rmdir()
        raise


def _existing(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.exists()), None)


def _reason(error: BaseException) -> str:
    """The message of the first cause: requests wraps "Name or service not known" in four further exceptions."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return " ".join(str(error).split())[:150] or type(error).__name__
