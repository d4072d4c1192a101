from __future__ import annotations

import sys

from marketplace.embedded.main import main

sys.exit(main(sys.argv[1:]))
