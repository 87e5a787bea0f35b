"""Raw bytes and tensors, against numpy's idea of both."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grpc import StatusCode

from edgesim.serve import tensors
from edgesim.serve.refusal import RefusalError
from edgesim.serve.tensors import TensorSpec


def test_bytes_are_numpys_and_come_back() -> None:
    values = np.arange(24, dtype="<f4").reshape(2, 3, 4)
    tensor = tensors.from_raw(TensorSpec("x", (3, 4)), 2, values.tobytes())
    assert np.array_equal(tensor.numpy(), values)
    assert tensors.to_raw(tensor) == values.tobytes()


def test_what_is_not_contiguous_goes_in_row_major_order() -> None:
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    assert tensors.to_raw(torch.from_numpy(values).T) == values.T.tobytes()


def test_no_byte_is_copied_on_the_way_in() -> None:
    data = np.arange(6, dtype="<f4").tobytes()
    tensor = tensors.from_raw(TensorSpec("x", (3,)), 2, data)
    assert tensor.data_ptr() == np.frombuffer(data, np.uint8).ctypes.data


def test_a_list_is_as_good() -> None:
    found = tensors.from_list(TensorSpec("x", (2,)), 2, [1.0, 2.5, -3.0, 4.0])
    assert torch.equal(found, torch.tensor([[1.0, 2.5], [-3.0, 4.0]]))
    with pytest.raises(RefusalError, match="has 4 elements, not 3"):
        tensors.from_list(TensorSpec("x", (2,)), 2, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("size", [0, 1, 23, 25, 48])
def test_bytes_of_another_size_are_refused(size: int) -> None:
    with pytest.raises(RefusalError, match=f"takes 24 raw bytes, not {size}") as caught:
        tensors.from_raw(TensorSpec("x", (3,)), 2, bytes(size))
    assert caught.value.code is StatusCode.INVALID_ARGUMENT


def test_samples_are_bounded_at_both_ends() -> None:
    spec = TensorSpec("x", (3,))
    assert [tensors.check(spec, "FP32", (count, 3), 5) for count in (1, 5)] == [1, 5]
    for count in (-1, 0, 6):
        with pytest.raises(RefusalError, match=f"1 to 5 samples, not {count}"):
            tensors.check(spec, "FP32", (count, 3), 5)
