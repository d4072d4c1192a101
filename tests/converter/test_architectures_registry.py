"""Every architecture: known by name, and no state dict fits two of them."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from model_images.converter.architecture import Checkpoint, Rejected  # noqa: E402 - after the check for torch
from model_images.converter.registry import find, known  # noqa: E402
from tests.converter import test_classifiers_build, test_generators_build  # noqa: E402

OWN = {
    "resnet_generator",
    "unet_generator",
    "rrdbnet",
    "dcgan",
    "torchvision_resnet",
    "mobilenet_v2",
    "efficientnet_b0",
    "inception_v3",
}
NETWORKS = {**test_classifiers_build.NETWORKS, **test_generators_build.NETWORKS}


def _state(kind):
    make = NETWORKS[kind]
    with torch.device("meta"):
        return (make(10) if kind in test_classifiers_build.NETWORKS else make()).state_dict()


def test_all_are_found():
    assert set(known()) >= OWN


@pytest.mark.parametrize("kind", NETWORKS)
def test_exactly_one_matches(kind):
    checkpoint = Checkpoint(_state(kind))

    matching = [a.name for a in known().values() if a.matches(checkpoint)]

    assert len(matching) == 1
    assert matching[0] in OWN


@pytest.mark.parametrize("name", sorted(OWN))
def test_named_for_weights_of_something_else_is_refused_in_words(name):
    family = known()[name].family
    for kind in NETWORKS:
        checkpoint = Checkpoint(_state(kind))
        if known()[name].matches(checkpoint):
            continue
        with pytest.raises(Rejected) as refused:
            find(checkpoint, family, name).build(checkpoint, [str(n) for n in range(10)])
        assert refused.value.code in {"keys_mismatch", "channels"}


def test_nothing_matches_other_weights():
    states = [
        {},
        {"weight": torch.zeros(3)},
        {"model.1.weight": torch.zeros(3)},
        {"main.0.weight": torch.zeros(4, 4)},
    ]

    assert not [a.name for state in states for a in known().values() if a.matches(Checkpoint(state))]


def test_wrong_family_is_told():
    checkpoint = Checkpoint(_state("dcgan_64"))

    with pytest.raises(Rejected) as refused:
        find(checkpoint, "classifier")

    assert refused.value.code == "wrong_family"
