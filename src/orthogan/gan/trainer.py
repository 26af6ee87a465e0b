"""Both networks, their optimizers and the average: what a training run moves forward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from orthogan import rng
from orthogan.data import ImageSet, Order, to_floats
from orthogan.data.ordering import ordered
from orthogan.errors import ResumeError
from orthogan.gan import schedule
from orthogan.gan.augmenting import Augmenter, Part, num_held_out, split
from orthogan.gan.calibrating import Calibration
from orthogan.gan.compilation import compiled
from orthogan.gan.compiled import CompiledBackend
from orthogan.gan.conditions import class_shares, clusters_of
from orthogan.gan.config import TrainingConfig, arrangement
from orthogan.gan.course import Course
from orthogan.gan.decorrelation import decorrelated
from orthogan.gan.emphasised import Judge
from orthogan.gan.ending import Ending
from orthogan.gan.finite import DeferredUpdate, update_now
from orthogan.gan.losses import LOSSES
from orthogan.gan.micro_batches import backend_for
from orthogan.gan.objectives import Batch, DiscriminatorStep, Objective
from orthogan.gan.optimizing import optimizer_of, set_schedule
from orthogan.gan.overfitting import STEPS_BETWEEN_LOOKS, Overfitting
from orthogan.gan.penalties import PENALTIES
from orthogan.gan.step import discriminator_step, generator_step
from orthogan.gan.step_record import StepRecord
from orthogan.gan.unseen import num_kept_back
from orthogan.gan.watch.alarm import Alarm
from orthogan.gan.watch.detectors import GEOMETRY, Player
from orthogan.gan.watch.eyes import Eyes
from orthogan.gan.watch.judge_signs import NUM_ASKED
from orthogan.gan.watch.remedies import Remedies
from orthogan.gan.watch.saturation import SaturationWatch
from orthogan.parallel import ALONE, Ranks
from orthogan.shapes import Images, Labels, Logits
from orthogan.training.average import average_of, update_average
from orthogan.training.health import Health
from orthogan.training.precision import at_least_float32, autocast, resolve_precision
from orthogan.training.state_tensors import restore, state_tensors


class Trainer:
    """A training run between two checkpoints: `step` trains both networks on one batch.

    Every random draw is a function of the seed and `images_seen`, so a trainer restored from a
    checkpoint continues bit for bit.

    Args:
        config: The run, its networks already fitted to the images.
        images: The training set.
        device: Where to train.
        clusters: The cluster of each image where it is known, as from a checkpoint; None finds
            those that `config` asks for.
        unseen: Images of the same kind that no step shows, for the watch; None: there are none
            but those that a run until converged keeps back.
        ranks: This process among those that train together; alone by default.
    """

    def __init__(
        self,
        config: TrainingConfig,
        images: ImageSet,
        device: torch.device,
        clusters: Labels | None = None,
        unseen: ImageSet | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.config, self.device, self._ranks = config, device, ranks
        self.images = images.to(device)
        found = clusters_of(config, images) if clusters is None else clusters
        self.clusters = None if found is None else found.to(device)
        wanted = arrangement(config)
        self.order: Order | Part = ordered(images, wanted, config.seed)
        self._held_out: Part | None = None
        count = num_held_out(config.augmentation, images)
        kept_back = 0 if unseen is not None else num_kept_back(config, images)
        if held_out := max(count, kept_back):
            self.order, part = split(images, held_out, config.seed, wanted)
            self._held_out = part if count else None
            unseen = images.only(part.members) if kept_back else unseen
        self.unseen = None if unseen is None else unseen.to(device)
        self.precision = resolve_precision(config.precision, device)
        self.images_seen = 0
        self.attempt = 0
        self.is_compiled = False
        self.backend = backend_for(config)
        self._start()

    def _start(self) -> None:
        """Fresh networks; each attempt is another initialization, and a gentler one."""
        config = self.config
        with rng.initialization(config.seed, "generator", self.attempt):
            self.generator = config.generator.build().to(self.device)
        with rng.initialization(config.seed, "discriminator", self.attempt):
            self.discriminator = config.discriminator.build().to(self.device)
        self._judge = Judge(self.discriminator)
        shares = class_shares(config, self.images, self.clusters)
        if shares is not None:
            self.generator.class_shares.copy_(shares)
            self.discriminator.class_shares.copy_(shares)
        calibration = Calibration(config, self.images.num_images, self._take, self.device)
        calibration.run(self.generator, self.discriminator, partial(self.order.batch, 0))
        self.average = average_of(self.generator)
        self.loss = decorrelated(
            LOSSES[config.loss],
            self.generator,
            self.discriminator,
            config.decorrelation,
            self._ranks,
        )
        self.generator_optimizer = optimizer_of(self.generator, config.generator_optimizer)
        self.discriminator_optimizer = optimizer_of(
            self.discriminator, config.discriminator_optimizer
        )
        self.watch = SaturationWatch()
        self.eyes, self.alarm = Eyes(), Alarm(GEOMETRY)
        self.remedies = Remedies()
        self.course, self.ending = Course(), Ending()
        self.health = Health()
        self.augmenter = Augmenter(config.augmentation, config.seed, ranks=self._ranks)
        self._deferred = DeferredUpdate() if self.device.type == "cuda" else None
        self.backend.update = self._ranks.averaging(self._deferred or update_now)

    def real_images(self, count: int) -> Images:
        """The first images of the run."""
        return self._take(self.order.batch(0, min(count, self.images.num_images)))[0]

    def _take(self, index: Tensor) -> tuple[Images, Labels | None]:
        """Images of the order, and the classes that both networks are conditioned on."""
        placed = self.images.placed(index)
        pixels, classes = self.images.take(placed)
        if self.clusters is not None:
            return to_floats(pixels), self.clusters[placed]
        return to_floats(pixels), classes if self.config.condition == "classes" else None

    def step(self, progress: float) -> StepRecord:
        """Train both networks on one batch.

        Args:
            progress: Fraction of the budget that is used up, for the schedules.

        Raises:
            DivergedError: a loss or gradient is not finite; that network is unchanged. On CUDA
                it is told up to eight steps later, so that no step waits for the device.
        """
        config, batch = self.config, schedule.batch_size(self.config, progress)
        self._set_schedules(progress)
        # A pair is of one class: the fake is made to be what its real image is.
        real, labels = self._take(self._ranks.own(self.order.batch(self.images_seen, batch)))
        noise = rng.stream(config.seed, "noise", self.images_seen)
        draws = self._ranks.own(rng.normal((batch, config.generator.latent_size), noise))
        latents = rng.to_device(draws, self.device)
        fraction, weight = self._ranks.penalised(batch, self._fraction)
        objective = Objective(
            self.loss,
            PENALTIES[config.penalty.kind],
            weight * self._gamma(progress),
            fraction,
            self._ranks.draws(noise, batch, self._fraction),
        )
        with autocast(self.precision, self.device):
            fake = self.backend.generate(self.generator, latents, labels)
        fake = at_least_float32(fake)
        # Both networks' steps see the pairs so; the watch sees the fakes as they are.
        pairs = self.augmenter.pairs(Batch(real, fake, labels), self.images_seen)
        pairs = self._judge.sees(pairs)
        unseen = self._held_out_logits(batch)
        with autocast(self.precision, self.device):
            judged = discriminator_step(
                self._judge, self.discriminator_optimizer, pairs, objective, self.backend
            )
            pairs = pairs._replace(real_logits=judged.real)
            numbers = (judged.loss, weight * judged.penalty, judged.real.mean(), judged.fake.mean())
            self._ranks.carry(numbers)
            self.discriminator.requires_grad_(False)
            try:
                loss = generator_step(
                    self._judge, self.generator_optimizer, pairs, self.loss, self.backend
                )
            finally:
                self.discriminator.requires_grad_(True)
        self.images_seen += batch
        decay = schedule.average_decay(config.average, self.images_seen, batch)
        update_average(self.average, self.generator, decay)
        self._observe(Batch(real, fake.detach()), judged, unseen, batch)
        means = self._ranks.carried([*numbers, loss])
        return StepRecord(
            discriminator_loss=means[0],
            penalty=means[1],
            real_logit=means[2],
            fake_logit=means[3],
            generator_loss=means[4],
            discriminator_gradient=self.backend.gradient_norms["discriminator"],
            generator_gradient=self.backend.gradient_norms["generator"],
            **self.augmenter.numbers(),
        )

    def _observe(
        self, shown: Batch, judged: DiscriminatorStep, unseen: Logits | None, batch: int
    ) -> None:
        """What is learned from a step, in the first process and from the pairs of all."""
        if self.watch.is_due or unseen is not None:
            logits = [judged.real, judged.fake, *([] if unseen is None else [unseen])]
            of_all = self._ranks.gathered([shown.real, shown.fake, *logits])
            shown, judged = Batch(*of_all[:2]), judged._replace(real=of_all[2], fake=of_all[3])
            unseen = None if unseen is None else of_all[4]
        if not self._ranks.is_first:
            self.watch.steps += 1
            return
        if unseen is not None:
            images = STEPS_BETWEEN_LOOKS * batch
            self.augmenter.overfitting.observe(judged.real, unseen, judged.fake, images)
        self.watch.observe(shown.real, shown.fake, judged)
        if self.watch.has_measured:  # and has waited for the device anyway
            self._look(shown, judged)
            self._note_health(batch)

    def _held_out_logits(self, batch: int) -> Logits | None:
        """Of held-out images, before the step, where one is due to be looked at."""
        part = self._held_out
        if part is None or self.watch.steps % STEPS_BETWEEN_LOOKS:
            return None
        images, labels = self._take(self._ranks.own(part.batch(self.images_seen, batch)))
        changed = self.augmenter.held_out(images, self.images_seen)
        # A context of its own: autocast keeps the weights it has cast, and those have no gradient.
        with torch.no_grad(), autocast(self.precision, self.device):
            logits: Logits = self.discriminator(changed, labels)
        return logits

    def _look(self, shown: Batch, judged: DiscriminatorStep) -> None:
        """What the watch sees of this step; it changes nothing."""
        steps = self.watch.steps
        self.eyes.look(steps, shown, judged, self.backend.gradient_norms, self._networks())
        if self.unseen is None or not self.eyes.is_to_ask(steps):
            return
        count = min(NUM_ASKED, self.images.num_images)
        real, _ = self._take(self.order.batch(self.images_seen, count))
        order = self.unseen.order(self.config.seed)
        index = order.batch(self.images_seen, min(NUM_ASKED, len(self.unseen)))
        unseen = self.unseen.floats(rng.to_device(index, self.device))
        with torch.no_grad(), autocast(self.precision, self.device):
            self.eyes.ask(steps, self.discriminator, real, unseen, shown.fake)

    @property
    def is_suspicious(self) -> bool:
        """Whether a latest look at a step showed a sign of a collapse."""
        return self.watch.is_suspicious or self.eyes.alarm.is_suspicious

    def compile(self) -> None:
        """From here on steps run by compiled code, with the same numbers to rounding.

        The first such step compiles, which takes a minute or two; more if batches grow.
        """
        self.is_compiled = True
        quicker = partial(compiled, device=self.device.type)
        self.backend = CompiledBackend(quicker, self.backend.update)

    def _note_health(self, batch: int) -> None:
        self._settle()
        if not self.is_suspicious:  # the fakes are those of before this update
            self.health.images = self.images_seen - batch

    def _settle(self) -> None:
        if self._deferred is not None:
            self._deferred.settle()

    def restart(self) -> None:
        """Start again from another initialization, at half the step size and twice the penalty."""
        self.attempt += 1
        self.images_seen = 0
        self._start()
        self._ranks.mark_changed()

    def renew(self, player: Player) -> None:
        """Other first weights for one player, and no memory of its gradients; the other stays."""
        config, network = getattr(self.config, player), getattr(self, player)
        with rng.initialization(self.config.seed, f"{player}-renewed", self.remedies.rollbacks):
            fresh = config.build().to(self.device)
        with torch.no_grad():
            for weight, other in zip(network.parameters(), fresh.parameters(), strict=True):
                weight.copy_(other)
        self._optimizers()[f"{player}_optimizer"].state.clear()
        if player == "generator":
            self.average.load_state_dict(self.generator.state_dict())
        self._ranks.mark_changed()

    def decided(self) -> list[float]:
        """What only the first of several processes knows and all need for the next step."""
        return [self.augmenter.overfitting.probability, float(self.is_compiled)]

    def heed(self, decided: Sequence[float]) -> None:
        """Takes what the first process has decided."""
        self.augmenter.overfitting.probability, is_compiled = decided
        if is_compiled and not self.is_compiled:
            self.compile()

    def _gamma(self, progress: float) -> float:
        """The weight of the penalty."""
        gamma = schedule.gamma(self.config.penalty, progress)
        return gamma * self._caution * self.remedies.penalty

    @property
    def _caution(self) -> float:
        """How much gentler this attempt is than the first."""
        return 2.0**self.attempt

    @property
    def _fraction(self) -> float:
        """The fraction of the pairs that is penalized; without a penalty all are judged at once."""
        return 1.0 if self.config.penalty.kind == "none" else self.config.penalty.share

    def _set_schedules(self, progress: float) -> None:
        gentleness = self.remedies.rate / self._caution
        for name, optimizer in self._optimizers().items():
            config = getattr(self.config, name)
            set_schedule(optimizer, config, progress, self.images_seen, gentleness)

    def tensors(self) -> dict[str, Tensor]:
        """Everything a checkpoint keeps as tensors.

        Raises:
            DivergedError: a step since the last look was not finite.
        """
        self._settle()
        tensors = state_tensors(self._networks(), self._optimizers())
        # Another machine may round otherwise, and then find other clusters.
        found = self.clusters
        return tensors if found is None else tensors | {"clusters": found.cpu().to(torch.int32)}

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint keeps as numbers."""
        overfitting = self.augmenter.overfitting.state()
        return {
            "images_seen": self.images_seen,
            "attempt": self.attempt,
            "watch": self.watch.state(),
            "eyes": self.eyes.state(),
            "alarm": self.alarm.state(),
            "health": self.health.state(),
            "remedies": self.remedies.state(),
            "course": self.course.state(),
            "ending": self.ending.state(),
            "parts": self.backend.parts,
        } | ({"overfitting": overfitting} if self.augmenter.is_adaptive else {})

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Continue from a checkpoint: the counterpart of `tensors` and `state`.

        Raises:
            ResumeError: more attempts than a run with these settings makes.
        """
        if state["attempt"] > self.config.escape_attempts:
            raise ResumeError(
                f"its attempt {state['attempt']} is above "
                f"escape_attempts = {self.config.escape_attempts}."
            )
        self.images_seen, self.attempt = state["images_seen"], state["attempt"]
        self.watch = SaturationWatch(**state["watch"])
        self.eyes = Eyes(**state.get("eyes", {}))
        self.alarm = Alarm(GEOMETRY, **state.get("alarm", {}))
        self.remedies = Remedies(**state.get("remedies", {}))
        self.course = Course(**state.get("course", {}))
        self.ending = Ending(**state.get("ending", {}))
        self.backend.parts = min(max(state.get("parts", 1), 1), self.config.batch_size)
        self.health = Health(**state.get("health", {}))
        self.augmenter.overfitting = Overfitting(**state.get("overfitting", {}))
        if self.clusters is not None:
            self.clusters = tensors["clusters"].to(self.clusters)
        restore(tensors, self._networks(), self._optimizers())
        self._ranks.mark_changed()

    def _networks(self) -> dict[str, nn.Module]:
        names = ("generator", "discriminator", "average")
        return {name: getattr(self, name) for name in names}

    def _optimizers(self) -> dict[str, Adam]:
        names = ("generator_optimizer", "discriminator_optimizer")
        return {name: getattr(self, name) for name in names}
