"""The sell pages' forms. What they say goes to the services, which check it once more."""

from __future__ import annotations

from django import forms

from apps.catalog.models import MAX_PRICE, MAX_PRICE_PER_IMAGE, Family, Listing
from apps.catalog.services.listings import MAX_DESCRIPTION, MAX_TITLE

FAMILY_WORDS = {
    Family.YOLOV5: ("Detector", "Finds objects: YOLOv5, as .pt or .onnx"),
    Family.GAN: ("Generator", "Makes pictures: CycleGAN, pix2pix, ESRGAN, DCGAN"),
    Family.CLASSIFIER: ("Classifier", "Says what a photo shows: ResNet, MobileNet, EfficientNet, Inception"),
}


class NewListing(forms.Form):
    title = forms.CharField(
        max_length=MAX_TITLE,
        help_text="What buyers look for, such as “Traffic signs at night”. It can be changed later.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    family = forms.ChoiceField(choices=Family.choices)

    @property
    def families(self) -> list[tuple[str, str, str]]:
        return [(value, *FAMILY_WORDS[Family(value)]) for value in Family.values]


class ListingForm(forms.Form):
    title = forms.CharField(max_length=MAX_TITLE)
    description = forms.CharField(
        max_length=MAX_DESCRIPTION,
        required=False,
        help_text="What it was trained on, what it is good at, what not. The first line stands in lists.",
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    price = forms.IntegerField(
        label="Price", min_value=0, max_value=MAX_PRICE, help_text="Credits, once. 0: free."
    )
    price_per_image = forms.IntegerField(
        label="Price per image",
        min_value=0,
        max_value=MAX_PRICE_PER_IMAGE,
        help_text="Credits for each result, on top. Photos that fail cost nothing.",
    )
    licence = forms.ChoiceField(
        choices=[
            (Listing.Licence.RUN.value, "Run here only: buyers never get the file"),
            (Listing.Licence.DOWNLOAD.value, "Run here, and download the file"),
        ]
    )
    commercial_use = forms.BooleanField(label="Results may be used commercially", required=False)

    @classmethod
    def of(cls, listing: Listing) -> ListingForm:
        return cls(initial={name: getattr(listing, name) for name in cls.base_fields})
