"""Chooses the engine that the operator configured."""

from __future__ import annotations

from services.messaging.adapters.apertium import Apertium
from services.messaging.adapters.libretranslate import LibreTranslate
from services.messaging.config import MessagingConfig, TranslatorKind


def translator_of(config: MessagingConfig) -> LibreTranslate | Apertium | None:
    """The engine; None where there is none."""
    if config.translator is TranslatorKind.NONE:
        return None
    kind = LibreTranslate if config.translator is TranslatorKind.LIBRETRANSLATE else Apertium
    return kind(config.translator_url, key=config.translator_key.reveal(), seconds=config.translator_seconds)
