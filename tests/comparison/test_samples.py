"""The samples of members side by side."""

import numpy as np
from comparison.sweeps import tabulate
from PIL import Image
from runs.synthetic import write_run

from vae_cli.comparison.samples import TILE, samples, trimmed


def test_title_margins_and_images_beyond_ten_are_cut_off():
    image = np.full((200, 150, 3), 255, np.uint8)
    image[20:181, 10:131] = 0
    image[20:181:8, 10:131] = image[20:181, 10:131:8] = 191
    assert trimmed(image).shape == (81, 81, 3)
    assert (trimmed(image)[[0, -1]] == 191).all()


def test_lines_of_several_pixels_are_found():
    image = np.zeros((64, 64, 3), np.uint8)
    for start in (10, 30, 50):
        image[start : start + 2] = image[:, start : start + 2] = 191
    assert trimmed(image).shape == (41, 41, 3)


def test_a_picture_without_lines_stays_whole():
    assert trimmed(np.zeros((9, 9, 3), np.uint8)).shape == (9, 9, 3)


def test_members_without_readable_samples_are_left_out(tmp_path):
    for i in range(6):
        write_run(tmp_path / f"{i}", batch_size=i + 1, pictures=i < 5)
    (tmp_path / "0/figures/samples.png").write_bytes(b"half")
    table = tabulate(tmp_path)
    assert "with its name and its test.nll" in samples(table, tmp_path / "samples.png")
    with Image.open(tmp_path / "samples.png") as image:
        assert image.width > TILE and image.height < 2 * TILE  # four in one row
    for i in range(5):
        (tmp_path / f"{i}/figures/samples.png").unlink()
    assert samples(table, tmp_path / "none.png") is None
