"""Money in integers: minor units by the ISO 4217 exponent of the currency. No float anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chassis.kernel.refusal import Kind, Refusal, invalid

MAX_MINOR_UNITS: Final = 10**15
"""The largest amount, in minor units, either sign; sums of many still fit a 64-bit column."""

_NANOS_PER_UNIT: Final = 1_000_000_000
_EXPONENTS: Final[dict[str, int]] = {
    code: exponent
    for exponent, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (
            2,
            (
                "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
                "CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL "
                "GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR "
                "LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD "
                "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC "
                "SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW "
                "ZWG"
            ),
        ),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}


def exponent(currency: str) -> int:
    """Digits after the point of an ISO 4217 currency: JPY 0, EUR 2, KWD 3. AMOUNT_INVALID if unknown."""
    found = _EXPONENTS.get(currency)
    if found is None:
        raise invalid(
            "currency_code", f"{currency[:8]!r} is not an ISO 4217 currency", reason="AMOUNT_INVALID"
        )
    return found


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of a currency. Operations on two currencies refuse with CURRENCY_MISMATCH."""

    currency: str
    amount: int

    def __post_init__(self) -> None:
        exponent(self.currency)
        if not -MAX_MINOR_UNITS <= self.amount <= MAX_MINOR_UNITS:
            raise invalid("units", "the amount is out of range", reason="AMOUNT_INVALID")

    def __add__(self, other: Money) -> Money:
        return Money(self.currency, self.amount + self._same(other))

    def __sub__(self, other: Money) -> Money:
        return Money(self.currency, self.amount - self._same(other))

    def __neg__(self) -> Money:
        return Money(self.currency, -self.amount)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    @property
    def is_positive(self) -> bool:
        """More than nothing."""
        return self.amount > 0

    @property
    def is_zero(self) -> bool:
        """Exactly nothing."""
        return self.amount == 0

    def times(self, factor: int) -> Money:
        """The amount `factor` times."""
        return Money(self.currency, self.amount * factor)

    def allocate(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Parts in proportion to `weights` that add up exactly.

        What rounding leaves over goes, one minor unit each, to the largest remainders; the earlier part
        wins a tie. ValueError for negative weights or when all are zero.
        """
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError("weights must be non-negative and not all zero")
        sign = -1 if self.amount < 0 else 1
        shares = [divmod(abs(self.amount) * weight, total) for weight in weights]
        left = abs(self.amount) - sum(whole for whole, _ in shares)
        by_remainder = sorted(range(len(shares)), key=lambda index: -shares[index][1])
        lucky = frozenset(by_remainder[:left])
        return tuple(
            Money(self.currency, sign * (whole + (index in lucky))) for index, (whole, _) in enumerate(shares)
        )

    def units_nanos(self) -> tuple[int, int]:
        """The wire form of ``google.type.Money``: whole units and nano units, of the same sign."""
        scale: int = 10 ** exponent(self.currency)
        units, minor = divmod(abs(self.amount), scale)
        nanos = minor * (_NANOS_PER_UNIT // scale)
        return (-units, -nanos) if self.amount < 0 else (units, nanos)

    def __str__(self) -> str:
        digits = exponent(self.currency)
        units, minor = divmod(abs(self.amount), 10**digits)
        sign = "-" if self.amount < 0 else ""
        return (
            f"{sign}{units}.{minor:0{digits}d} {self.currency}"
            if digits
            else f"{sign}{units} {self.currency}"
        )

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise Refusal(
                Kind.INVALID,
                "CURRENCY_MISMATCH",
                f"{self.currency} was expected, not {other.currency}",
                metadata={"expected": self.currency, "actual": other.currency},
            )
        return other.amount


def from_units_nanos(currency: str, units: int, nanos: int, *, field: str = "price") -> Money:
    """Reads ``google.type.Money``. AMOUNT_INVALID for mixed signs, nanos out of range, or anything finer than
    the currency's minor unit: nothing is ever rounded silently.
    """
    if abs(nanos) >= _NANOS_PER_UNIT or units * nanos < 0:
        raise invalid(
            f"{field}.nanos", "must be below one unit and of the sign of units", reason="AMOUNT_INVALID"
        )
    scale: int = 10 ** exponent(currency)
    step = _NANOS_PER_UNIT // scale
    if nanos % step:
        raise invalid(
            f"{field}.nanos", f"is finer than the minor unit of {currency}", reason="AMOUNT_INVALID"
        )
    sign = -1 if units < 0 or nanos < 0 else 1
    return Money(currency, sign * (abs(units) * scale + abs(nanos) // step))
