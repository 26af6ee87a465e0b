"""What no measurement can stand on is refused, by the name of the argument."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from contextlib import suppress

import pytest
import torch

from orthogan import geometry
from orthogan.errors import ConfigError, DataError, OrthoganError, ShapeError
from orthogan.geometry.spectra.spectrum import singular_values
from orthogan.rng import stream


def cloud(*shape: int) -> torch.Tensor:
    return torch.from_numpy(stream(0, "cloud").standard_normal(shape))


TABLE, STATES, FORM, HEADS = cloud(9, 4), cloud(5, 3, 4), cloud(4, 4), cloud(2, 4, 3)
FORMS = cloud(2, 4, 4)
SYMMETRIC = TABLE[:4] @ TABLE[:4].T
DRAWN = {"num_draws": 2}

# Every function, with sound arguments; each tensor in turn is then spoilt.
SOUND: dict[Callable[..., object], dict[str, object]] = {
    singular_values: {"table": TABLE},
    geometry.effective_rank: {"table": TABLE},
    geometry.participation_ratio: {"table": TABLE},
    geometry.stable_rank: {"table": TABLE},
    geometry.isoscore: {"table": TABLE},
    geometry.mean_cosine: {"table": TABLE},
    geometry.dimension_usage: {"table": TABLE, **DRAWN},
    geometry.spectra.dimension_correlation: {"table": TABLE, **DRAWN},
    geometry.spectra.member_correlation: {"table": TABLE, **DRAWN},
    geometry.spectra.token_correlation: {"states": STATES, **DRAWN},
    geometry.spectra.content_position_correlation: {
        "content": TABLE,
        "position": TABLE[:, :2],
        **DRAWN,
    },
    geometry.head_forms: {"query": HEADS, "key": HEADS},
    geometry.analyze_heads: {
        "query": HEADS,
        "key": HEADS,
        "value": HEADS,
        "covariance": SYMMETRIC + torch.eye(4),
    },
    geometry.heads.change_of_basis: {"form": FORM},
    geometry.keys_from_values: {"form": FORM, "value": HEADS[0]},
    geometry.heads.keys_from_values_defect: {"form": FORM, "value": HEADS[0]},
    geometry.heads.reversible_chain: {"logits": SYMMETRIC},
    geometry.heads.previous_token: {"logits": SYMMETRIC},
    geometry.four_terms: {"content": STATES, "position": STATES[0], "forms": FORMS},
    geometry.heads.cross_terms_vanish: {"tokens": TABLE, "positions": TABLE, "forms": FORMS},
    geometry.two_collapses: {"states": STATES},
    geometry.heads.entropy_state: {"logits": TABLE, "form": FORM},
    geometry.heads.largest_share: {"form": FORM},
    geometry.attention_entropy: {"weights": TABLE.softmax(1)},
    geometry.collapse.token_residual: {"states": TABLE},
    geometry.collapse.small_value_share: {"weight": TABLE},
    geometry.calibrated_rank: {"features": TABLE, **DRAWN},
    geometry.collapse.dimension_reading: {"fake": TABLE, "real": TABLE, **DRAWN},
    geometry.collapse.spectral_reading: {"weight": TABLE},
    geometry.collapse.spread_reading: {"fake": TABLE, "real": TABLE, "threshold": 0.1},
}
CASES = [
    pytest.param(function, name, id=f"{function.__name__}-{name}")
    for function, arguments in SOUND.items()
    for name, value in arguments.items()
    if isinstance(value, torch.Tensor)
]


@pytest.mark.parametrize("function", SOUND, ids=lambda one: one.__name__)
def test_sound_arguments_are_taken_as_float32_and_with_a_gradient(
    function: Callable[..., object],
) -> None:
    def soften(value: object) -> object:
        if isinstance(value, torch.Tensor):
            return value.float().requires_grad_()
        return value

    function(**{name: soften(value) for name, value in SOUND[function].items()})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("function", "name"), CASES)
def test_values_that_are_not_finite_are_refused_by_name(
    function: Callable[..., object], name: str, bad: float
) -> None:
    arguments = dict(SOUND[function])
    spoilt = arguments[name].clone()
    spoilt.view(-1)[-1] = bad
    with pytest.raises(DataError, match=f"'{name}' holds NaN or infinite values"):
        function(**(arguments | {name: spoilt}))


@pytest.mark.usefixtures("as_in_use")
@pytest.mark.parametrize(("function", "name"), CASES)
def test_other_axes_and_empty_ones_are_refused_by_name(
    function: Callable[..., object], name: str
) -> None:
    arguments = SOUND[function]
    # Weights, rows of weights and images have any number of axes.
    if name not in ("weight", "weights") and function is not geometry.collapse.spread_reading:
        with pytest.raises(ShapeError, match=f"'{name}' needs the axes"):
            function(**(arguments | {name: arguments[name][None]}))
    with pytest.raises(ShapeError, match=f"'{name}' needs"):
        function(**(arguments | {name: torch.tensor(1.0)}))
    with pytest.raises(ShapeError, match=f"'{name}' needs at least one of its"):
        function(**(arguments | {name: arguments[name][:0]}))


@pytest.mark.usefixtures("as_in_use")
def test_complex_values_are_refused_and_whole_numbers_taken() -> None:
    with pytest.raises(DataError, match="'table' holds complex values"):
        geometry.effective_rank(TABLE.to(torch.complex64))
    assert geometry.stable_rank(torch.eye(3, dtype=torch.int64)) == 3


@pytest.mark.usefixtures("as_in_use")
@pytest.mark.parametrize(
    ("function", "changes", "message"),
    [
        (geometry.isoscore, {"table": cloud(9, 1)}, "at least 2 columns to spread variance over"),
        (geometry.isoscore, {"table": cloud(1, 4)}, "at least 2 rows to have a variance, got 1"),
        (geometry.mean_cosine, {"table": cloud(1, 4)}, "at least 2 rows to make a pair, got 1"),
        (
            geometry.dimension_usage,
            {"table": cloud(1, 4)},
            "at least 2 rows to have a variance, got 1",
        ),
        (geometry.spectra.dimension_correlation, {"table": cloud(2, 4)}, "at least 3 rows"),
        (geometry.spectra.dimension_correlation, {"table": cloud(9, 1)}, "at least 2 columns"),
        (geometry.spectra.member_correlation, {"table": cloud(2, 4)}, "at least 3 rows"),
        (geometry.spectra.token_correlation, {"states": cloud(2, 3, 4)}, "at least 3 images"),
        (geometry.spectra.token_correlation, {"states": cloud(5, 1, 4)}, "at least 2 tokens"),
        (
            geometry.spectra.content_position_correlation,
            {"position": cloud(8, 2)},
            "same number of rows, got 9 and 8",
        ),
        (geometry.keys_from_values, {"value": cloud(5, 3)}, "same width, got 4 and 5"),
        (geometry.heads.keys_from_values_defect, {"value": cloud(5, 3)}, "same width, got 4 and 5"),
        (
            geometry.heads.change_of_basis,
            {"form": cloud(4, 3)},
            "'rows of form' and 'columns of form'",
        ),
        (geometry.heads.reversible_chain, {"logits": cloud(4, 3)}, "same number, got 4 and 3"),
        (geometry.four_terms, {"position": cloud(4, 4)}, "same number of tokens, got 3 and 4"),
        (geometry.four_terms, {"position": cloud(3, 5)}, "same width, got 4 and 5"),
        (geometry.four_terms, {"forms": cloud(2, 4, 5)}, "same width, got 4 and 5"),
        (geometry.heads.cross_terms_vanish, {"positions": cloud(9, 5)}, "same width, got 4 and 5"),
        (geometry.heads.cross_terms_vanish, {"forms": cloud(2, 5, 4)}, "same width, got 4 and 5"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    function: Callable[..., object], changes: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        function(**(SOUND[function] | changes))


def test_a_table_of_one_row_many_times_has_no_isotropy() -> None:
    with pytest.raises(DataError, match="'table' has no two different rows"):
        geometry.isoscore(torch.full((5, 3), 0.1))


@pytest.mark.parametrize(
    "function", [one for one, arguments in SOUND.items() if "num_draws" in arguments]
)
def test_a_null_without_draws_is_refused(function: Callable[..., object]) -> None:
    with pytest.raises(ConfigError, match="at least 1 draw, got num_draws=0"):
        function(**(SOUND[function] | {"num_draws": 0}))
    with pytest.raises(ConfigError, match="A seed lies between"):
        function(**(SOUND[function] | {"seed": -1}))


def test_no_draw_and_edges_of_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 draw"):
        geometry.spectra.beside_permutations("rank", geometry.effective_rank, TABLE, num_draws=0)
    with pytest.raises(ConfigError, match="positive counts, got 0 samples and 3"):
        geometry.spectra.marchenko_pastur_edges(0, 3)


# Arguments of every shape and content, in the place of every tensor of every public function.
ODD: dict[str, torch.Tensor] = {
    "number": torch.tensor(1.0),
    "list": cloud(4),
    "table": cloud(5, 4),
    "square": cloud(4, 4),
    "one row": cloud(1, 4),
    "one column": cloud(5, 1),
    "one value": torch.ones(1, 1),
    "narrow": cloud(5, 3),
    "no rows": torch.zeros(0, 4),
    "no columns": torch.zeros(4, 0),
    "states": cloud(2, 3, 4),
    "four axes": cloud(2, 2, 3, 4),
    "zeros": torch.zeros(5, 4),
    "whole numbers": torch.ones(5, 4, dtype=torch.int64),
    "not a number": torch.full((5, 4), float("nan")),
    "infinite": torch.full((5, 4), float("inf")),
    "complex": torch.ones(5, 4, dtype=torch.complex64),
    "huge": torch.full((5, 4), 1e300, dtype=torch.float64),
}
TENSORS = ("Tensor", "Table", "Tokens", "Form", "HeadKeys", "HeadValues", "HeadForms", "Features")
# Its table may be anything that its own measure takes.
MEASURED_BY_OTHERS = {"beside_permutations"}
SETTINGS = {"int": 2, "float": 1.0, "str": "euclidean"}


PACKAGES = (
    geometry,
    geometry.collapse,
    geometry.heads,
    geometry.identity,
    geometry.positions,
    geometry.spectra,
)
PUBLIC = {
    name: function
    for package in PACKAGES
    for name, function in vars(package).items()
    if name in package.__all__ and inspect.isfunction(function) and name not in MEASURED_BY_OTHERS
}


def tensors_and_settings(name: str) -> tuple[list[str], dict[str, object]] | None:
    """The arguments that a public function cannot do without; None where one is neither."""
    tensors, settings = [], {}
    for parameter in inspect.signature(PUBLIC[name]).parameters.values():
        if parameter.default is not parameter.empty:
            continue
        if parameter.annotation in (*TENSORS, "Iterable[Tensor]"):
            tensors.append(parameter.name)
        elif parameter.annotation in SETTINGS:
            settings[parameter.name] = SETTINGS[parameter.annotation]
        else:
            return None
    return (tensors, settings) if tensors else None


SWEPT = [name for name in PUBLIC if tensors_and_settings(name)]


@pytest.mark.usefixtures("as_in_use")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SWEPT)
def test_whatever_is_passed_is_measured_or_refused_in_our_words(name: str) -> None:
    tensors, settings = tensors_and_settings(name)
    for chosen in itertools.product(ODD, repeat=min(2, len(tensors))):
        # A third tensor and others are as the second.
        values = [ODD[one] for one in chosen] + [ODD[chosen[-1]]] * len(tensors)
        with suppress(OrthoganError):
            PUBLIC[name](**dict(zip(tensors, values, strict=False)), **settings)


def test_the_sweep_is_of_most_functions() -> None:
    assert len(SWEPT) > 50
    assert {"principal_angles", "code_product", "coefficients", "rank_correlation"} <= set(SWEPT)


@pytest.mark.usefixtures("as_in_use")
def test_angles_are_between_orthonormal_columns_of_one_length() -> None:
    left, right = (torch.linalg.qr(cloud(6, 3)).Q, torch.linalg.qr(cloud(6, 2)).Q)
    assert geometry.identity.principal_angles(left, right).shape == (2,)
    for dtype in (torch.float32, torch.bfloat16):
        assert geometry.identity.principal_angles(left.to(dtype), right.to(dtype)).shape == (2,)
    bent = left.clone()
    bent[:, 1] += 0.01 * bent[:, 0]
    for bad, name in ((2 * left, "left"), (bent, "left"), (left + 1e-4, "left")):
        with pytest.raises(DataError, match=f"'{name}' needs orthonormal columns"):
            geometry.identity.principal_angles(bad, right)
    with pytest.raises(DataError, match="'right' needs orthonormal columns"):
        geometry.identity.principal_angles(left, torch.zeros(6, 1))
    with pytest.raises(ShapeError, match="same number of rows, got 6 and 5"):
        geometry.identity.principal_angles(left, torch.eye(5))
    for bad in (left[:, 0], left[None], left[:, :0]):
        with pytest.raises(ShapeError, match="'left' needs one basis vector a column"):
            geometry.identity.principal_angles(bad, right)
    with pytest.raises(DataError, match="'left' holds NaN"):
        geometry.identity.principal_angles(left * torch.nan, right)


@pytest.mark.parametrize("option", ["num_landmarks", "num_neighbours"])
@pytest.mark.parametrize("count", [0, -1])
def test_clusters_without_landmarks_or_neighbours_are_refused(option: str, count: int) -> None:
    with pytest.raises(ConfigError, match=f"'{option}' is at least 1, got {count}"):
        geometry.spectra.spectral_clusters(TABLE, 2, **{option: count})


def test_every_public_name_exists_and_is_listed_once() -> None:
    for package in PACKAGES:
        assert len(set(package.__all__)) == len(package.__all__)
        assert all(hasattr(package, name) for name in package.__all__)
