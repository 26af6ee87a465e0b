"""The form that starts a run: data, recipe, budget, and every setting of the recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orthogan.config import Setting, about
from orthogan.gan.recipes import RECIPES
from orthogan.report.markup import Html, element
from orthogan.studio.pages.layout import whole
from orthogan.studio.pages.run import unit_choice
from orthogan.studio.schema import Asked, as_text, asked_for, recipe_config
from orthogan.studio.sources import Source
from orthogan.terminal import printable


@dataclass(frozen=True)
class Origin:
    """The run that a fork leaves.

    Attributes:
        name: What it is called.
        beginnings: Image counts of its checkpoints, the first one first.
    """

    name: str
    beginnings: Sequence[int]


def new_run_page(
    asked: Asked,
    sources: Mapping[str, Source],
    *,
    fault: str = "",
    live: int = 0,
    origin: Origin | None = None,
) -> str:
    """The form.

    Args:
        asked: What stands in it; the source as a command takes it.
        sources: What can be trained on.
        fault: Why what was sent is not done; empty at first.
        live: Runs that train now.
        origin: The run that is forked, if one is.
    """
    warning = (
        element("p", "A run is training now. Two at once share the processor, and each takes far "
                "longer; leave each its own threads, or wait.", class_="fault")
        if live else None
    )  # fmt: skip
    beginning = (
        f"It has the settings of {origin.name}, begins anew or from one of its checkpoints, and "
        "leaves it as it is." if origin else
        "It trains in a process of its own, which goes on when this page or the studio is closed."
    )  # fmt: skip
    return whole(
        "New run",
        element("h1", f"Fork of {origin.name}" if origin else "New run"),
        element("p", beginning, class_="summary"),
        element("p", fault, class_="fault", role="alert") if fault else None,
        warning,
        _recipes(asked.recipe),
        element(
            "form",
            element("input", type="hidden", name="recipe", value=asked.recipe),
            _origin(asked, origin) if origin else None,
            _basics(asked, sources),
            _start(),
            element("h2", "Every setting of the recipe"),
            *_settings(asked),
            _start(),
            method="post", action="/runs", class_="asked", autocomplete="off",
        ),
    )  # fmt: skip


def _start() -> Html:
    return element("p", element("button", "Start", class_="main"), class_="row")


def _recipes(chosen: str) -> Html:
    names = sorted(RECIPES, key=lambda each: each != "attention-gan")
    options = [
        element("option", f"{name}: {RECIPES.describe(name)}", value=name,
                selected="" if name == chosen else None)
        for name in names
    ]  # fmt: skip
    return element(
        "form",
        element("label", "Recipe", for_="recipe"),
        element("div", element("select", *options, name="recipe", id="recipe"),
                element("button", "Use this recipe"), class_="row"),
        method="get", action="/new", class_="asked",
    )  # fmt: skip


def _origin(asked: Asked, origin: Origin) -> Html:
    """Where a fork begins."""
    options = [
        element("option", text, value=value, selected="" if value == asked.begin else None)
        for value, text in [
            ("", "anew, with untrained networks"),
            *((str(count), f"from its checkpoint at {count:,} images")
              for count in reversed(origin.beginnings)),
        ]
    ]  # fmt: skip
    return element(
        "fieldset",
        element("legend", "Where it begins"),
        element("input", type="hidden", name="fork", value=asked.fork),
        _field("Begins", element("select", *options, name="begin", id="begin"), "begin",
               "From a checkpoint it keeps the networks, the condition and the data, and its "
               "budget is what both train in all."),
    )  # fmt: skip


def _basics(asked: Asked, sources: Mapping[str, Source]) -> Html:
    options = [
        element("option", source.label, value=key, title=printable(source.value),
                selected="" if source.value == asked.source else None)
        for key, source in sources.items()
    ]  # fmt: skip
    budget = element(
        "div",
        element("input", name="amount", id="amount", value=asked.amount, inputmode="decimal",
                required="", size="8"),
        unit_choice(["images"], asked.unit),
        class_="row",
    )  # fmt: skip
    return element(
        "fieldset",
        element("legend", "What is trained"),
        _field("Data", element("select", *options, name="source", id="source"), "source",
               "What the studio was started with (--data), what the runs here were trained on, and "
               "the sets that are shipped."),
        _field("Name", _text("name", asked.name), "name", "Of the run folder."),
        _field("Train for", budget, "amount", "The schedules end where the budget does."),
        _field("Seed", _text("seed", asked.seed), "seed", "All randomness follows from it."),
        _field("Threads", _text("threads", asked.threads, "one per core"), "threads",
               "CPU threads; share the cores out if several runs train."),
    )  # fmt: skip


def _text(name: str, value: str, placeholder: str | None = None) -> Html:
    return element("input", name=name, id=name, value=value, placeholder=placeholder)


def _field(title: str, control: Html, for_: str, meaning: str) -> Html:
    return element(
        "div", element("label", title, for_=for_), control, element("p", meaning, class_="muted"),
        class_="field",
    )  # fmt: skip


def _settings(asked: Asked) -> Iterable[Html]:
    """Every setting of the recipe, part by part; parts with a changed setting are open."""
    config = recipe_config(asked.recipe)
    parts: dict[str, list[Setting]] = {}
    for setting in asked_for(asked.recipe):
        parts.setdefault(setting.name.rpartition(".")[0], []).append(setting)
    for part, settings in parts.items():
        shown = [replace(each, value=asked.settings.get(each.name, as_text(each.value)))
                 for each in settings]  # fmt: skip
        is_changed = any(now.value != as_text(then.value)
                         for now, then in zip(shown, settings, strict=True))  # fmt: skip
        title = part.replace("_", " ").capitalize() if part else "Training"
        words = about(getattr(config, part)) if part else ""
        yield element(
            "details",
            element("summary", f"{title} ({len(settings)} settings)"),
            element("p", words, class_="muted") if words else None,
            *map(_setting, shown),
            open="" if is_changed else None, class_="part",
        )  # fmt: skip


def _setting(setting: Setting) -> Html:
    name = f"set:{setting.name}"
    if setting.choices:
        options = [
            element("option", each, value=each, selected="" if each == setting.value else None)
            for each in setting.choices
        ]
        control = element("select", *options, name=name, id=name)
    else:
        control = element("input", name=name, id=name, value=setting.value)
    allowed = f" [{setting.allowed}]" if setting.allowed and not setting.choices else ""
    return _field(
        setting.name.rpartition(".")[2].replace("_", " "), control, name,
        f"{setting.meaning}{allowed}",
    )  # fmt: skip
