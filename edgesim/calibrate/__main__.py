"""``python -m edgesim.calibrate``: fit the catalog's figures and tell how well they predict."""

from __future__ import annotations

import argparse
import json
from importlib.resources import files
from pathlib import Path

from edgesim.calibrate.fit import document
from edgesim.calibrate.report import report
from edgesim.common.errors import InputError
from edgesim.common.extras import require
from edgesim.common.files import write_text


def main() -> None:
    """Fit, print, and with ``--write`` put the figures into the catalog."""
    parser = argparse.ArgumentParser(
        prog="python -m edgesim.calibrate",
        description="Fit efficiencies, overheads and bandwidths to published figures.",
    )
    parser.add_argument("--write", action="store_true", help="write the catalog's fitted figures")
    parser.add_argument("--rows", action="store_true", help="print every row")
    arguments = parser.parse_args()
    try:
        require(parser.prog, "profile")
    except InputError as error:
        parser.exit(2, f"{error}\n")
    if arguments.write:
        path = Path(str(files("edgesim.hardware.catalog") / "fitted.json"))
        write_text(path, json.dumps(document(), indent=1) + "\n")
        print(f"Wrote {path.name}\n")
    print(report(rows=arguments.rows))


if __name__ == "__main__":
    main()
