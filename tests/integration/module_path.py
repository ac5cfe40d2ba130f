"""For the command server: lets a command import from a folder, as PYTHONPATH=FOLDER does."""

import sys


def install(folder: str) -> None:
    sys.path.insert(0, folder)
