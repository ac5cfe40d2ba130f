"""Grids of images."""

import numpy as np
import pytest
import torch

from vae_cli.reporting import plots


def test_a_grid_has_whole_images_between_grey_lines():
    images = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, -1.0]])  # the last is clipped
    picture = plots.grid(images, (1, 1, 2), 2)
    gap = round(255 * plots.GAP)
    rows = [
        [gap] * 7,
        [gap, 0, 255, gap, 255, 0, gap],
        [gap] * 7,
        [gap, 255, 0, gap, gap, gap, gap],
        [gap] * 7,
    ]
    assert (picture == np.array(rows)[:, :, None]).all() and picture.dtype == np.uint8
    assert (plots.grid(images, (1, 1, 2), 2, 3) == picture.repeat(3, 0).repeat(3, 1)).all()


@pytest.mark.parametrize(("channels", "shown"), [(2, (0, 0, 0)), (3, (0, 1, 2)), (4, (0, 1, 2))])
def test_a_grid_shows_three_channels_in_colour_and_else_the_first(channels, shown):
    values = torch.tensor([0.2, 0.4, 0.6, 0.8])[:channels]
    pixel = plots.grid(values[None], (channels, 1, 1), 1)[1, 1]
    assert pixel.tolist() == [round(255 * values[i].item()) for i in shown]


def test_signed_differences_are_blue_white_and_red():
    """White where two images are equal; outside [−1, 1] it is clipped."""
    colours = plots.signed(torch.tensor([[-1.0, 0.0, 1.0, -5.0, 5.0]]))
    assert colours.shape == (1, 3, 5)
    (red, _, blue), white = colours[0, :, [0, 2]], colours[0, :, 1]
    assert blue[0] > red[0] and red[1] > blue[1] and (white > 0.95).all()
    assert torch.equal(colours[..., 3:], colours[..., [0, 2]])


def test_magnification_is_whole_and_brings_grids_near_their_width():
    for columns in (1, 3, 10, 20, 400):
        for width in (1, 24, 28, 500):
            factor = plots.magnification(columns, width, 840)
            assert isinstance(factor, int) and 1 <= factor <= 4
            assert factor in (1, 4) or abs(factor * columns * (width + 1) - 840) <= columns * (width + 1) / 2
    assert plots.magnification(20, 28, 840) == 1 and plots.magnification(3, 24, 260) == 3
    assert plots.magnification(1, 28) == 4  # one image is not blown up
