from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data


@pytest.fixture(scope="session")
def photo():
    """`(384, 512, 3)`: a real photograph."""
    return np.ascontiguousarray(cv2.resize(data.astronaut(), (512, 384), interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="session")
def other_photo():
    return np.ascontiguousarray(cv2.resize(data.coffee(), (512, 384), interpolation=cv2.INTER_AREA))


@pytest.fixture
def noise():
    """`(23, 17)` grey, every value likely."""
    return np.random.default_rng(5).integers(0, 256, (23, 17), dtype=np.uint8)
