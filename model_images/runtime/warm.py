"""Imported once by the fork server: everything that a batch needs, so that its children start with it in
memory."""

from __future__ import annotations

import gc
import os

from model_images.runtime import threads  # isort: skip - first: it sets what NumPy reads

from PIL import Image

from model_images.runtime import child, sessions
from model_images.runtime.registry import processors

assert threads and child  # noqa: S101 - imported for their effect

Image.init()  # Pillow imports its plugins at the first use otherwise
if any(processor.needs_weights for processor in processors().values()):
    sessions.preload()  # starts no thread, so forking stays safe; sessions themselves are made after the fork
gc.collect()
gc.freeze()  # a child's collector leaves these objects alone, and the pages shared

SERVER_PID = os.getpid()
