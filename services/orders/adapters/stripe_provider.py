"""Stripe as the payment provider.

A charge is a PaymentIntent that is created and confirmed in one call, under our key as the idempotency key
and with our key in its metadata, by which it is found again. Declines are answers. Whatever else goes wrong
is raised: it means that nothing is known, and the janitor asks later. The library repeats nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import stripe

from chassis.kernel.money import Money, exponent
from services.orders.adapters.provider_events import KEY
from services.orders.domain.attempt import Action, Charge, Outcome
from services.orders.domain.refund import ChargeReference, RefundAnswer

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams

API_VERSION: Final = "2025-03-31.basil"
"""The version of the API whose answers are read here; it does not change with the library."""

HARD_DECLINES: Final = frozenset(
    {
        "expired_card",
        "fraudulent",
        "incorrect_number",
        "invalid_account",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    }
)
"""Decline codes after which the same means never works; every other one may work later."""

# Currencies whose amounts Stripe counts in another unit than ISO 4217 says: digits after the point.
_DIGITS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}
_UNEXPECTED_STATE: Final = 400
"""What Stripe answers where the state of a charge forbids something."""
_WHOLE_TENS: Final = 3
"""Digits of the currencies whose last digit Stripe demands to be zero."""


class NotRepresentable(Exception):
    """An amount that Stripe cannot charge."""


class NotKnown(Exception):
    """Stripe has not made up its mind."""


def with_payment(url: str, payment: str) -> str:
    """An address of the shop that says which payment comes back; whatever it asks for itself stays."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("payment", payment)]
    return urlunsplit(parts._replace(query=urlencode(query)))


class StripeProvider:
    """Implements the port `PaymentProvider`. A token is the id of a PaymentMethod."""

    name: Final = "stripe"

    def __init__(
        self, key: str, *, url: str = "", return_url: str = "", timeout_seconds: float = 10.0
    ) -> None:
        """`url` is another address of the API, for tests. A buyer who has to act is sent to `return_url`
        after it, with the name of the payment in its query; without one a program in his browser has to go
        on by the client secret.
        """
        self._return_url = return_url
        self._http = stripe.HTTPXClient(timeout=timeout_seconds)
        self._client = stripe.StripeClient(
            key,
            base_addresses={"api": url} if url else None,
            http_client=self._http,
            # A repetition is the janitor's affair: it is recorded and asks before.
            max_network_retries=0,
            stripe_version=API_VERSION,
        )

    async def close(self) -> None:
        """Gives its connections up."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def charge(
        self, key: str, amount: Money, token: str, *, attended: bool, payment: str = ""
    ) -> Charge:
        """Charges once for each key, as long as Stripe remembers it; a decline is an answer."""
        try:
            minor = minor_units(amount)
        except NotRepresentable:
            return Charge(Outcome.HARD_DECLINE, "amount_not_representable")
        wish: dict[str, Any] = {
            "amount": minor,
            "currency": amount.currency.lower(),
            "payment_method": token,
            "payment_method_types": ["card"],
            "confirm": True,
            "off_session": not attended,
            "metadata": {KEY: key},
        }
        if attended and self._return_url:
            wish["return_url"] = with_payment(self._return_url, payment)
        try:
            intent = await self._client.v1.payment_intents.create_async(
                cast("PaymentIntentCreateParams", wish), {"idempotency_key": key}
            )
        except stripe.CardError as error:
            return declined(_code(error))
        except stripe.InvalidRequestError as error:
            if error.http_status in {400, 404} and error.param in {"payment_method", None}:
                return Charge(Outcome.HARD_DECLINE, error.code or "invalid_token")
            raise
        return await self._answer(intent)

    async def lookup(self, key: str, reference: str = "") -> Charge | None:
        """What became of a key. Stripe finds a new charge within a minute or so, long before it is asked; by
        its own name for it, at once.
        """
        if reference:
            return await self._answer(await self._client.v1.payment_intents.retrieve_async(reference))
        found = await self._client.v1.payment_intents.search_async(
            {"query": f"metadata['{KEY}']:'{key}'", "limit": 2}
        )
        if not found.data:
            return None
        if len(found.data) > 1:
            raise NotKnown(f"{key} belongs to several charges")
        return await self._answer(found.data[0])

    async def call_off(self, key: str, reference: str) -> Charge:
        """Cancels the charge; where Stripe refuses that, it is done already, one way or the other."""
        del key
        try:
            await self._client.v1.payment_intents.cancel_async(reference)
        except stripe.InvalidRequestError as error:
            if error.http_status != _UNEXPECTED_STATE:
                raise
            return await self._answer(await self._client.v1.payment_intents.retrieve_async(reference))
        return declined("authentication_required")

    async def refund(self, key: str, charge: ChargeReference, amount: Money) -> RefundAnswer:
        """Gives back once for each key."""
        if not charge.reference:
            return RefundAnswer(False, "charge_not_found")
        try:
            refund = await self._client.v1.refunds.create_async(
                {
                    "payment_intent": charge.reference,
                    "amount": minor_units(amount),
                    "metadata": {KEY: key},
                },
                {"idempotency_key": key},
            )
        except NotRepresentable:
            return RefundAnswer(False, "amount_not_representable")
        except stripe.InvalidRequestError as error:
            if error.http_status in {400, 404}:
                return RefundAnswer(False, error.code or "refused")
            raise
        return _returned(refund)

    async def lookup_refund(self, key: str, charge: ChargeReference) -> RefundAnswer | None:
        """What became of a refund, among those of its charge."""
        if not charge.reference:
            return None
        refunds = await self._client.v1.refunds.list_async({"payment_intent": charge.reference, "limit": 100})
        async for refund in refunds.auto_paging_iter():
            if refund.metadata and refund.metadata.to_dict().get(KEY) == key:
                return _returned(refund)
        return None

    async def _answer(self, intent: stripe.PaymentIntent) -> Charge:
        match intent.status:
            case "succeeded":
                return Charge(Outcome.CAPTURED, reference=intent.id)
            case "requires_action":
                return Charge(Outcome.REQUIRES_ACTION, reference=intent.id, action=_action(intent))
            case "canceled":
                return declined(_why(intent, "card_declined"))
            case "requires_payment_method":
                # Whoever has the client secret could go on with it: declined is only what has ended.
                await self._client.v1.payment_intents.cancel_async(intent.id)
                return declined(_why(intent, "card_declined"))
            case "requires_confirmation" | "requires_capture":
                await self._client.v1.payment_intents.cancel_async(intent.id)
                return declined("authentication_required")
            case other:
                raise NotKnown(other)


def declined(code: str) -> Charge:
    """A decline: for good, or for now."""
    hard = code in HARD_DECLINES
    return Charge(Outcome.HARD_DECLINE if hard else Outcome.SOFT_DECLINE, code)


def minor_units(amount: Money) -> int:
    """The amount as Stripe counts it. NotRepresentable where it is finer than that."""
    digits = exponent(amount.currency)
    wanted = _DIGITS.get(amount.currency, digits)
    if wanted >= digits:
        scaled: int = amount.amount * 10 ** (wanted - digits)
    else:
        scaled, rest = divmod(amount.amount, 10 ** (digits - wanted))
        if rest:
            raise NotRepresentable(str(amount))
    if wanted == _WHOLE_TENS and scaled % 10:
        raise NotRepresentable(str(amount))
    return scaled


def _action(intent: stripe.PaymentIntent) -> Action:
    said = intent.to_dict()
    redirect = (said.get("next_action") or {}).get("redirect_to_url") or {}
    return Action(str(redirect.get("url") or ""), str(said.get("client_secret") or ""))


def _why(intent: stripe.PaymentIntent, fallback: str) -> str:
    error = intent.to_dict().get("last_payment_error") or {}
    return str(error.get("decline_code") or error.get("code") or fallback)


def _code(error: stripe.CardError) -> str:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    details = body.get("error") or {}
    return str(details.get("decline_code") or error.code or "card_declined")


def _returned(refund: stripe.Refund) -> RefundAnswer:
    match refund.status:
        case "succeeded":
            return RefundAnswer(True)
        case "failed" | "canceled":
            return RefundAnswer(False, getattr(refund, "failure_reason", None) or refund.status)
        case other:
            raise NotKnown(str(other))
