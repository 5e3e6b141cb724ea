"""The lab of tests/cluster, for the bench."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

from labkit.errors import LabError  # noqa: E402
from labkit.lab import Ended, Lab  # noqa: E402
from labkit.processes import Child, Watchdog, answers, free_port  # noqa: E402

__all__ = ["ROOT", "Child", "Ended", "Lab", "LabError", "Watchdog", "answers", "free_port"]
