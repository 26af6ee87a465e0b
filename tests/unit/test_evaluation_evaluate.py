import json
from dataclasses import replace
from functools import partial

import pytest
import torch

from orthogan import data
from orthogan.data.sets.mnist import stack
from orthogan.errors import ConfigError, ShapeError, UnknownNameError
from orthogan.evaluation import METRICS, Evaluation, LiveScore, Score, evaluate_images, sides
from orthogan.evaluation import cache as caches
from orthogan.evaluation import description as descriptions
from orthogan.evaluation.extractors.digits import DigitsExtractor
from orthogan.evaluation.metrics import Estimate
from orthogan.statistics import POSITIVE, SHARE, Interval, Range

DIGIT_METRICS = "class-kl coverage density fd[{}] kd[{}] memorised precision recall repeated"
SIZE = 800


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ORTHOGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def part(images, start, stop):
    return replace(
        images, images=images.images[start:stop].clone(), labels=images.labels[start:stop].clone()
    )


@pytest.fixture(scope="module")
def train():
    return data.load("mnist")


@pytest.fixture(scope="module")
def real(train):
    return part(train, 0, 4000)


@pytest.fixture(scope="module")
def held_out(train):
    return part(train, 4000, 4000 + SIZE)


@pytest.fixture(scope="module")
def fresh(train):
    return train.images[10_000 : 10_000 + SIZE]


@pytest.fixture(scope="module")
def name():
    return DigitsExtractor().name


def test_unseen_real_images_are_usable_and_score_the_floor(fresh, real, held_out, name):
    found = evaluate_images(fresh, real, held_out=held_out)
    assert sorted(found.scores) == DIGIT_METRICS.format(name, name).split()
    assert found.verdict.startswith("Usable: ")
    assert sum(found.class_shares) == pytest.approx(1)
    for label, score in found.scores.items():
        assert score.low <= score.value <= score.high, label
        assert score.n == SIZE
    for label in ("precision", "recall", "coverage"):
        assert found.scores[label].value == pytest.approx(found.scores[label].floor, abs=0.06)
    distance = found.scores[f"fd[{name}]"]
    assert distance.value == pytest.approx(distance.floor, rel=0.5)
    assert found.notes == ()


def test_the_result_is_json_of_the_documented_form(fresh, real, held_out, name):
    found = evaluate_images(fresh, real, held_out=held_out, metrics=["precision"])
    tree = json.loads(json.dumps(found.to_dict()))
    assert set(tree) == {"scores", "verdict", "extractor", "class_shares", "groups", "notes"}
    assert set(tree["scores"]["precision"]) == {"value", "low", "high", "floor", "n"}
    assert tree["extractor"] == name
    assert tree["verdict"].startswith("No verdict: recall, coverage, memorised not measured")


def test_a_collapsed_generator_is_called_collapsed(real, held_out, fresh, name):
    fake = fresh[:1].expand(SIZE, -1, -1, -1)
    found = evaluate_images(fake, real, held_out=held_out)
    assert found.verdict.startswith("Collapsed: ")
    assert found.scores[f"fd[{name}]"].value > 100 * found.scores[f"fd[{name}]"].floor
    assert found.scores[f"kd[{name}]"].low > found.scores[f"kd[{name}]"].floor
    assert found.scores["class-kl"].value > 2
    assert max(found.class_shares) == 1


def test_noise_is_called_not_realistic(real, held_out):
    noise = torch.randint(0, 256, (SIZE, 1, 28, 28), dtype=torch.uint8)
    names = ["precision", "coverage"]
    found = evaluate_images(noise, real, held_out=held_out, metrics=names)
    assert found.verdict.startswith("Not realistic: ")


def test_a_copycat_is_called_memorising(real, held_out):
    found = evaluate_images(real.images[:SIZE], real, held_out=held_out)
    assert found.verdict.startswith("Memorising: ")
    assert found.scores["memorised"].value > 0.99
    assert found.scores["memorised"].floor == 0


def test_missing_classes_are_named(train, real, held_out):
    later = part(train, 10_000, 13_000)
    fake = later.images[later.labels < 8][:SIZE]
    found = evaluate_images(fake, real, held_out=held_out)
    assert found.verdict.startswith("Short of classes: class 8 (")
    assert "class 9 (" in found.verdict


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(fresh, real):
    names = ["fd", "kd", "precision"]
    first, again, other = (
        evaluate_images(fresh, real, metrics=names, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.scores != other.scores


def test_without_held_out_images_part_of_the_real_set_gives_the_floors(fresh, real):
    found = evaluate_images(fresh, real)
    assert found.verdict.startswith("Usable: ")
    assert "800 real images with the other 3200" in found.notes[0]


def test_fewer_held_out_images_are_noted(fresh, real, held_out):
    found = evaluate_images(fresh, real, held_out=part(held_out, 0, 300), metrics=["recall"])
    assert "Floors use 300 real images, the scores 800" in found.notes[0]


def test_colours_that_no_score_notices_are_noted(fresh, real):
    def wide(pixels):
        return torch.nn.functional.pad(pixels, (2, 2, 2, 2)).repeat(1, 3, 1, 1)

    pictures = replace(real, images=wide(real.images), name="cats")
    found = evaluate_images(wide(fresh), pictures, metrics=["precision"], extractor="digits-cls")
    assert any("in grey: no score notices their colours" in note for note in found.notes)
    assert any("handwritten digits only" in note for note in found.notes)
    assert found.verdict.startswith("No verdict: the extractor knows handwritten digits only")


def test_the_extractor_is_chosen_by_the_data(fresh, real, name):
    assert evaluate_images(fresh[:200], real, metrics=["precision"]).extractor == name
    few = replace(part(real, 0, 200), name="somebody's digits")
    found = evaluate_images(fresh[:200], few, metrics=["precision"])
    assert found.extractor.startswith("general@")
    assert found.class_shares is None
    assert all(group.name.startswith("group ") for group in found.groups)


def test_classes_of_the_data_are_named_where_features_tell_them_apart(real):
    """Ones and zeros, known by their labels; the generator makes no ones."""
    both = real.labels < 2
    named = replace(
        real,
        images=real.images[both],
        labels=real.labels[both],
        class_names=("ring", "stroke"),
        name="shapes",
    )
    fakes = named.images[named.labels == 0][:150]
    found = evaluate_images(fakes, part(named, 300, 700), metrics=["precision"])
    assert [group.name for group in found.groups] == ["class ring", "class stroke"]
    assert found.groups[1].share < 0.02
    assert found.verdict.startswith("Short of classes: class stroke (")


def test_small_sets_are_scored_as_far_as_they_can_be(real, fresh):
    few = replace(part(real, 0, 24), name="drawings")
    found = evaluate_images(fresh[:200], few)
    assert {"precision", "recall", "coverage", "memorised"} <= set(found.scores)
    assert any(label.startswith("fd[general@") for label in found.scores)
    assert any("kd is left out" in note for note in found.notes)
    copies = evaluate_images(few.images.repeat(8, 1, 1, 1), few)
    assert copies.verdict.startswith("Memorising: ")
    with pytest.raises(ConfigError, match="kernel distance needs"):
        evaluate_images(fresh[:200], few, metrics=["kd"])


def test_of_a_large_set_a_part_is_described(monkeypatch, real, fresh):
    monkeypatch.setattr(sides, "part_of", partial(descriptions.part_of, most=100))
    many = replace(part(real, 0, 300), name="pictures")
    found = evaluate_images(fresh[:100], many, metrics=["precision"])
    assert "Of 300 real images, 100 drawn at random are used." in found.notes


def test_stacked_digits_are_read_plane_by_plane(train, name):
    real, fake = stack(part(train, 0, 4000), 800), stack(part(train, 4000, 8000), 400, seed=1)
    found = evaluate_images(fake.images, real)
    wanted = f"coverage density fd[{name}] kd[{name}] memorised mode-kl mode-kl-corrected modes"
    assert sorted(found.scores) == [*wanted.split(), "precision", "recall", "repeated"]
    modes = found.scores["modes"]
    assert modes.value == pytest.approx(len(fake.labels.unique()), abs=12)
    assert modes.floor == pytest.approx(modes.value, rel=0.15)
    assert modes.low <= modes.value <= modes.high <= 1000
    raw, corrected = found.scores["mode-kl"], found.scores["mode-kl-corrected"]
    assert raw.value - corrected.value == pytest.approx((modes.value - 1) / 800)
    assert found.class_shares is None
    assert any("Published mode counts use 26000 images, this 400" in n for n in found.notes)


def test_modes_need_stacked_digits(fresh, real):
    with pytest.raises(ConfigError, match="'modes' needs stacked digits"):
        evaluate_images(fresh, real, metrics=["modes"])


def test_names_with_the_extractor_are_understood(fresh, real, name):
    found = evaluate_images(fresh, real, metrics=[f"fd[{name}]", "fd"])
    assert list(found.scores) == [f"fd[{name}]"]


def test_names_with_another_extractor_are_refused(fresh, real):
    with pytest.raises(ConfigError, match=r"'fd\[inception@123456\]' names another extractor"):
        evaluate_images(fresh, real, metrics=["fd[inception@123456]"])


def test_unknown_names_suggest_the_nearest(fresh, real):
    with pytest.raises(UnknownNameError, match=r"Unknown metric 'presision'\. Did you mean"):
        evaluate_images(fresh, real, metrics=["presision"])
    with pytest.raises(UnknownNameError, match="Unknown extractor"):
        evaluate_images(fresh, real, extractor="inception")


def test_too_few_images_are_refused(fresh, real):
    with pytest.raises(ConfigError, match="needs at least 128 images, got 100"):
        evaluate_images(fresh[:100], real, metrics=["fd"])


def test_other_shapes_are_refused(fresh, real, held_out):
    with pytest.raises(ShapeError, match=r"generated images are \(1, 20, 20\)"):
        evaluate_images(fresh[:, :, 4:24, 4:24], real)
    smaller = replace(held_out, images=held_out.images[:, :, 4:24, 4:24])
    with pytest.raises(ShapeError, match="held-out images are"):
        evaluate_images(fresh, real, held_out=smaller)


def test_a_new_metric_is_one_function_and_one_decorator(fresh, real, scratch_registry):
    scratch_registry(METRICS)

    @METRICS.register("brightness", better="higher")
    def brightness(pair):
        value = float(pair.candidate.pixels.double().mean())
        return Estimate(value, Interval(value, value), len(pair.candidate))

    found = evaluate_images(fresh, real, metrics=["brightness"])
    assert found.scores["brightness"].value == pytest.approx(34, abs=3)
    assert found.scores["brightness"].floor == pytest.approx(34, abs=3)


def test_an_evaluation_shows_every_field():
    found = Evaluation({"fd": Score(1.0, 1.0, 1.0, 0.1, 100)}, "Usable.", "net@123456")
    assert found.to_dict()["scores"]["fd"]["floor"] == 0.1
    assert found.to_dict()["class_shares"] is None


def describe_again(images, monkeypatch):
    monkeypatch.setattr(descriptions, "_MEMORY", {})
    return descriptions.describe_set(images, DigitsExtractor())


def test_features_are_computed_once_then_read_from_the_cache(real, cache, monkeypatch):
    small = part(real, 0, 300)
    first = describe_again(small, monkeypatch)
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(descriptions, "describe_pixels", None)  # must not be called
    again = describe_again(small, monkeypatch)
    assert torch.equal(first.features, again.features)
    assert torch.equal(first.classes, again.classes)
    assert descriptions.describe_set(small, DigitsExtractor()) is again  # from memory


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign", "lacking"])
def test_a_damaged_cache_file_is_computed_again_and_mended(real, cache, monkeypatch, damage):
    small = part(real, 0, 200)
    first = describe_again(small, monkeypatch)
    (path,) = cache.iterdir()
    good = path.read_bytes()
    lacking = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    lacking = len(lacking).to_bytes(8, "little") + lacking + b"0"
    path.write_bytes(
        {
            "flip": good[:-1] + bytes([good[-1] ^ 1]),
            "cut": good[:100],
            "empty": b"",
            "foreign": caches._digest(b"nonsense") + b"nonsense",
            "lacking": caches._digest(lacking) + lacking,
        }[damage]
    )
    again = describe_again(small, monkeypatch)
    assert torch.equal(first.features, again.features)
    assert path.read_bytes() == good


def test_a_cache_of_other_images_is_not_used(real, cache, monkeypatch):
    few, many = part(real, 0, 100), part(real, 0, 120)
    describe_again(few, monkeypatch)
    (stored,) = cache.iterdir()
    content = stored.read_bytes()
    describe_again(many, monkeypatch)
    (other,) = (path for path in cache.iterdir() if path != stored)
    other.write_bytes(content)
    assert len(describe_again(many, monkeypatch).features) == 120


def test_a_cache_folder_that_cannot_be_written_costs_a_warning(real, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ORTHOGAN_CACHE", str(tmp_path / "file" / "below"))
    with pytest.warns(UserWarning, match="cannot be kept for next time"):
        found = describe_again(part(real, 0, 50), monkeypatch)
    assert len(found.features) == 50


def test_the_memory_keeps_few_sets(real, monkeypatch):
    monkeypatch.setattr(descriptions, "_MEMORY", {})
    for start in range(0, 10 * (descriptions.KEPT_IN_MEMORY + 2), 10):
        descriptions.describe_set(part(real, start, start + 10), DigitsExtractor())
    assert len(descriptions._MEMORY) == descriptions.KEPT_IN_MEMORY


def test_the_cache_lies_in_the_home_folder_unless_told(monkeypatch, tmp_path):
    monkeypatch.delenv("ORTHOGAN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caches.cache_folder() == tmp_path / ".cache" / "orthogan"


def test_a_live_score_follows_quality_and_classes(real, fresh, name):
    live = LiveScore(real, num_fakes=500)
    good, bad = live.read(fresh), live.read(fresh[:1].expand(500, -1, -1, -1))
    assert live.name == f"fd[{name}]"
    assert good.distance == pytest.approx(live.floor, rel=0.6)
    assert bad.distance > 50 * good.distance
    assert max(bad.class_shares) == 1
    assert sum(good.class_shares) == pytest.approx(1)
    assert live.distance(fresh) == good.distance


def test_a_live_score_refuses_other_images(real, fresh):
    live = LiveScore(real, num_fakes=500)
    with pytest.raises(ConfigError, match="takes 500 images, got 499"):
        live.read(fresh[:499])
    with pytest.raises(ShapeError, match=r"\(1, 20, 20\)"):
        live.read(fresh[:, :, 4:24, 4:24])


def test_intervals_stay_where_scores_can_lie(monkeypatch, fresh, real):
    """Every registered range is that of its values; intervals are cut to it, but hold the value."""
    ranges = {name: METRICS[name].within for name in METRICS}
    shares = {name for name, each in ranges.items() if each == SHARE}
    assert shares == {
        "precision",
        "recall",
        "coverage",
        "memorised",
        "repeated",
        "classifier-accuracy",
    }
    unbiased = {name for name, each in ranges.items() if each.is_unbiased}
    assert unbiased == {"kd", "class-kl", "mode-kl-corrected"}
    assert {ranges[name] for name in ("fd", "density", "mode-kl")} == {POSITIVE}
    assert ranges["modes"] == Range(0.0, 1000.0)
    for name, value in (("fd", 0.5), ("recall", 0.5), ("kd", -0.5)):
        wide = Estimate(value, Interval(-3.0, 2000.0), 10, floor=0.0)
        changed = replace(METRICS[name], compute=lambda _pair, wide=wide: wide)
        monkeypatch.setitem(METRICS._parts, name, changed)
    found = evaluate_images(fresh, real, metrics=["fd", "recall", "kd"]).scores.values()
    assert [(each.low, each.high) for each in found] == [(0, 2000), (0, 1), (-0.5, 2000)]
