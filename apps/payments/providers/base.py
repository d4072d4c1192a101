"""What a payment provider does for us. A provider keeps nothing in our database and decides nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from apps.accounts.models import User
from apps.payments.models import Payout, TopUp


class ProviderError(Exception):
    """`temporary`: the same call may work later. Otherwise it was refused, and `str()` says why."""

    def __init__(self, text: str, *, temporary: bool) -> None:
        super().__init__(text)
        self.temporary = temporary


class BadSignature(Exception):
    """The body was not signed with our secret, or too long ago."""


@dataclass(frozen=True)
class Checkout:
    session_id: str
    url: str  # where the person pays


@dataclass(frozen=True)
class Connected:
    account_id: str
    ready: bool  # money would be sent there
    url: str  # where the person fills in what is missing; empty when nothing is


class Provider(ABC):
    name: str

    @property
    @abstractmethod
    def mode(self) -> str:
        """sandbox, test or live: which kind of money it moves."""

    @abstractmethod
    def checkout(self, topup: TopUp, *, done_url: str, cancel_url: str) -> Checkout:
        """A page to pay on. Again for the same top-up: the same page."""

    @abstractmethod
    def event(self, body: bytes, signature: str) -> dict[str, Any]:
        """A webhook's body, an event in Stripe's form, if it was signed for us lately. BadSignature."""

    @abstractmethod
    def connect(self, user: User, account_id: str, return_url: str) -> Connected:
        """The seller's account at the provider, made when `account_id` is empty."""

    @abstractmethod
    def transfer(self, payout: Payout) -> str:
        """Send the money; the provider's id of it. Again for the same payout: the same transfer."""
