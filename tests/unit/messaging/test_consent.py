"""Decisions about contact data: of those that concern a seller the newest holds."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from services.messaging.domain import consent
from services.messaging.domain.consent import ConsentType, Decision

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SELLERS = ("", "sellers/acme", "sellers/rival")
decisions = st.lists(
    st.builds(
        Decision,
        st.just("users/ana"),
        st.sampled_from(SELLERS),
        st.sampled_from(ConsentType),
        st.booleans(),
        st.just(NOW),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=30)
@given(decisions)
def test_what_is_decided_last_holds_for_whom_it_concerns(made: list[Decision]) -> None:
    kept: list[Decision] = []
    for each in made:
        kept = consent.added(kept, each)
    last = made[-1]
    for seller in SELLERS[1:] if not last.seller else (last.seller,):
        assert (last.type in consent.given(kept, seller)) is last.granted
    found = consent.standing(kept, last.seller, last.type)
    assert found is not None
    assert (found.granted, found.position) == (last.granted, len(made))
    # For all alike nothing stands once one of them was decided about by himself, later than all.
    for kind in ConsentType:
        common = consent.standing(kept, "", kind)
        of_kind = [each for each in made if each.type is kind]
        assert (common is None) is (not of_kind or bool(of_kind[-1].seller))
