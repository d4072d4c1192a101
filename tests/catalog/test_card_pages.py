"""How a model card's numbers read."""

from __future__ import annotations

import pytest

from apps.catalog.templatetags.catalog_pages import input_words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"width": 160, "height": 160, "color": "rgb"}, "160 × 160 px, rgb"),
        ({"free_size": True, "resize": "native", "color": "gray"}, "any size, gray"),
        (
            {"free_size": True, "resize": "letterbox", "resize_to": 640},
            "640 px on the longest side, any shape, rgb",
        ),
        ({"latent": 100}, "noise, 100 values"),
        (None, ""),
    ],
)
def test_input_is_told_in_words(given, words):
    assert input_words({"input": given}) == words
