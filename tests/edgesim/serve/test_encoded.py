"""Encoded images: the logits of a local decode, sizes that are bounded, and one clear refusal."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgesim.hardware import Queue, catalog
from edgesim.placement.payload import Decoding
from edgesim.serve import encoded
from edgesim.serve.encoded import Encoded, ImageDecoder
from edgesim.serve.jobs import Job, JobQueue
from edgesim.serve.manifest import SignedManifest
from edgesim.serve.models import PartModel, graph_of
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.refusal import RefusalError
from edgesim.serve.services import MODEL_INFER
from partition.artifact import load_artifact
from partition.data import to_input
from tests.edgesim.serve.cluster import ARTIFACT, Client, fill, node, tensors
from tests.edgesim.serve.test_jobs import Asker, Doubler, engine

DEVICE = "raspberry-pi-zero-2-w"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pixels(channels: int, side: int = 32, count: int = 1) -> NDArray[np.uint8]:
    """Return images (count, channels, side, side) of slopes and noise."""
    slope = np.linspace(0, 200, side)[:, None] + np.linspace(0, 40, side)[None, :]
    noise = np.random.default_rng(7).integers(16, size=(count, channels, side, side))
    return (slope + noise).astype(np.uint8)


def saved(image: NDArray[np.uint8], kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    plane = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(plane)).save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes) -> torch.Tensor:
    """Return the levels (1, channels, height, width) of an image, by Pillow alone."""
    array = np.array(Image.open(io.BytesIO(data)))
    return torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1)[None]


def decoder(channels: int = 3, side: int = 32) -> ImageDecoder:
    return ImageDecoder(shape=(channels, side, side), mean=MEAN[:channels], std=STD[:channels])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [5, 75, 95])
def test_inputs_are_bit_for_bit_those_of_training(channels: int, quality: int) -> None:
    images = [encoded.encode(one, quality) for one in pixels(channels, count=3)]
    found = decoder(channels).decode("input", images)
    wanted = [to_input(decoded(one), 32, MEAN[:channels], STD[:channels]) for one in images]
    assert torch.equal(torch.from_numpy(found), torch.cat(wanted))


def test_colours_of_other_images_become_those_of_the_model() -> None:
    gray, colour = saved(pixels(1)[0]), saved(pixels(3)[0])
    as_gray = np.asarray(Image.open(io.BytesIO(colour)).convert("L"), dtype=np.float32)
    plain = ImageDecoder(shape=(1, 32, 32), mean=(0.0,), std=(1.0,))
    assert np.array_equal(plain.decode("input", [colour])[0, 0], as_gray / np.float32(255))
    three = ImageDecoder(shape=(3, 32, 32), mean=(0.0,) * 3, std=(1.0,) * 3).decode("x", [gray])
    assert np.array_equal(three[0, 0], three[0, 2])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "image 1: it is no JPEG, or its header is damaged"),
        (b"\xff\xd8\xff" + bytes(100), "image 1: it is no JPEG, or its header is damaged"),
        (saved(pixels(3)[0], "PNG"), "image 1: it is no JPEG"),
        (saved(pixels(3)[0])[:-50], "image 1: it is damaged or cut short"),
        (saved(pixels(3, side=33)[0]), "33 x 33 pixels, the model takes 32 x 32; scale it"),
        (saved(pixels(3)[0], progressive=True), "a progressive JPEG; encode it as a baseline"),
    ],
)
def test_a_bad_image_is_one_clear_refusal(data: bytes, message: str) -> None:
    with pytest.raises(RefusalError, match=message) as refused:
        decoder().decode("input", [data])
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert str(refused.value).startswith("input 'input', image 1: ")


def test_what_a_header_promises_is_refused_before_it_takes_memory() -> None:
    """A JPEG of some hundred bytes whose header says 65,500 x 65,500 pixels."""
    data = bytearray(saved(pixels(3)[0]))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = (65_500).to_bytes(2) * 2
    with pytest.raises(RefusalError, match=r"it is no JPEG|65500 x 65500 pixels, the model takes"):
        decoder().decode("input", [bytes(data)])


def test_sizes_are_bounded_before_anything_is_decoded() -> None:
    one = decoder()
    with pytest.raises(RefusalError, match=r"image 2: .* encoded, at most .* are taken"):
        one.check("input", [b"", bytes(one.largest_bytes + 1)])
    one.check("input", [bytes(one.largest_bytes)])
    large = decoder(side=1024)
    large.check("input", [b""])
    with pytest.raises(RefusalError, match=r"2 images are 24.0 MiB once decoded, at most 14.0 MiB"):
        large.check("input", [b""] * 2)
    # The queue of a node is bounded by what waits in it once it is decoded.
    job = Job(
        model=Doubler(), inputs={"x": Encoded("x", (b"",) * 3, one)}, outputs=("y",), samples=3,
        done=lambda found: None,
    )  # fmt: skip
    assert job.input_bytes == 3 * 3 * 32 * 32 * 4


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_what_is_packed_is_unpacked(images: list[bytes]) -> None:
    data = encoded.pack(images)
    assert encoded.unpack("x", len(images), data) == tuple(images)
    assert encoded.packed_bytes(len(images), np.mean([len(one) for one in images])) == len(data)
    for samples, wrong in (
        (len(images) + 1, data), (len(images), data[:-1]), (len(images), data + b"\0")
    ):  # fmt: skip
        with pytest.raises(RefusalError, match="are not that many"):
            encoded.unpack("x", samples, wrong)


@pytest.mark.parametrize("wanted_bytes", [10, 700, 1_200, 2_500, 1e6])
def test_the_quality_is_that_whose_images_are_nearest_in_size(wanted_bytes: float) -> None:
    some = pixels(3, count=4)
    images, quality = encoded.encode_to(some, wanted_bytes)
    assert images == [encoded.encode(one, quality) for one in some]

    def off(quality: int) -> float:
        mean = np.mean([len(encoded.encode(one, quality)) for one in some])
        return abs(mean - wanted_bytes)

    assert off(quality) == min(map(off, encoded.QUALITIES))


def test_a_bad_image_of_a_batch_is_refused_alone(ask: Asker) -> None:
    class Plain:
        sample_bytes = 8

        def check(self, name: str, images: object) -> None: ...

        def decode(self, name: str, images: tuple[bytes, ...]) -> NDArray[np.float32]:
            if b"bad" in images:
                raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, "bad")
            return np.full((len(images), 2), 3.0, dtype=np.float32)

    gate, line = threading.Event(), JobQueue(Queue(limit=8))
    slow, model = Doubler(gate), Doubler()
    engine(line, batch_max=3)
    line.put(ask.job(slow, 0.0))
    assert slow.began.wait(30)
    for value, image in ((1.0, b"good"), (2.0, b"bad"), (3.0, b"good")):
        job = ask.job(model, value)
        job.inputs = {"x": Encoded("x", (image,), Plain())}
        line.put(job)
    gate.set()
    ask.wait(4)
    assert model.batches == [2]
    assert ask.reason(2.0) is grpc.StatusCode.INVALID_ARGUMENT
    for value in (1.0, 3.0):
        assert torch.equal(ask.told[value].outputs["y"], torch.full((1, 2), 6.0))
    line.close()


@pytest.fixture
def ask() -> Asker:
    return Asker()


def test_a_node_answers_images_as_a_local_decode_does(
    tmp_path: Path, keys: Path, manifest: SignedManifest
) -> None:
    images = [encoded.encode(one, 80) for one in pixels(1, count=3)]
    entry = manifest.entries["part-0"]
    data = entry.mean, entry.std
    inputs = torch.cat([to_input(decoded(one), 32, *data) for one in images])
    own = PartModel("part-0", "", load_artifact(ARTIFACT).parts[0])
    wanted = own.run({"input": inputs}, ["features", "logits"])
    options = ("--plain", "--emulate", DEVICE)
    with node(tmp_path / "node", keys / "localhost", *options) as running:
        with Client(running.admin, None, token=keys / "admin" / "token") as admin:
            fill(admin, manifest, ["part-0"])
        with Client(running.inference, None) as client:
            for listed in (False, True):
                reply = client.call(MODEL_INFER, question(images, listed=listed))
                found = tensors(reply)
                assert all(torch.equal(found[name], wanted[name]) for name in wanted)
            timings = {key: one.int64_param for key, one in reply.parameters.items()}
            for wrong, message in (
                ([*images[:2], images[2][:-50]], "input 'input', image 3: it is damaged or cut"),
                ([b""], "input 'input', image 1: it is no JPEG"),
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    client.call(MODEL_INFER, question(wrong))
                assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
                assert refused.value.details().startswith(message)
            with pytest.raises(grpc.RpcError) as refused:
                client.call(MODEL_INFER, question(images, shape=(3, 1)))
            assert "must have the shape [samples]" in refused.value.details()
    # The emulated device decodes before it computes.
    device = catalog.device(DEVICE)
    decode_s = Decoding("jpeg", 32 * 32).cost(device, 3).time_s
    compute_s = device.graph_cost(graph_of(entry), "fp32", 3).time_s
    assert timings["compute_ns"] >= (decode_s + compute_s) * 1e9 - 1


def question(
    images: list[bytes], *, listed: bool = False, shape: tuple[int, ...] = ()
) -> wire.ModelInferRequest:
    """Return a message as any client would write it, with nothing of our own encoding."""
    request = wire.ModelInferRequest(model_name="part-0", id="7")
    tensor = request.inputs.add(name="input", datatype="BYTES", shape=shape or (len(images),))
    if listed:
        tensor.contents.bytes_contents.extend(images)
    else:
        raw = b"".join(len(one).to_bytes(4, "little") + one for one in images)
        request.raw_input_contents.append(raw)
    return request
