"""The classifier's trainer: same bits, restores, every setting does something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from orthogan.attention import score_names
from orthogan.classification import api as classifiers
from orthogan.classification import trainer as module
from orthogan.classification.examples import Split, load_split
from orthogan.classification.passes import probabilities
from orthogan.classification.scoring import score_answers
from orthogan.classification.trainer import ClassifierTrainer, follow
from orthogan.data import Order
from orthogan.errors import DivergedError
from orthogan.models.bundle.tensors import digest, pack
from orthogan.training.precision import has_native_bfloat16, resolve_precision

CPU = torch.device("cpu")
PRECISIONS = ["float32"] + ["bfloat16"] * has_native_bfloat16(CPU)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def make(tiny_file: Path, tiny_classifier: tuple[str, ...]) -> Callable[..., ClassifierTrainer]:
    lessons: dict[int, Split] = {}

    def trainer(*settings: str, seed: int = 0, split: Split | None = None) -> ClassifierTrainer:
        config = classifiers.resolve_classification(
            tiny_file, images=640, seed=seed, settings=(*tiny_classifier, *settings)
        )
        if seed not in lessons:
            lessons[seed] = load_split(config.data, seed)
        return ClassifierTrainer(config, (split or lessons[seed]).train, CPU)

    return trainer


def advance(trainer: ClassifierTrainer, steps: int) -> ClassifierTrainer:
    for _ in range(steps):
        trainer.step((trainer.images_seen + 16) / 640)
    return trainer


def bits(trainer: ClassifierTrainer) -> str:
    return digest(pack(trainer.tensors()))


def saved(trainer: ClassifierTrainer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}, trainer.state()


def test_the_seed_decides_every_bit(make) -> None:
    first = bits(advance(make(), 4))
    assert bits(advance(make(), 4)) == first
    assert bits(advance(make(seed=1), 4)) != first


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("stem", ["convolutional", "patch", "both"])
def test_a_restored_trainer_continues_bit_for_bit(make, stem: str, precision: str) -> None:
    settings = (f"precision={precision}", f"network.stem={stem}")
    whole = advance(make(*settings), 5)
    tensors, state = saved(whole)
    advance(whole, 9)  # into the second epoch
    rest = make(*settings)
    rest.restore(tensors, state)
    assert rest.images_seen == 5 * 16
    assert bits(advance(rest, 9)) == bits(whole)


def test_statistics_of_tokens_are_taken_once_and_restored(make) -> None:
    settings = [
        f"network.{each}"
        for each in (
            "keys=whitened",
            "positions=sinusoidal",
            "position_mode=orthogonal",
            "stem=patch",
        )
    ]
    whole = make(*settings)
    keys = whole.network.blocks[0].attention.keys
    assert int(keys.count) == len(whole.order.batch(0, whole.order.num_images)) * 17
    tensors, state = saved(advance(whole, 3))
    rest = make(*settings)
    rest.restore(tensors, state)
    assert bits(advance(rest, 3)) == bits(advance(whole, 3))
    codes = [network.positions.codes for network in (whole.network, whole.average)]
    assert torch.equal(*codes)
    again = whole.config.network.build()
    again.load_state_dict(whole.average.state_dict())
    again.to(memory_format=torch.channels_last)  # as trained: kernels round by the layout
    shown = torch.ones(2, 1, 16, 16)
    assert torch.equal(again.eval()(shown), whole.average(shown))


def test_global_random_generators_stay_untouched(make) -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is watched
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    trainer = advance(make(), 2)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    torch.manual_seed(4)  # and nothing reads it either
    assert bits(trainer) == bits(advance(make(), 2))


def test_a_batch_depends_on_the_seed_and_the_count_alone(make) -> None:
    shown: list[torch.Tensor] = []
    walked, jumped, other = make(), make(), make(seed=1)
    for trainer in (walked, jumped, other):
        trainer.network.register_forward_pre_hook(lambda _, args: shown.append(args[0]))
    advance(walked, 14)
    for trainer in (jumped, other):
        trainer.images_seen = 13 * 16
        trainer.step(0.5)
    assert torch.equal(shown[14], shown[13])
    assert len({tensor.numpy().tobytes() for tensor in shown}) == 15


def test_every_batch_is_distorted_its_own_way(make) -> None:
    trainer = make()
    trainer.images = trainer.images[:1].expand_as(trainer.images)  # of one picture
    shown = []
    for trainer.images_seen in (0, 16, 320):
        shown += list(trainer._batch()[0])
    assert len({image.numpy().tobytes() for image in shown}) == 48


def test_images_and_labels_go_together(make) -> None:
    trainer = make("distortion.strength=0")
    images, targets = trainer._batch()
    index = Order(len(trainer.images), 0).batch(0, 16)
    torch.testing.assert_close(images, trainer.images[index].float() / 127.5 - 1)
    assert torch.equal(targets, trainer.targets[index])


@pytest.mark.parametrize(
    "setting",
    [
        "distortion.strength=0",
        "distortion.turn_deg=30",
        "distortion.scale=0.5",
        "distortion.shear=0.5",
        "distortion.shift=0.2",
        "distortion.bend=0.05",
        "distortion.mirror=true",
        "optimizer.learning_rate=1e-4",
        "optimizer.warm_up=0.5",
        "optimizer.final_share=1",
        "optimizer.beta1=0.5",
        "optimizer.beta2=0.9",
        "optimizer.weight_decay=0.5",
        "optimizer.largest_gradient=1e-6",
        "label_smoothing=0.5",
        "average_steps=1",
        "batch_size=8",
        "precision=bfloat16",
        "data.held_out=0.3",
        "data.colour=rgb",
        "network.stem=patch",
        "network.read_out=mean",
    ],
)
def test_every_setting_changes_what_is_learned(make, setting: str) -> None:
    plain = advance(make("precision=float32"), 12)
    split = load_split(make("precision=float32", setting).config.data, 0)
    changed = advance(make("precision=float32", setting, split=split), 12)
    assert bits(changed) != bits(plain)


def test_schedules_reach_the_optimizer(make) -> None:
    trainer = make("optimizer.learning_rate=0.01", "optimizer.warm_up=0.5")
    rates = []
    for progress in (0.25, 0.5, 1.0):
        trainer.step(progress)
        rates += [group["lr"] for group in trainer.optimizer.param_groups]
    assert rates == pytest.approx([0.005, 0.005, 0.01, 0.01, 0.0, 0.0])


def test_only_the_matrices_are_pulled_to_zero(make) -> None:
    trainer = make()
    pulled, free = (group["params"] for group in trainer.optimizer.param_groups)
    assert trainer.optimizer.param_groups[0]["weight_decay"] == 0.02
    assert trainer.optimizer.param_groups[1]["weight_decay"] == 0.0
    names = {id(p): name for name, p in trainer.network.named_parameters()}
    assert {"head.weight", "blocks.0.attention.query.weight", "stem.layers.0.weight"} <= {
        names[id(p)] for p in pulled
    }
    assert {
        "head.bias",
        "class_token",
        "positions.codes",
        "norm.weight",
        "stem.layers.1.weight",
    } <= {names[id(p)] for p in free}
    assert len(pulled) + len(free) == len(names)


def test_a_long_gradient_is_shortened(make) -> None:
    trainer = make("optimizer.largest_gradient=0.001")
    trainer.step(0.5)
    squares = sum(float(p.grad.square().sum()) for p in trainer.network.parameters())
    assert squares**0.5 == pytest.approx(0.001, rel=1e-3)


def test_smoothing_is_that_of_the_cross_entropy(make) -> None:
    trainer = make("label_smoothing=0.2", "precision=float32", "distortion.strength=0")
    images, targets = trainer._batch()
    trainer.network.train()
    log_chances = trainer.network(images).detach().log_softmax(2)[:, 0]
    true = log_chances.gather(1, targets)[:, 0]
    expected = -(0.8 * true + 0.2 * log_chances.mean(dim=1)).mean()
    fresh = make("label_smoothing=0.2", "precision=float32", "distortion.strength=0")
    torch.testing.assert_close(fresh.step(0.5).loss, expected)


def test_the_average_follows_weights_and_statistics(make) -> None:
    trainer = make("average_steps=4")
    advance(trainer, 45)
    before = {name: t.clone() for name, t in trainer.average.state_dict().items()}
    trainer.step(0.5)
    for name, new in trainer.network.state_dict().items():
        mean = trainer.average.state_dict()[name]
        expected = torch.lerp(before[name], new, 0.25) if new.is_floating_point() else new
        torch.testing.assert_close(mean, expected)
    assert any("running_mean" in name for name in before)
    assert not any(parameter.requires_grad for parameter in trainer.average.parameters())


def test_following_wholly_is_copying() -> None:
    norm, other = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    norm(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
    follow(other, norm, 1.0)
    assert torch.equal(other.running_mean, norm.running_mean)
    assert int(other.num_batches_tracked) == 1


def test_a_step_that_is_not_finite_changes_nothing(make) -> None:
    trainer = advance(make("network.stem=patch"), 2)
    with torch.no_grad():
        next(trainer.network.parameters()).view(-1)[0] = float("nan")
    before = bits(trainer)
    with pytest.raises(DivergedError, match=r"loss is nan .* lower optimizer\.learning_rate"):
        trainer.step(0.5)
    assert bits(trainer) == before
    assert trainer.images_seen == 32


def test_precision_is_what_was_asked_for(make, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make("precision=float32").precision == "float32"
    assert make("precision=auto").precision == resolve_precision("auto", CPU)


def test_an_accuracy_counts_images_with_every_label_right(make) -> None:
    trainer = make()
    record = trainer.step(0.5)
    numbers = record.numbers()
    assert set(numbers) == {"loss", "accuracy"}
    assert 0 <= numbers["accuracy"] <= 1
    assert 1.0 < numbers["loss"] < 3.0  # near the logarithm of four classes


@pytest.mark.parametrize(
    "settings",
    [
        *((f"network.score={score}",) for score in score_names()),
        ("network.stem=patch",),
        ("network.read_out=mean",),
    ],
)
def test_a_tiny_classifier_learns_where_the_blob_is(make, settings: tuple[str, ...]) -> None:
    trainer = make("optimizer.learning_rate=0.01", "average_steps=20", *settings)
    for step in range(200):
        trainer.step((step + 1) / 200)
    split = load_split(trainer.config.data, 0)
    answers = probabilities(trainer.average, split.test.images.images).argmax(2)
    score = score_answers(answers, split.test.targets, split.scheme)
    assert score.accuracy >= 0.8 > 2 * score.chance


def test_shuffled_labels_are_not_learned(make, tiny_file: Path) -> None:
    trainer = make()
    split = load_split(trainer.config.data, 0)
    shuffled = replace(split.train, targets=split.train.targets.flip(0))
    other = make(split=replace(split, train=shuffled))
    assert bits(advance(other, 3)) != bits(advance(trainer, 3))


def test_labels_are_read_by_their_own_rows_of_the_head(make, monkeypatch) -> None:
    seen: list[tuple[torch.Size, torch.Size]] = []
    loss = module.functional.cross_entropy

    def watched(logits: torch.Tensor, targets: torch.Tensor, **options: Any) -> torch.Tensor:
        seen.append((logits.shape, targets.shape))
        return loss(logits, targets, **options)

    monkeypatch.setattr(module.functional, "cross_entropy", watched)
    make().step(0.5)
    assert seen == [(torch.Size([16, 4]), torch.Size([16]))]
