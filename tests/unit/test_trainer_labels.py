"""The trainer and its labels: who is told them, and that they are restored."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from trainers import advance, bits, saved

from orthogan import rng
from orthogan.data import ImageSet, Order
from orthogan.gan.recipes import RECIPES

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("kind", ["exact", "finite-difference", "none"])
def test_labels_reach_both_players(make_trainer, tiny_images: ImageSet, kind: str) -> None:
    trainer = make_trainer("condition=classes", f"penalty.kind={kind}", "penalty.share=0.25")
    assert trainer.config.generator.classes == trainer.config.discriminator.classes == 4
    seen: dict[str, list[torch.Tensor]] = {"generator": [], "discriminator": []}
    for player, calls in seen.items():  # what a step trains is the judge of emphasised images
        module = trainer._judge if player == "discriminator" else trainer.generator
        module.register_forward_pre_hook(lambda _, args, calls=calls: calls.append(args[1]))
    trainer.step(0.0)
    labels = tiny_images.labels[Order(200, 0).batch(0, 16)]
    assert len(labels.unique()) > 1
    assert [torch.equal(got, labels) for got in seen["generator"]] == [True]
    *judged, again = seen["discriminator"]
    copies = 4 if kind == "finite-difference" else 2
    expected = [labels[:4].repeat(copies), labels[4:].repeat(2)]
    expected = [labels.repeat(2)] if kind == "none" else expected
    assert list(map(len, judged)) == list(map(len, expected))
    assert all(map(torch.equal, judged, expected))
    assert torch.equal(again, labels)


@pytest.mark.parametrize("condition", ["classes", "clusters"])
def test_both_players_know_how_frequent_each_kind_is(
    make_trainer, tiny_images: ImageSet, condition: str
) -> None:
    labels = torch.tensor([0] * 110 + [1] * 50 + [2] * 30 + [3] * 10)
    trainer = make_trainer(f"condition={condition}", data=replace(tiny_images, labels=labels))
    kinds = labels if condition == "classes" else trainer.clusters
    shares = kinds.bincount() / 200
    assert len(shares.unique()) > 1
    for player in (trainer.generator, trainer.discriminator, trainer.average):
        torch.testing.assert_close(player.class_shares, shares)


@pytest.mark.parametrize("model", list(RECIPES))
def test_labels_matter_only_to_those_who_are_told(
    make_trainer, tiny_images: ImageSet, model: str
) -> None:
    swapped = replace(tiny_images, labels=3 - tiny_images.labels)
    for condition in ("none", "clusters", "classes"):
        setting = f"condition={condition}"
        ours = bits(advance(make_trainer(setting, model=model), 2))
        theirs = bits(advance(make_trainer(setting, model=model, data=swapped), 2))
        assert (ours != theirs) == (condition == "classes")


def test_a_resumed_run_keeps_its_clusters_where_others_would_be_found(make_trainer) -> None:
    whole = advance(make_trainer("condition=clusters"), 1)
    rest = make_trainer("condition=clusters")
    rest.clusters = 1 - rest.clusters  # as if another machine had numbered them otherwise
    rest.restore(*saved(whole))
    assert torch.equal(rest.clusters, whole.clusters)
    assert bits(advance(rest, 2)) == bits(advance(whole, 2))


@pytest.mark.parametrize("counts", [(120, 60, 15, 5), (50, 50, 50, 50), (197, 1, 1, 1)])
@pytest.mark.parametrize("condition", ["classes", "clusters"])
def test_networks_know_how_common_each_kind_is(
    make_trainer, tiny_images: ImageSet, condition: str, counts: tuple[int, ...]
) -> None:
    labels = torch.arange(4).repeat_interleave(torch.tensor(counts))
    trainer = make_trainer(f"condition={condition}", data=replace(tiny_images, labels=labels))
    if condition == "clusters":
        counts = tuple(torch.bincount(trainer.clusters).tolist())
    shares = torch.tensor(counts) / 200
    for _ in range(2):
        for network in (trainer.generator, trainer.discriminator, trainer.average):
            torch.testing.assert_close(network.class_shares, shares)
        trainer.restart()  # another attempt knows them too


def test_samples_have_the_shares_of_the_classes(make_trainer, tiny_images: ImageSet) -> None:
    labels = torch.arange(4).repeat_interleave(torch.tensor([120, 60, 15, 5]))
    trainer = make_trainer("condition=classes", data=replace(tiny_images, labels=labels))
    drawn = trainer.average.classes_of(rng.normal((4000, 8), rng.stream(0, "latents")))
    found = torch.bincount(drawn, minlength=4) / 4000
    torch.testing.assert_close(found, torch.tensor([0.6, 0.3, 0.075, 0.025]), atol=0.03, rtol=0)
