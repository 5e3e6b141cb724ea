"""The lab of tests/cluster, for the demo."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

from labkit.errors import LabError  # noqa: E402
from labkit.lab import Ended, Lab  # noqa: E402
from labkit.moto import provide as moto_python  # noqa: E402
from labkit.processes import Child, answers, free_port, retry_ports  # noqa: E402

__all__ = ["ROOT", "Child", "Ended", "Lab", "LabError", "answers", "free_port", "moto_python", "retry_ports"]
