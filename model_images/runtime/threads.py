"""One thread a process. Import this before NumPy or OpenCV: their libraries read the environment once.

Nodes run one process a core; two processes with two threads each were measured slower than one.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_name, "1")
