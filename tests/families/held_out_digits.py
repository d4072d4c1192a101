"""100 real handwritten digits of the quarter that the sample classifier was not trained with, ten of each.

`held_out_digits.png` shows them as tiles of 8×8 pixels, one row a digit, 16 levels of ink times 15.
They are scikit-learn's, from the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak),
CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_SHEET = Path(__file__).with_name("held_out_digits.png")


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """`(100, 8, 8)` in 0..1, 1 being ink, and which digit each is."""
    sheet = cv2.imread(str(_SHEET), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 240
    tiles = sheet.reshape(10, 8, 10, 8).transpose(0, 2, 1, 3).reshape(100, 8, 8)
    return tiles, np.repeat(np.arange(10), 10)
