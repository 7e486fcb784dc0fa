"""What one save changed against the one before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from parley.gating.v1.order_settings_pb2 import OrderSettings as WireSettings
from services.gating.domain.request_rules import ReofferPolicy
from services.gating.domain.settings import (
    Audience,
    BypassPolicy,
    DayOverride,
    DayRule,
    OrderSettings,
    Scope,
)
from services.gating.domain.settings_history import changed_paths, history
from tests.unit.gating.examples import LISTING, NIGHTS, NOON, PACKAGE, SELLER, day

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("enabled", {"enabled": True}),
    ("audience", {"audience": Audience.NEW_BUYERS}),
    ("scope.all_packages", {"scope": Scope(all_packages=True)}),
    ("scope.packages", {"scope": Scope(packages=(PACKAGE,))}),
    ("excluded_listings", {"excluded_listings": (LISTING,)}),
    ("time_zone", {"time_zone": "Europe/Berlin"}),
    ("windows", {"windows": NIGHTS}),
    ("overrides", {"overrides": (DayOverride(day("2026-12-24"), DayRule.CLOSED),)}),
    ("bypass_policy", {"bypass_policy": BypassPolicy.NEVER}),
    ("request_ttl", {"request_ttl": timedelta(hours=1)}),
    ("reminder_points", {"reminder_points": (10,)}),
    ("reoffer_policy", {"reoffer_policy": ReofferPolicy.CLOSE}),
    ("max_open_orders", {"max_open_orders": 4}),
    ("capacity_only", {"capacity_only": True}),
]


@pytest.mark.parametrize(("path", "change"), CHANGES)
def test_each_field_is_named_as_the_wire_names_it(path: str, change: dict[str, Any]) -> None:
    changed = replace(OrderSettings(SELLER), **change)
    assert changed_paths(OrderSettings(SELLER), changed) == (path,)
    name, _, part = path.partition(".")
    assert name in WireSettings.DESCRIPTOR.fields_by_name
    assert not part or part in WireSettings.Scope.DESCRIPTOR.fields_by_name


def test_several_come_in_the_order_of_the_fields() -> None:
    everything = OrderSettings(SELLER)
    for _, change in CHANGES:
        everything = replace(everything, **change)
    expected = [path for path, _ in CHANGES if path != "scope.all_packages"]
    assert list(changed_paths(OrderSettings(SELLER), everything)) == expected


def test_what_follows_from_a_save_is_no_change() -> None:
    saved = OrderSettings(SELLER, version=7, create_time=NOON, update_time=NOON)
    assert changed_paths(OrderSettings(SELLER), saved) == ()


def test_each_version_is_compared_with_the_one_before_and_the_first_with_the_defaults() -> None:
    one = OrderSettings(SELLER, enabled=True, version=1)
    two = replace(one, enabled=False, time_zone="Europe/Rome", version=2)
    found = history([(two, "users/bo"), (one, "users/al")])
    assert [(version.author, version.changed_paths) for version in found] == [
        ("users/bo", ("enabled", "time_zone")),
        ("users/al", ("enabled",)),
    ]
    assert history([]) == ()
