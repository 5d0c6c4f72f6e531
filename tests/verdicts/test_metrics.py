import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from inspector.verdicts import metrics

few_scores = hnp.arrays(np.float32, st.integers(2, 40), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9]))


@st.composite
def scored(draw):
    scores = draw(few_scores)
    labels = draw(hnp.arrays(np.bool_, scores.shape))
    labels[0], labels[-1] = True, False
    return scores, labels


@st.composite
def mapped(draw):
    """A few small maps with many ties, and masks with at least one region and one normal pixel."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(2, 7)), draw(st.integers(2, 7)))
    maps = draw(hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 1.0])))
    masks = draw(hnp.arrays(np.bool_, shape))
    masks[0, 0, 0], masks[-1, -1, -1] = True, False
    return maps, masks


def brute_aupro(maps, masks, limit):
    """Threshold by threshold, region by region."""
    points = [(0.0, 0.0)]
    normal = ~masks
    for threshold in sorted(set(maps.ravel().tolist()), reverse=True):
        above = maps >= threshold
        overlaps = []
        for one, mask in zip(above, masks, strict=True):
            labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
            overlaps += [one[labels == index].mean() for index in range(1, count + 1)]
        points.append(((above & normal).sum() / normal.sum(), float(np.mean(overlaps))))
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 >= limit:
            break
        if x1 > limit:
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            x1 = limit
        area += (x1 - x0) * (y0 + y1) / 2
    return area / limit


@given(scored())
def test_image_figures_agree_with_scikit_learn_also_under_ties(case):
    scores, labels = case
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    figures = metrics.image_figures(scores, labels)
    assert figures["image_auroc"] == pytest.approx(roc_auc_score(labels, scores))
    assert figures["image_ap"] == pytest.approx(average_precision_score(labels, scores))
    assert figures["image_f1"] == pytest.approx(f1)
    assert figures["image_auroc"] == metrics.image_auroc(scores, labels)


@given(mapped())
def test_pixel_figures_are_the_image_figures_of_all_pixels(case):
    maps, masks = case
    figures = metrics.read_pixels(list(maps), list(masks)).figures
    every = metrics.image_figures(maps.ravel(), masks.ravel())
    assert [figures[f"pixel_{name}"] for name in ("auroc", "ap", "f1")] == [*every.values()]
    assert figures["pixel_auroc"] == metrics.pixel_auroc(maps, masks)
    assert figures["aupro"] == metrics.aupro(maps, masks)


@settings(max_examples=200)
@given(mapped(), st.sampled_from([0.05, 0.3, 0.5, 1.0]))
def test_aupro_agrees_with_going_through_every_threshold_and_region(case, limit):
    maps, masks = case
    assert metrics.aupro(maps, masks, limit) == pytest.approx(brute_aupro(maps, masks, limit))


@given(mapped())
def test_aupro_keeps_when_the_scale_of_the_map_changes(case):
    maps, masks = case
    assert metrics.aupro(maps * 3 + 1, masks) == pytest.approx(metrics.aupro(maps, masks))


def test_a_map_equal_to_the_mask_is_perfect_and_its_inverse_is_worst():
    masks = np.zeros((2, 16, 16), bool)
    masks[0, 2:5, 2:9] = masks[1, 10:12, 3] = True
    best = metrics.read_pixels(list(masks.astype(np.float32)), list(masks)).figures
    assert best == pytest.approx(dict.fromkeys(metrics.PIXEL_FIGURES, 1.0))
    assert metrics.aupro(list(1.0 - masks), list(masks)) == 0.0


def test_a_small_region_weighs_as_much_as_a_large_one():
    mask = np.zeros((20, 20), bool)
    mask[:10, :10] = True
    mask[15, 15] = True
    large_found = np.zeros((20, 20), np.float32)
    large_found[:10, :10] = 1.0
    small_found = np.zeros((20, 20), np.float32)
    small_found[15, 15] = 1.0
    expected = metrics.aupro([large_found], [mask])
    assert metrics.aupro([small_found], [mask]) == pytest.approx(expected)


def test_diagonal_neighbours_are_one_region():
    mask = np.eye(6, dtype=bool)
    scores = np.zeros((6, 6), np.float32)
    scores[0, 0] = 1.0
    fpr, pro = metrics.pro_curve([scores], [mask])
    assert pro[fpr == 0].max() == pytest.approx(1 / 6)


def test_figures_without_both_kinds_are_not_a_number():
    assert np.isnan(metrics.image_auroc([0.1, 0.2], [0, 0]))
    assert all(np.isnan(value) for value in metrics.image_figures([0.1, 0.2], [0, 0]).values())
    assert all(np.isnan(value) for value in metrics.image_figures([], []).values())
    assert np.isnan(metrics.aupro([np.zeros((3, 3))], [np.zeros((3, 3))]))
    assert np.isnan(metrics.aupro([np.zeros((3, 3))], [np.ones((3, 3))]))


def test_scores_that_are_not_numbers_and_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="not a number"):
        metrics.image_auroc([0.1, float("nan")], [0, 1])
    with pytest.raises(ValueError, match="3 scores for 2 labels"):
        metrics.image_auroc([1, 2, 3], [0, 1])
    with pytest.raises(ValueError, match="its mask"):
        metrics.pixel_auroc([np.zeros((3, 4))], [np.zeros((4, 3))])


@given(scored(), st.integers(2, 10))
def test_a_thinned_curve_keeps_both_ends_and_never_grows(case, points):
    ranking = metrics.rank(*case)
    x, y = metrics.roc_curve(ranking, points)
    assert len(x) == len(y) <= points
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
