import pytest
import torch
from scipy.ndimage import gaussian_filter

from inspector.methods.smoothing import MEMORY_CUT, PROMPT_CUT, SIDE, blur, smoothed


@pytest.mark.parametrize("cut", [MEMORY_CUT, PROMPT_CUT])
@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.5, 30.0])
@pytest.mark.parametrize("shape", [(60, 60), (56, 56), (30, 45)])
def test_smoothing_is_a_gaussian_with_mirrored_borders(cut, sigma, shape):
    planes = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    found = smoothed(planes, sigma, cut=cut)
    cells = [sigma * side / SIDE for side in shape]
    reach = [min(round(cut * one), side - 1) for one, side in zip(cells, shape, strict=True)]
    wanted = gaussian_filter(planes[1].numpy(), cells, mode="mirror", radius=reach)
    assert found[1].numpy() == pytest.approx(wanted, abs=1e-5)


def test_a_smoothed_constant_stays_and_no_smoothing_changes_nothing():
    assert torch.allclose(smoothed(torch.full((1, 7, 7), 0.3), 4.0), torch.full((1, 7, 7), 0.3))
    planes = torch.rand(1, 5, 5)
    assert smoothed(planes, 0.0) is planes
    assert torch.equal(blur(5, 0.0, 3.0), torch.eye(5))
    assert torch.equal(smoothed(torch.full((1, 1, 1), 0.3), 1.0), torch.full((1, 1, 1), 0.3))
