"""The one schema of a manifest: what is impossible is one message that names key and value."""

import copy
import json
from pathlib import Path

import pytest

from partition.errors import InputError
from partition.manifest import (
    MANIFEST,
    manifest_hash,
    parse_manifest,
    read_trained,
)
from partition.schema import Manifest, TrainedManifest

FASHION = Path(__file__).parents[2] / "examples" / "fashion-5"
DOCUMENT = json.loads((FASHION / MANIFEST).read_bytes())


def parsed(document):
    """Return a document with the hash that it should have, parsed."""
    whole = {**document, "sha256": manifest_hash(document)}
    return parse_manifest(json.dumps(whole).encode(), "m")


def changed(path, value):
    document = copy.deepcopy(DOCUMENT)
    holder = document
    *way, last = path.split(".")
    for key in way:
        holder = holder[int(key) if isinstance(holder, list) else key]
    if value is None:
        del holder[last]
    else:
        holder[int(last) if isinstance(holder, list) else last] = value
    return document


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 10])
def test_manifests_of_the_examples_are_taken(parts):
    folder = FASHION.with_name(f"fashion-{parts}")
    manifest = read_trained(folder)
    assert len(manifest.parts) == parts
    assert [model.file for model in manifest.models.values()] == [
        *(f"part-{number}.safetensors" for number in range(parts)), "fusion.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("fusion.file", "../outside.safetensors", r"fusion\.file: expected names of files in its "
         r"own folder, got '\.\./outside"),
        ("fusion.file", "/etc/passwd", "own folder, got '/etc/passwd'"),
        ("fusion.file", "none.safetensors", r"fusion\.file: expected a key of 'files', got 'none"),
        ("fusion.file", "part-0.safetensors", r"expected one of its own, got 'part-0.* again"),
        ("fusion.file", 7, r"fusion\.file: expected a valid string, got '7'"),
        ("files.part-0.safetensors", None, ""),
        ("files", {}, r"part-0\.file: expected a key of 'files', got 'part-0\.safetensors'"),
        ("files", ["part-0.safetensors"], r"files: expected an object"),
        ("files", {"part-0.safetensors": "abc"}, r"files\.part-0\.safetensors: .*pattern.*'abc'"),
        ("parts", "x", r"parts: expected a valid array, got 'x'"),
        ("parts", [], r"parts: .*at least 1 item"),
        ("parts", None, r"parts: expected a value, got none"),
        ("parts.1", 3, r"parts\.1: expected an object, got '3'"),
        ("parts.0.classes", [0, 99], r"parts\.0\.classes: expected at most 9, got 99"),
        ("parts.0.classes", [0, -1], r"parts\.0\.classes\.1: expected at least 0, got '-1'"),
        ("parts.0.classes", [0, 0], r"parts\.0\.classes: expected every class once, got 0 again"),
        ("parts.0.classes", [9, 0], r"parts\.0\.class_names: expected the names of its classes"),
        ("parts.1.classes", [0, 8], r"parts\.1\.classes: expected every class once, got 0 again"),
        ("parts.0.classes", "ab", r"parts\.0\.classes: expected a valid array, got 'ab'"),
        ("parts.0.bytes", -1, r"parts\.0\.bytes: expected at least 0, got '-1'"),
        ("parts.0.bytes", 335_309, r"parts\.0: bytes: expected 335,308, .* got 335,309"),
        ("parts.0.bytes", "335308", r"parts\.0\.bytes: expected a valid integer, got '335308'"),
        ("parts.0.macs", True, r"parts\.0\.macs: expected a valid integer, got 'True'"),
        ("parts.0.config", "vit", r"parts\.0\.config: expected the shape of a model, not vit"),
        ("parts.0.config.width", 1e9, r"parts\.0\.config: model width must be a whole number"),
        ("parts.0.config.depth", 1 << 20, r"parts\.0\.config: model depth must be at most 10,000"),
        ("parts.0.config.extra", 1, r"parts\.0\.config: unknown model key 'extra'"),
        ("parts.0.other", False, r"parts\.0\.classes and other: expected 3, got 2"),
        ("parts.0.device", "a\nb", r"parts\.0\.device: expected a name on one line, got 'a\\nb'"),
        ("parts.0.accuracy", 1.5, r"parts\.0\.accuracy: expected at most 1, got '1\.5'"),
        ("fusion.accuracy", -0.1, r"fusion\.accuracy: expected at least 0, got '-0\.1'"),
        ("fusion.widths", [120], r"fusion\.widths: .*at least 2 items"),
        ("fusion.widths", [120, 128, 0], r"fusion\.widths\.2: expected at least 1, got '0'"),
        ("fusion.part_widths", [24] * 4, r"fusion: widths: expected 96 features of all parts"),
        ("fusion.part_widths", [23, 25, 24, 24, 24], r"fusion\.part_widths: expected what the "
         r"parts send, \[24, 24, 24, 24, 24\], got \[23, 25"),
        ("survivors.accuracy", {}, r"survivors\.accuracy: .*at least 1 item"),
        ("survivors.accuracy", {"111": 0.5}, r"survivors\.accuracy: expected 5, got 3"),
        ("survivors.accuracy", {"21111": 0.5}, r"survivors\.accuracy\.21111: .*pattern"),
        ("data.images.test", -5, r"data\.images\.test: expected at least 0, got '-5'"),
        ("data.classes", ["a"], r"data\.classes: .*at least 2 items"),
        ("data.std", [0.0], r"data\.std\.0: expected more than 0, got '0\.0'"),
        ("data.mean", [0.1, 0.2], r"data\.mean: expected 1, got 2"),
        ("data.image", 28, r"config\.image: expected 28, got 32"),
        ("unsplit.worst_class", "hat", r"unsplit\.worst_class: expected the name of a class"),
        ("name", "", r"name: .*at least 1 character"),
        ("seed", -1, r"seed: expected at least 0, got '-1'"),
        ("format", "other", "is not the manifest of a partition artifact"),
        ("schema", 2, "has schema 2; this version reads 1"),
    ],
)  # fmt: skip
def test_what_is_impossible_is_told(path, value, message):
    if path == "files.part-0.safetensors":
        document = copy.deepcopy(DOCUMENT)
        del document["files"]["part-0.safetensors"]
        message = r"part-0\.file: expected a key of 'files', got 'part-0\.safetensors'"
    else:
        document = changed(path, value)
    with pytest.raises(InputError, match=message) as caught:
        parsed(document)
    assert str(caught.value).startswith("m")
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_told_at_once():
    document = changed("parts.0.bytes", -1)
    document["parts"][1]["accuracy"] = 2
    document["seed"] = "x"
    with pytest.raises(InputError) as caught:
        parsed(document)
    assert str(caught.value).splitlines() == [
        "m: parts.0.bytes: expected at least 0, got '-1'",
        "m: parts.1.accuracy: expected at most 1, got '2'",
        "m: seed: expected a valid integer, got 'x'; make the artifact again",
    ]


def test_an_artifact_that_can_only_be_served_is_checked_as_far_as_it_goes():
    document = {
        key: DOCUMENT[key] for key in ("format", "schema", "name", "parts", "fusion", "files")
    }
    manifest = parsed(document)
    assert isinstance(manifest, Manifest)
    assert not isinstance(manifest, TrainedManifest)
    assert isinstance(parsed(DOCUMENT), TrainedManifest)
    with pytest.raises(InputError, match="expected a key of 'files'"):
        parsed({**document, "files": {"other": "0" * 64}})
