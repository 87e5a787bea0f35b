"""The command that measures this machine."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from edgesim.calibrate.profile.options import ProfileOptions
from edgesim.cli.session import Session
from edgesim.common.errors import InputError, write_error
from edgesim.common.extras import require


def profile(session: Session, options: ProfileOptions) -> None:
    """Measure this machine: operators, models, messages, power. Writes a device for scenarios."""
    require("`edgesim profile`", "profile")
    _check(options)
    _check_writable(options.out)
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


def _check_writable(path: Path) -> None:
    """Find out whether a file can be written, before minutes are spent.

    Raises:
        InputError: it is a folder, or its path is wrong.
        EdgesimError: it cannot be written for another reason.
    """
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if path.is_dir():
        raise InputError(f"--out: {path} is a folder; name a file")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise write_error(f"cannot write {path}", error) from None


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
