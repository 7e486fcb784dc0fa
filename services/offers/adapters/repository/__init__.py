"""Listings and offers in PostgreSQL, one file per aggregate."""

from services.offers.adapters.repository.listings import ListingRepository
from services.offers.adapters.repository.lost_update import LostUpdate
from services.offers.adapters.repository.offer_settings import OfferSettingsRepository
from services.offers.adapters.repository.offers import OfferRepository
from services.offers.adapters.repository.templates import TemplateRepository

__all__ = [
    "ListingRepository",
    "LostUpdate",
    "OfferRepository",
    "OfferSettingsRepository",
    "TemplateRepository",
]
