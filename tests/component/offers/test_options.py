"""Options of packages that are sold by quote."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.kernel.refusal import Kind
from chassis.testing import ANONYMOUS, refused
from parley.offers.v1 import listing_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.option_pb2 import NumberInput, Option, OptionValue, TextInput, ValueInput
from tests.component.offers.scene import ACME, Scene, money, package

BY_QUOTE, INSTANT = listing_pb2.Listing.INTAKE_BY_QUOTE, listing_pb2.Listing.INTAKE_INSTANT
FIELD = "listing.packages[0].options"


def values(*ids: str, option_id: str = "colour", max_values: int = 0, **value: Any) -> Option:
    found = [OptionValue(value_id=one, title=one, **value) for one in ids]
    return Option(option_id=option_id, title="Colour", values=ValueInput(values=found, max_values=max_values))


def engraving(**text: Any) -> Option:
    return Option(option_id="engraving", title="Engraving", text=TextInput(**text))


def pages(**number: Any) -> Option:
    return Option(option_id="pages", title="Pages", number=NumberInput(**number))


def offering(*options: Option, intake: Any = BY_QUOTE, packages: int = 1) -> listing_pb2.Listing:
    made = listing_pb2.Listing(title="Sign", intake=intake, published=True)
    for number in range(packages):
        made.packages.append(package(f"p{number}"))
        made.packages[-1].options.extend(options)
    return made


async def created(scene: Scene, made: listing_pb2.Listing) -> listing_pb2.Listing:
    request = pb.CreateListingRequest(parent="sellers/acme", listing_id="sign", listing=made)
    answer: pb.CreateListingResponse = await scene.by(ACME).CreateListing(request)
    return answer.listing


def changing(paths: list[str], **fields: Any) -> pb.UpdateListingRequest:
    name = "sellers/acme/listings/sign"
    return pb.UpdateListingRequest(
        listing=listing_pb2.Listing(name=name, **fields), update_mask=FieldMask(paths=paths)
    )


@pytest.mark.covers("B23", "B24")
async def test_a_package_by_quote_offers_options(scene: Scene) -> None:
    made = await created(
        scene,
        offering(
            values("red", "gold", price_difference=money(5)),
            engraving(max_characters=40),
            pages(min_number=1, max_number=40, unit="pages", unit_price=money(2)),
        ),
    )
    colour, text, number = made.packages[0].options
    assert (colour.values.max_values, len(colour.values.values), colour.required) == (1, 2, False)
    assert colour.values.values[1].price_difference == money(5)
    assert text.text.max_characters == 40
    assert (number.number.max_number, number.number.unit_price) == (40, money(2))
    seen = (await scene.by(ANONYMOUS).GetListing(pb.GetListingRequest(name=made.name))).listing
    assert seen.packages == made.packages
    (event,) = await scene.events(made.name)
    assert event.listing.packages == made.packages  # type: ignore[attr-defined]


async def test_what_is_left_out_of_an_option_is_the_widest(scene: Scene) -> None:
    made = await created(scene, offering(values("red"), engraving(), pages()))
    colour, text, number = made.packages[0].options
    assert (colour.values.max_values, text.text.max_characters, number.number.max_number) == (
        1,
        2_000,
        100_000,
    )
    before = await scene.written()
    await scene.by(ACME).UpdateListing(changing(["packages"], packages=made.packages))
    assert await scene.written() == before


async def test_options_go_with_the_package_and_the_intake(scene: Scene) -> None:
    made = await created(scene, offering(engraving(), packages=2))
    refusal = await refused(scene.by(ACME).UpdateListing(changing(["intake"], intake=INSTANT)))
    assert (refusal.reason, refusal.metadata) == ("VALIDATION_FAILED", {"field": FIELD})
    left = (await scene.by(ACME).UpdateListing(changing(["packages"], packages=[made.packages[1]]))).listing
    (retired,) = left.retired_packages
    assert (retired.package_id, len(retired.options)) == ("p0", 0)
    plain = changing(["intake", "packages"], intake=INSTANT, packages=[package("p1")])
    assert not (await scene.by(ACME).UpdateListing(plain)).listing.packages[0].options


REFUSED = [
    (offering(engraving(), intake=INSTANT), "VALIDATION_FAILED", FIELD),
    (offering(engraving(), engraving()), "DUPLICATE_OPTION", f"{FIELD}[1].option_id"),
    (offering(values("a", "a")), "DUPLICATE_OPTION", f"{FIELD}[0].values.values[1].value_id"),
    (
        offering(values("a", price_difference=money(-1))),
        "AMOUNT_INVALID",
        f"{FIELD}[0].values.values[0].price_difference",
    ),
    (
        offering(values("a", price_difference=money(1, "USD"))),
        "CURRENCY_MISMATCH",
        f"{FIELD}[0].values.values[0].price_difference",
    ),
    (
        offering(pages(unit_price=money(1, "USD"))),
        "CURRENCY_MISMATCH",
        f"{FIELD}[0].number.unit_price",
    ),
    (
        offering(pages(min_number=5, max_number=4)),
        "VALIDATION_FAILED",
        f"{FIELD}[0].number.max_number",
    ),
    (
        offering(pages(max_number=100_001)),
        "VALIDATION_FAILED",
        f"{FIELD}[0].number.max_number",
    ),
    (
        offering(engraving(max_characters=2_001)),
        "VALIDATION_FAILED",
        f"{FIELD}[0].text.max_characters",
    ),
    (offering(values()), "VALIDATION_FAILED", f"{FIELD}[0].values.values"),
    (
        offering(values(*(f"v{n}" for n in range(31)))),
        "VALIDATION_FAILED",
        f"{FIELD}[0].values.values",
    ),
    (
        offering(Option(option_id="Colour", title="Colour", text=TextInput())),
        "VALIDATION_FAILED",
        f"{FIELD}[0].option_id",
    ),
    (offering(Option(option_id="a", title="A")), "VALIDATION_FAILED", f"{FIELD}[0].input"),
    (
        offering(Option(option_id="a", title="\x00", text=TextInput())),
        "VALIDATION_FAILED",
        f"{FIELD}[0].title",
    ),
    (offering(*[engraving()] * 21), "VALIDATION_FAILED", FIELD),
    (
        offering(*(values(*"abcdefghij", option_id=f"o{n}", max_values=10) for n in range(10))),
        "VALIDATION_FAILED",
        FIELD,
    ),
    (
        offering(*(values(*(f"v{n}" for n in range(30)), option_id=f"o{m}") for m in range(8)), packages=3),
        "VALIDATION_FAILED",
        "listing.packages[2].options",
    ),
]


async def test_options_that_nobody_could_answer_are_refused(scene: Scene) -> None:
    before = await scene.written()
    for made, reason, field in REFUSED:
        refusal = await refused(created(scene, made))
        assert (refusal.kind, refusal.reason, refusal.metadata["field"]) == (Kind.INVALID, reason, field)
    assert await scene.written() == before


async def test_an_offer_is_based_on_a_package_with_options_as_on_any_other(scene: Scene) -> None:
    made = await created(scene, offering(values("red")))
    offer = await scene.offer(scene.origins.add("orders"), package=made.packages[0].name)
    assert offer.current_revision.terms.package == made.packages[0].name
