"""Fake nodes with the cluster's own key that misbehave, and a coordinator that asks them.

``python -m tests.abuse.peers --replies 10000 --seed 1`` draws replies (random bytes, changed valid
replies, errors, silence), lets a coordinator run scenarios on the nodes that send them, and prints
what came of them. It exits with 1 where a request is not accounted for, an error is raised, or a
figure of the result is impossible.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import numpy as np
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from edgesim.common.text import visible
from tests.edgesim.command import ROOT, environment

ARTIFACT = ROOT / "examples" / "fashion-2"
NODES = {"hub": ("fusion",), "pi-0": ("part-0",), "pi-1": ("part-1",)}
REQUESTS = 20
"""Of one run; each asks two parts and their fusion."""
DEADLINE_S = 0.5
"""Of drawn replies, some of which never come."""
Flaw = list[Any]
"""What a node does instead of answering: a kind, and what it takes."""
VALID: Flaw = ["valid"]
HOSTILE = "\x1b[2J\x07\x9b31m\u202e" + "x" * 3000
PARAMETERS = ("queue_ns", "compute_ns", "processor_ns", "batch", "waiting")


# What a fake node sends


def valid_reply(request: Any, width: int) -> Any:
    """Return the message that an honest node would send; it computed for no time."""
    from edgesim.serve.protocol import open_inference_pb2 as wire

    reply = wire.ModelInferResponse(
        model_name=request.model_name, model_version=request.model_version, id=request.id
    )
    for name in PARAMETERS:
        reply.parameters[name].int64_param = 1
    samples = request.inputs[0].shape[0]
    reply.outputs.add(name=request.outputs[0].name, datatype="FP32", shape=(samples, width))
    reply.raw_output_contents.append(np.ones(samples * width, "<f4").tobytes())
    return reply


def flawed_bytes(flaw: Flaw, reply: Any) -> bytes:
    """Return the bytes that a node sends in place of a valid reply."""
    kind, *rest = flaw
    if kind == "bytes":
        return bytes.fromhex(rest[0])
    if kind == "set":
        for name, value in rest[0].items():
            setattr(reply, name, value)
    elif kind == "large":
        reply.raw_output_contents.append(bytes(rest[0]))
    elif kind == "parameters":
        for name, value in rest[0].items():
            if value is None:
                reply.parameters.pop(name, None)
            else:
                one = reply.parameters[name]
                setattr(one, "string_param" if isinstance(value, str) else "int64_param", value)
    elif kind == "output":
        for name, value in rest[0].items():
            if name == "shape":
                reply.outputs[0].shape[:] = value
            elif name == "raw":
                reply.raw_output_contents[:] = [bytes.fromhex(one) for one in value]
            elif name == "count":
                reply.outputs.extend([reply.outputs[0]] * (value - 1))
            else:
                setattr(reply.outputs[0], name, value)
    data = bytearray(reply.SerializeToString())
    if kind == "flip":
        for place, mask in rest[0]:
            data[place % len(data)] ^= mask
    elif kind == "cut":
        del data[rest[0] % len(data) :]
    return bytes(data)


async def serve(keys: Path, widths: Mapping[str, int], nodes: int) -> None:
    """Answer until the input ends: each line has flaws by model, used in turn from then on."""
    from edgesim.serve.protocol import open_inference_pb2 as wire
    from tests.edgesim.serve.fake import start_fake_nodes

    script: dict[str, list[Flaw]] = {}
    sent: Counter[str] = Counter()

    async def model_ready(request: bytes, context: Any) -> bytes:
        flaw = script.get("ready", [VALID])[0]
        return flawed_bytes(flaw, wire.ModelReadyResponse(ready=True))

    async def model_infer(request: bytes, context: Any) -> bytes:
        asked = wire.ModelInferRequest.FromString(request)
        flaws = script.get(asked.model_name, [VALID])
        flaw = flaws[sent[asked.model_name] % len(flaws)]
        sent[asked.model_name] += 1
        if flaw[0] == "hang":
            await asyncio.sleep(3600.0)
        if flaw[0] == "abort":
            await context.abort(grpc.StatusCode[flaw[1]], flaw[2])
        return flawed_bytes(flaw, valid_reply(asked, widths[asked.model_name]))

    methods = {"ModelReady": model_ready, "ModelInfer": model_infer}
    server = await start_fake_nodes(keys, nodes, methods)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(sent.total(), flush=True)
        script = json.loads(line)
        sent.clear()
    await server.stop(None)


# The coordinator that asks them


class Peers:
    """The fake nodes of a cluster, in one process, and the scenario that names them."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.keys = folder / "keys"
        addresses = dict(zip(NODES, self._line().split(), strict=True))
        self.file = folder / "scenario.yaml"
        document = {
            "name": "peers",
            "seed": 7,
            "model": {"artifact": str(ARTIFACT)},
            "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
            "nodes": {
                name: {"device": "raspberry-pi-4b", "address": address}
                for name, address in addresses.items()
            },
            "network": {"switch": {"bandwidth": "1 Gbit/s"}},
            "traffic": {"arrivals": "closed", "requests": REQUESTS},
        }
        self.file.write_text(yaml.safe_dump(document))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def script(self, script: Mapping[str, Sequence[Flaw]]) -> int:
        """Let the nodes do this from now on; return how many replies they were asked for before."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(script) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def run(
        self,
        script: Mapping[str, Sequence[Flaw]],
        *,
        requests: int = REQUESTS,
        concurrency: int = 4,
        deadline_s: float = 60.0,
    ) -> Any:
        """Return the result of a coordinator's run on nodes that do what is in the script.

        Args:
            script: what the nodes do instead of answering, in turn, by model.
            requests: of the run.
            concurrency: requests at a time.
            deadline_s: of a part; what an honest node takes on a busy machine is less.
        """
        from edgesim import api
        from edgesim.serve.access import read_access
        from edgesim.serve.coordinator import run
        from edgesim.serve.coordinator.images import Images
        from edgesim.serve.coordinator.policy import Policy
        from edgesim.simulate.recovery import Health, Retry

        self.script(script)
        policy = Policy(
            deadline_s=deadline_s, retry=Retry(attempts=1), health=Health(interval_s=60.0),
            patience_s=60.0,
        )  # fmt: skip
        traffic = f"{{arrivals: closed, concurrency: {concurrency}, requests: {requests}}}"
        scenario = api.load(self.file, overrides=[f"traffic={traffic}"])
        access = read_access(self.keys / "client", plain=False)
        # The data set of the artifact would be read for every run.
        noise = Images(np.zeros((1, 1, 32, 32), np.float32), None, "zeros are sent")
        with mock.patch.object(run, "find_images", return_value=noise):
            return run.run(scenario, access, policy)


@contextmanager
def peers(folder: Path) -> Iterator[Peers]:
    """Start fake nodes with keys of their own; they do not outlive the context."""
    from edgesim.serve.keys import make_keys
    from partition import read_manifest

    make_keys(folder / "keys", ["localhost"])
    manifest = read_manifest(ARTIFACT)
    widths = {f"part-{number}": part.feature_bytes // 4 for number, part in
              enumerate(manifest.parts)} | {"fusion": manifest.fusion.widths[-1]}  # fmt: skip
    command = [sys.executable, "-m", "tests.abuse.peers", "--serve", folder / "keys" / "localhost",
               json.dumps(widths), len(NODES)]  # fmt: skip
    process = subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            yield Peers(process, folder)
        finally:
            process.kill()
            process.wait()


def impossible(result: Any, requests: int = REQUESTS) -> list[str]:
    """Return what is wrong with a result, whatever the nodes sent."""
    summary, recording = result.summary, result.recordings[0]
    counts = summary["requests"]
    found = []
    if counts["offered"] != requests or sum(counts.values()) != 2 * requests:
        found.append(f"not every request is accounted for: {counts}")
    if sum(summary["failures"].values()) != counts["failed"]:
        found.append(f"{counts['failed']} failed, reasons of {summary['failures']}")
    if bool(summary["lost_parts"]) != bool(counts["degraded"]):
        found.append(f"{counts['degraded']} degraded, reasons of {summary['lost_parts']}")
    answered = np.isfinite(recording.latency_s)
    parts = np.array([column[answered] for column in recording.breakdown_s.values()])
    if answered.any():
        if (parts < -1e-9).any():
            found.append(f"a time below 0: {parts.min()}")
        if not np.allclose(parts.sum(0), recording.latency_s[answered], rtol=1e-9, atol=1e-9):
            found.append("parts of the latency do not sum to it")
    for name, node in summary["nodes"].items():
        if not 0.0 <= node["utilization"] <= 1.0:
            found.append(f"{name} was busy {node['utilization']:.3g} of the time")
    if result.partial or (result.failure and counts["failed"] < requests):
        found.append(f"ended early: {result.failure}")
    texts = [*summary["warnings"], *summary["failures"], *summary["lost_parts"]]
    if any(visible(text) != text or len(text) > 1000 for text in texts):
        found.append(f"text of a node is printed as it is: {texts}")
    json.dumps(summary, allow_nan=False)
    return found


# What is drawn

_WORDS = st.text(max_size=20) | st.just(HOSTILE)
_INTEGERS = st.sampled_from([-1, 0, 1, 2, 35, 1 << 31, -(1 << 63), (1 << 63) - 1]) | st.integers(
    -(1 << 63), (1 << 63) - 1
)
_CODES = ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "DATA_LOSS", "CANCELLED")


def flaws() -> st.SearchStrategy[Flaw]:
    """Return what a node may do instead of answering."""
    one = st.tuples(st.integers(0, 1 << 16), st.integers(1, 255)).map(list)
    raws = st.lists(st.binary(max_size=200).map(bytes.hex), max_size=3)
    return st.one_of(
        st.just(VALID),
        st.binary(max_size=300).map(lambda data: ["bytes", data.hex()]),
        st.lists(one, min_size=1, max_size=4).map(lambda places: ["flip", places]),
        st.integers(0, 1 << 16).map(lambda length: ["cut", length]),
        st.dictionaries(
            st.sampled_from(["model_name", "model_version", "id"]), _WORDS, min_size=1
        ).map(lambda fields: ["set", fields]),
        st.dictionaries(
            st.sampled_from([*PARAMETERS, "other"]),
            _INTEGERS | st.none() | st.text(max_size=5),
            min_size=1,
        ).map(lambda values: ["parameters", values]),
        st.fixed_dictionaries(
            {},
            optional={
                "name": _WORDS,
                "datatype": st.sampled_from(["FP64", "FP16", "BYTES", "", "FP32"]),
                "shape": st.lists(_INTEGERS, max_size=12),
                "raw": raws,
                "count": st.integers(1, 4),
            },
        ).map(lambda fields: ["output", fields]),
        st.tuples(st.sampled_from(_CODES), _WORDS).map(lambda pair: ["abort", *pair]),
        # Silence takes the deadline: one in ten of one in nine.
        st.integers(0, 9).map(lambda chance: ["hang"] if chance == 9 else VALID),
    )


def scripts() -> st.SearchStrategy[dict[str, list[Flaw]]]:
    """Return flaws of every model, for the replies of one run."""
    many = st.lists(flaws(), min_size=REQUESTS // 2, max_size=REQUESTS)
    # A fusion is asked only where a part answered: some of its runs have honest parts.
    part = many | st.just([VALID])
    return st.fixed_dictionaries({"part-0": part, "part-1": many, "fusion": many})


@dataclass
class Tally:
    """What came of the replies.

    Attributes:
        runs: of a coordinator.
        replies: that nodes were asked for.
        requests: by outcome.
        reasons: why calls have no valid reply.
        failures: what was wrong with results, or raised.
        longest_s: of one run.
    """

    runs: int = 0
    replies: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    longest_s: float = 0.0


def fuzz(nodes: Peers, replies: int, start: int) -> Tally:
    """Let a coordinator run on nodes that send drawn replies, until there were so many."""
    tally = Tally()

    @settings(
        # A run asks for 40 replies at least; what is left over is not drawn.
        max_examples=math.ceil(replies / (2 * REQUESTS)),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(scripts())
    def each(script: dict[str, list[Flaw]]) -> None:
        if tally.replies >= replies:
            return
        begun_s = time.perf_counter()
        try:
            result = nodes.run(script, deadline_s=DEADLINE_S)
        except Exception as error:
            tally.failures.append(f"{type(error).__name__}: {str(error)[:200]}; {script}")
        else:
            tally.failures += [f"{one}; {script}" for one in impossible(result)]
            tally.requests.update(result.summary["requests"])
            for kind in ("failures", "lost_parts"):
                for reason, many in result.summary[kind].items():
                    for one in reason.split("; "):
                        what = one.partition(": ")[2].removeprefix("invalid reply: ")
                        tally.reasons[what.partition(":")[0][:60]] += many
        tally.runs += 1
        tally.replies += nodes.script({})
        if tally.runs % 20 == 0:
            print(f"  {tally.replies:,} replies, {len(tally.failures)} failures", file=sys.stderr)
        tally.longest_s = max(tally.longest_s, time.perf_counter() - begun_s)

    seed(start)(each)()
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Send drawn replies to a coordinator; print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.peers", description=__doc__)
    parser.add_argument("--replies", type=int, default=1000, help="that nodes send")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.serve:
        keys, widths, nodes = asked.serve
        asyncio.run(serve(Path(keys), json.loads(widths), int(nodes)))
        return 0
    begun_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, peers(Path(folder)) as nodes:
        tally = fuzz(nodes, asked.replies, asked.seed)
    counts = ", ".join(f"{many:,} {name}" for name, many in tally.requests.items())
    took_s = time.perf_counter() - begun_s
    print(f"{tally.replies:,} replies in {tally.runs:,} runs of {took_s:.0f} s")
    print(f"longest run: {tally.longest_s:.2f} s")
    print(f"requests: {counts}")
    for reason, many in tally.reasons.most_common(20):
        print(f"{many:8,}  {reason}")
    print(f"{len(tally.failures)} failures")
    for failure in tally.failures[:10]:
        print(f"    {failure[:1000]}")
    return int(bool(tally.failures))


if __name__ == "__main__":
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    sys.exit(main())
