"""What an annotation says is held in every call while tests run."""

import pytest
import torch
from jaxtyping import TypeCheckError

from checked_shapes import checked
from orthogan.attention.scores import scaled_products
from orthogan.evaluation.description import Description
from orthogan.files import write_atomic
from orthogan.shapes import Logits, PerImage


@checked
def paired(left: Logits, right: PerImage) -> Logits:
    return left + right


@checked
def shortened(left: Logits, times: int) -> Logits:
    return paired(left[:times], left[:times])


@checked
def measured(folder: str) -> int:
    return folder


def test_a_letter_is_one_number_within_a_call():
    assert len(paired(torch.zeros(3), torch.zeros(3))) == 3
    with pytest.raises(TypeCheckError):
        paired(torch.zeros(3), torch.zeros(1))


def test_the_result_is_held_to_it_too_and_another_call_is_not():
    assert len(shortened(torch.zeros(3), 3)) == 3
    with pytest.raises(TypeCheckError):
        shortened(torch.zeros(3), 2)
    assert len(paired(torch.zeros(2), torch.zeros(2))) == 2  # the refused call left nothing behind


def test_ordinary_types_are_checked():
    with pytest.raises(TypeCheckError):
        measured(3)
    with pytest.raises(TypeCheckError):
        measured("a")


def test_a_refusal_is_a_type_error():
    assert issubclass(TypeCheckError, TypeError)


def test_functions_of_the_package_are_checked():
    query, key = torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 3, 4)
    assert scaled_products(query, key).shape[-2:] == (2, 3)
    with pytest.raises(TypeCheckError):
        scaled_products(query, key.expand(2, 1, 3, 4))
    with pytest.raises(TypeCheckError):
        write_atomic("a name is no path", b"")
    Description(torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(TypeCheckError):
        Description(torch.zeros(3, 4), torch.zeros(2, dtype=torch.int64))


@pytest.mark.usefixtures("as_in_use")
def test_in_use_nothing_is_checked():
    assert len(paired(torch.zeros(3), torch.zeros(1))) == 3
    with pytest.raises(AttributeError):
        write_atomic("a name is no path", b"")
