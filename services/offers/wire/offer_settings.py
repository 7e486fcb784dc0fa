"""Requests and answers about a seller's settings for offers."""

from __future__ import annotations

from chassis.field_mask import masked_paths, overlay
from chassis.kernel.ids import parse_name
from chassis.kernel.machine import ActionState
from chassis.wire import optional_timestamp, wire_money, write_actions
from parley.offers.v1 import offer_settings_pb2, offers_service_pb2
from services.offers.app.offer_settings import GetOfferSettings, UpdateOfferSettings
from services.offers.app.views import SettingsView
from services.offers.domain.offer_settings import CounterRule, OfferSettings, SettingsContent
from services.offers.wire.values import read_money

_UPDATABLE = ("time_zone", "counter_rules", "approval_limits")


def get_offer_settings_query(request: offers_service_pb2.GetOfferSettingsRequest) -> GetOfferSettings:
    """What GetOfferSettings asks for."""
    return GetOfferSettings(_seller_of(request.name, field="name"))


def update_offer_settings_command(
    request: offers_service_pb2.UpdateOfferSettingsRequest,
) -> UpdateOfferSettings:
    """What UpdateOfferSettings asks for. Refusal UNKNOWN_FIELD_PATH."""
    sent = request.offer_settings
    seller = _seller_of(sent.name, field="offer_settings.name")
    paths = masked_paths(request.update_mask, sent, updatable=_UPDATABLE)

    def edit(settings: OfferSettings) -> SettingsContent:
        return _read_content(overlay(_wire_content(settings), sent, paths))

    return UpdateOfferSettings(seller, etag=sent.etag, edit=edit)


def get_offer_settings_response(view: SettingsView) -> offers_service_pb2.GetOfferSettingsResponse:
    """The answer of GetOfferSettings."""
    return offers_service_pb2.GetOfferSettingsResponse(offer_settings=_wire_settings(view))


def update_offer_settings_response(view: SettingsView) -> offers_service_pb2.UpdateOfferSettingsResponse:
    """The answer of UpdateOfferSettings."""
    return offers_service_pb2.UpdateOfferSettingsResponse(offer_settings=_wire_settings(view))


def _seller_of(name: str, *, field: str) -> str:
    (seller,) = parse_name(name, "sellers/*/offerSettings", field=field)
    return f"sellers/{seller}"


def _wire_settings(view: SettingsView) -> offer_settings_pb2.OfferSettings:
    settings = view.settings
    message = _wire_content(settings)
    message.MergeFrom(
        offer_settings_pb2.OfferSettings(
            name=settings.name,
            etag=settings.etag,
            create_time=optional_timestamp(settings.create_time),
            update_time=optional_timestamp(settings.update_time),
        )
    )
    update = ActionState("update", view.may_update, "" if view.may_update else "PERMISSION_DENIED")
    write_actions(message, (update,), explanations={})
    return message


def _wire_content(settings: OfferSettings) -> offer_settings_pb2.OfferSettings:
    content = settings.content
    return offer_settings_pb2.OfferSettings(
        time_zone=content.time_zone,
        counter_rules=[
            offer_settings_pb2.CounterRule(
                package=rule.package,
                auto_accept_percent=rule.accept_percent,
                auto_decline_percent=rule.decline_percent,
            )
            for rule in content.counter_rules
        ],
        approval_limits=[wire_money(limit) for limit in content.approval_limits],
    )


def _read_content(message: offer_settings_pb2.OfferSettings) -> SettingsContent:
    return SettingsContent(
        time_zone=message.time_zone,
        counter_rules=tuple(
            CounterRule(rule.package, rule.auto_accept_percent, rule.auto_decline_percent)
            for rule in message.counter_rules
        ),
        approval_limits=tuple(
            read_money(limit, field=f"offer_settings.approval_limits[{index}]")
            for index, limit in enumerate(message.approval_limits)
        ),
    )
