"""The command that measures this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgesim.calibrate.profile.options import ProfileOptions
from edgesim.cli.session import Session
from edgesim.common.errors import InputError
from edgesim.common.extras import require
from edgesim.common.files import prepare_file


def profile(session: Session, options: ProfileOptions) -> None:
    """Measure this machine: operators, models, messages, power. Writes a device for scenarios."""
    require("`edgesim profile`", "profile")
    _check(options)
    prepare_file(options.out)
    # Only now what takes seconds to load.
    from edgesim.calibrate.profile import device_yaml, table
    from edgesim.calibrate.profile.profile import measure

    with session.bar("steps") as bar:
        found = measure(options, bar.update)
    document = table.document(found)

    def write() -> Path:
        device_yaml.write(found, options.out)
        return options.out

    name = str(options.out)
    session.finish(
        document,
        partial(table.show, document),
        write=write,
        hint=f". In a scenario: device: {name if '/' in name else f'./{name}'}",
        work="profile",
    )


def _check(options: ProfileOptions) -> None:
    """Check the options before anything is measured.

    Raises:
        InputError: one is wrong.
    """
    from edgesim.calibrate.profile.machine import usable

    served = options.artifact is not None or options.models
    if options.out.suffix not in (".yaml", ".yml"):
        raise InputError(f"--out: expected a file that ends in .yaml, got {options.out}")
    if options.device not in ("cpu", "cuda"):
        raise InputError(f"--device: expected cpu or cuda, got {options.device!r}")
    if options.precision not in ("fp32", "fp16", "bf16"):
        raise InputError(f"--precision: expected fp32, fp16 or bf16, got {options.precision!r}")
    if options.cpus is not None and (absent := options.cpus - set(usable())):
        absent_text, usable_text = (",".join(map(str, sorted(one))) for one in (absent, usable()))
        raise InputError(f"--cpus: no processor {absent_text}; this process may use {usable_text}")
    if options.precision != "fp32" and served:
        raise InputError(
            f"--precision: parts and models of nodes are fp32, not {options.precision}"
        )
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InputError("--device cuda: torch finds no GPU here; leave it out for the CPU")
        if served:
            raise InputError(
                "--device cuda: nodes compute on the CPU; leave --artifact and --model out"
            )
    if options.models:
        from edgesim.calibrate.profile.model_artifact import check_servable

        for name in options.models:
            check_servable(name)
    if options.artifact is not None:
        from edgesim import artifact

        artifact.load(options.artifact)
