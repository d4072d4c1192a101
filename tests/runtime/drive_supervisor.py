"""A node without a broker: runs the placements named on the command line at once, prints how each ended."""

from __future__ import annotations

import json
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model_images.runtime import supervisor


def main() -> None:
    data_dir, options, *placements = sys.argv[1:]
    logging.basicConfig(level="INFO")
    for name, value in json.loads(options).items():
        setattr(supervisor, name, value)
    node = supervisor.Supervisor(Path(data_dir), "node-1")
    signal.signal(signal.SIGTERM, lambda *_: node.stop())
    node.start()
    with ThreadPoolExecutor(8) as pool:
        ended = pool.map(lambda placement: node.run(*placement.split(":")), placements)
        sys.stdout.write(json.dumps(list(ended)))


if __name__ == "__main__":
    main()
