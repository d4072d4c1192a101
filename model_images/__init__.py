from __future__ import annotations

import os

# ONNX Runtime's official builds report to their maker from 1.29 on, and keep a device id in the home folder,
# unless this is set before they are imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
