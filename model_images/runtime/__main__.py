"""The runtime's command line.

describe [--write]                  the catalogue of processors, as JSON
batch --job DIR --worker NAME       work through a job folder, locked in
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from pathlib import Path

from model_images.runtime import threads

assert threads  # noqa: S101 - imported first: it sets the environment that NumPy reads


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    chosen = parser.parse_args(arguments)
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s: %(message)s"
    )
    run = {"describe": _describe, "batch": _batch, "serve": _serve, "node": _node}[chosen.command]
    return run(chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_images.runtime", description="Runs image apps.")
    commands = parser.add_subparsers(dest="command", required=True)

    describe = commands.add_parser("describe", help="print the catalogue of processors as JSON")
    describe.add_argument("--write", action="store_true", help="write it to model_images/catalog.json")

    batch = commands.add_parser("batch", help="work through a job folder until nothing is pending")
    batch.add_argument("--job", type=Path, required=True, help="the job's folder, DATA_DIR/jobs/<id>")
    batch.add_argument("--worker", required=True, help="a name that no other worker of the job has")
    batch.add_argument("--node", default=os.environ.get("NODE_NAME", "local"))
    batch.add_argument(
        "--supervise",
        action="store_true",
        help="look after the worker from a second process (in a container)",
    )

    serve = commands.add_parser("serve", help="answer previews over HTTP")
    serve.add_argument("--node", default=os.environ.get("NODE_NAME", "local"))
    serve.add_argument("--data", type=Path, default=Path(os.environ.get("DATA_DIR") or "var"))
    serve.add_argument("--host", default="127.0.0.1", help="other than loopback needs RUNTIME_TOKEN")
    serve.add_argument("--port", type=int, default=0, help="0: any that is free")
    serve.add_argument("--url", default="", help="how others reach it; default: http://HOST:PORT")
    serve.add_argument("--slots", type=int, default=1, help="previews at once")
    serve.add_argument("--cores", default=os.environ.get("NODE_CORES", ""), help='such as "0,2-3"')
    serve.add_argument(
        "--name", default="", help="of its own, where several share a node; default: the node's"
    )
    serve.add_argument(
        "--family", default=os.environ.get("RUNTIME_FAMILY", ""), help="offer this family's apps only"
    )
    serve.add_argument(
        "--linger", type=float, default=0.0, help="seconds to go on answering after SIGTERM, unannounced"
    )

    commands.add_parser("node", help="run a node worker; see docs/architecture/03-runtime.md")
    return parser


def _describe(chosen: argparse.Namespace) -> int:
    from model_images.runtime import catalog

    if chosen.write:
        sys.stdout.write(f"{catalog.write()} written\n")
    else:
        sys.stdout.write(catalog.text())
    return 0


def _batch(chosen: argparse.Namespace) -> int:
    from model_images.runtime import alone, child

    arguments = chosen.job.resolve(), chosen.worker, chosen.node
    return alone.main(*arguments) if chosen.supervise else child.main(*arguments)


def _serve(chosen: argparse.Namespace) -> int:
    from model_images.runtime import listen

    return listen.main(chosen)


def _node(chosen: argparse.Namespace) -> int:
    node = importlib.import_module("model_images.node")  # Celery has no types
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    node.app.worker_main(["--quiet", "worker", "-n", f"{node.SETTINGS.node}@%h", *quiet])
    return 0


if __name__ == "__main__":
    sys.exit(main())
