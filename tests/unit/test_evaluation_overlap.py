import pytest
import torch

from orthogan import data
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.evaluation import METRICS
from orthogan.evaluation.comparison import Comparison, Sample
from orthogan.evaluation.extractors.digits import DigitsExtractor
from orthogan.evaluation.manifold import Overlap, overlap
from orthogan.evaluation.neighbours import nearest_distances, squared_radii


def cloud(n, width=6, seed=0, shift=0.0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed)) + shift


def shares(fake, real, k=5):
    found = overlap(fake, real, k)
    members = (found.precise, found.recalled, found.density, found.covered)
    return [float(values.double().mean()) for values in members]


def test_radii_on_a_line_are_known():
    points = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert squared_radii(points, 1).tolist() == [1, 1, 4, 16]
    assert squared_radii(points, 2).tolist() == [9, 4, 9, 36]


def test_nearest_distances_on_a_line_are_known():
    first, last = nearest_distances(torch.tensor([[1.0]]), torch.tensor([[0.0], [1.0], [5.0]]), 3)
    assert first.tolist() == [0]
    assert last.tolist() == [4]


def test_as_many_neighbours_as_points_are_refused():
    with pytest.raises(ConfigError, match="need more than 5 images, got 5"):
        squared_radii(cloud(5), 5)


def test_different_widths_are_refused():
    with pytest.raises(ShapeError, match="3 != 6"):
        overlap(cloud(50, width=3), cloud(50))


def test_a_set_overlaps_itself_entirely():
    real = cloud(300)
    precise, recalled, density, covered = shares(real, real)
    assert (precise, recalled, covered) == (1, 1, 1)
    assert density > 1


def test_the_same_law_has_a_density_near_one():
    precise, recalled, density, covered = shares(cloud(1500), cloud(1500, seed=1))
    assert 0.8 < precise < 1
    assert 0.8 < recalled < 1
    assert density == pytest.approx(1, abs=0.06)
    # Naeem et al. 2020, lemma 2: 1 - 2^-5 to first order for k = 5 and equal sizes.
    assert covered == pytest.approx(1 - 2**-5, abs=0.015)


def test_sets_far_apart_do_not_overlap():
    assert shares(cloud(100), cloud(100, shift=50.0)) == [0, 0, 0, 0]


def test_a_collapsed_set_is_precise_but_covers_nothing():
    real = cloud(500)
    fake = real[:1] + 1e-3 * cloud(500, seed=1)
    precise, recalled, _, covered = shares(fake, real)
    assert precise == 1
    assert recalled < 0.02
    assert covered < 0.1


def test_recall_and_precision_are_not_each_other():
    real = cloud(500)
    narrow = shares(real[:1] + 1e-3 * cloud(500, seed=1), real)
    wide = shares(real, real[:1] + 1e-3 * cloud(500, seed=1))
    assert narrow[0] > 0.9 > 0.1 > narrow[1]
    assert wide[1] > 0.9 > 0.1 > wide[0]


def test_ten_copies_of_each_picture_score_zero_in_any_order():
    pictures = data.load("mnist").images[:60].repeat(10, 1, 1, 1)
    extractor = DigitsExtractor()
    real = extractor.features(pictures)
    for order in (torch.arange(600), torch.arange(600).flip(0), torch.randperm(600)):
        assert shares(extractor.features(pictures[order]), real) == [0, 0, 0, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("side", [0, 1])
def test_features_that_are_not_finite_are_refused(bad, side):
    sets = [cloud(50), cloud(50, seed=1)]
    sets[side][3, 2] = bad
    with pytest.raises(DataError, match="NaN or infinite"):
        overlap(*sets)


@pytest.mark.parametrize("counts", [(0, 50), (50, 0), (5, 50), (50, 5)])
def test_too_few_images_on_either_side_are_refused(counts):
    with pytest.raises(ConfigError, match=f"need more than 5 images, got {min(counts)}"):
        overlap(cloud(counts[0]), cloud(counts[1], seed=1))


def test_each_metric_reads_its_own_part():
    """Each member differs in its share, and in how many images it is a share of."""
    parts = Overlap(
        precise=torch.tensor([True, True, True, False]),
        recalled=torch.tensor([True, False, False, False, False]),
        density=torch.tensor([0.2, 0.4, 1.8, 0.8]),
        covered=torch.tensor([True, True, False, False, False]),
    )
    sample = Sample(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), cloud(4), torch.zeros(4).long())
    pair = Comparison(sample, sample, sample, sample, 2, 0)
    vars(pair)["overlap"] = parts  # where the real one would be kept
    found = {name: METRICS[name].compute(pair) for name in ("precision", "recall", "coverage")}
    values = {name: (each.value, each.n) for name, each in found.items()}
    assert values == {"precision": (0.75, 4), "recall": (0.2, 5), "coverage": (0.4, 5)}
    density = METRICS["density"].compute(pair)
    assert (density.value, density.n) == (pytest.approx(0.8), 4)
