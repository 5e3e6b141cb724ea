#!/usr/bin/env python3
"""Real Kubernetes for the tests, on this machine, on loopback, without root.

    lab.py run [--with controller-manager,scheduler] [--moto] [--crds PATH] -- COMMAND...
    lab.py up  [--with controller-manager,scheduler] [--moto] [--crds PATH]
    lab.py build [NAME...]

The command finds, besides KUBECONFIG and kubectl and helm first on its PATH:

    PLUMBLINE_PYTHON            the Python that runs this, for which moto is installed
    PLUMBLINE_TEST_BIN          the folder with kubectl, helm and the others
    PLUMBLINE_KUBE_AUDIT_LOG    every call that reached the API server: one JSON object a line, level Metadata
    PLUMBLINE_CLUSTER_LOGS      the folder with everybody's log
    PLUMBLINE_CLUSTER_CONTROL   POST /restart-apiserver and its like: see labkit/control.py
    PLUMBLINE_MOTO              with --moto: S3, SNS, SQS, STS, IAM

From Python: `with Lab(controller_manager=True, moto=True) as lab: lab.kubectl("get", "ns")`.
"""

import sys

sys.dont_write_bytecode = True  # a test run leaves no trace in the tree

from labkit.cli import main  # noqa: E402
from labkit.lab import Lab  # noqa: E402

__all__ = ["Lab", "main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
