"""From an uploaded file to weights that can be served, one step a call:

    python -m model_images.converter convert --upload FILE --name NAME --family F --out DIR
                                             [--architecture A] [--labels labels.json]
    python -m model_images.converter check --out DIR
    python -m model_images.converter measure --out DIR

Each prints one JSON object as the last line of its output and ends with 0 ({"status": "ok", …}) or 3
({"status": "rejected", "code", "message"}); any other end is a crash. The upload is opened by a locked-in
child process only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from model_images.converter import supervise
from model_images.converter.steps import Options
from model_images.runtime.metadata import Family

EXIT_OK, EXIT_CRASH, EXIT_REJECTED = 0, 1, 3


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        answer = supervise.run(_options(arguments))
    except supervise.Crashed as crash:
        sys.stderr.write(f"{crash}\n")
        return EXIT_CRASH
    sys.stdout.write(json.dumps(answer, ensure_ascii=True) + "\n")
    return EXIT_OK if answer["status"] == "ok" else EXIT_REJECTED


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m model_images.converter")
    steps = parser.add_subparsers(dest="step", required=True)
    convert = steps.add_parser("convert", help="make ONNX of an upload")
    convert.add_argument("--upload", type=_file, required=True)
    convert.add_argument("--name", default="", help="what the seller calls the file; only shown")
    convert.add_argument("--family", choices=get_args(Family), required=True)
    convert.add_argument("--architecture", help="which network it is, where its shapes don't tell")
    convert.add_argument("--labels", type=_file, help="JSON: the names of the classes, in order")
    check = steps.add_parser("check", help="check the ONNX file and try it")
    measure = steps.add_parser("measure", help="measure it, make samples and the card")
    for step in (convert, check, measure):
        step.add_argument("--out", type=_folder, required=True)
    return Options(**vars(parser.parse_args(arguments)))


def _file(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file")
    return path


def _folder(text: str) -> Path:
    path = Path(text).resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
