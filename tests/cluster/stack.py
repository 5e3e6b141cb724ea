#!/usr/bin/env python3
"""A stack of deploy/aws in a moto: prints its outputs as JSON, one name each.

    stack.py --endpoint URL --account 111122223333 --region eu-west-1 [--name plumbline] [--template region] [KEY=VALUE...]

KEY=VALUE are the template's parameters. Those without a default are filled in.
"""

import argparse
import json
import sys

sys.dont_write_bytecode = True  # a test run leaves no trace in the tree

from labkit import stack  # noqa: E402
from labkit.errors import LabError  # noqa: E402


def main(arguments: list[str]) -> int:
    """Deploy, print; the exit code."""
    parser = argparse.ArgumentParser(description="Deploys a stack of deploy/aws into a moto and prints its outputs as JSON.")
    parser.add_argument("--endpoint", required=True, metavar="URL", help="moto's address, as in $PLUMBLINE_MOTO")
    parser.add_argument("--account", required=True, metavar="ID", help="12 digits")
    parser.add_argument("--region", required=True)
    parser.add_argument("--name", default="plumbline", help="the stack's name, which every name begins with")
    parser.add_argument("--template", default="plumbline", help="plumbline or region")
    parser.add_argument("parameters", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    parameters = dict(one.split("=", 1) for one in options.parameters)
    try:
        outputs = stack.deploy(options.endpoint, options.account, options.region, options.name, parameters, options.template)
    except (KeyError, ValueError, LabError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(outputs, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
