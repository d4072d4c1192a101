"""The picture that the sample generator learns to paint: a photo as a comic, made by classical filters.

Smooth areas with kept edges (repeated bilateral filtering), brightness in soft steps and stronger colours
(after Winnemöller, Olsen and Gooch, Real-Time Video Abstraction, 2006), and ink lines from an extended
difference of Gaussians (Winnemöller, XDoG, 2011).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]
Floats = NDArray[np.float32]

_BILATERAL = 4  # times
_STEPS = 7  # of brightness
_SATURATION = 1.35


def comic(photo: Array) -> Array:
    """`(h, w, 3)` uint8 RGB to the same."""
    smooth = photo
    for _ in range(_BILATERAL):
        smooth = cv2.bilateralFilter(smooth, 7, 28, 5)
    lab = cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    ink = _ink(cv2.GaussianBlur(lab[..., 0], (0, 0), 0.7) / 100)
    lab[..., 0] = _in_steps(lab[..., 0] / 100) * 100
    lab[..., 1:] *= _SATURATION
    painted = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * ink[..., None]
    result: Array = np.rint(painted * 255).astype(np.uint8)
    return result


def _in_steps(light: Floats) -> Floats:
    """0..1 to 0..1 in `_STEPS` steps with soft edges, a little brighter in the middle."""
    light = np.clip(light, 0, 1) ** 0.9
    scaled = light * _STEPS
    nearest = np.rint(scaled)
    stepped: Floats = (nearest + 0.5 * np.tanh((scaled - nearest) * 6) / np.tanh(3)) / _STEPS
    return (0.8 * stepped + 0.2 * light).astype(np.float32)


def _ink(light: Floats) -> Floats:
    """1 where there is paper, towards 0 on dark sides of edges. `light` 0..1, `(h, w)`."""
    near = cv2.GaussianBlur(light, (0, 0), 1.0)
    far = cv2.GaussianBlur(light, (0, 0), 1.6)
    sharpened = near - 0.98 * far
    ink: Floats = np.where(sharpened > 0, 1, 1 + np.tanh(90 * sharpened)).astype(np.float32)
    return np.clip(ink, 0.08, 1)
