"""The process of one run: calls the function that `frame` names, and prints what it returns."""

import importlib
import json
import sys

from benchmarks.frame import peak_memory


def main(name: str, arguments: str) -> None:
    module, function = name.split(":")
    run = getattr(importlib.import_module(module), function)(*json.loads(arguments))
    # A function that goes on behind what counts says itself what the peak was.
    print(json.dumps({"peak": peak_memory()} | run))


if __name__ == "__main__":
    main(*sys.argv[1:])
