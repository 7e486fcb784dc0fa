"""The RPCs of magic links: decode, call, encode."""

from __future__ import annotations

from typing import Any

from chassis.server import respond
from parley.messaging.v1 import magic_link_pb2 as pb
from services.messaging.app.magic_links import MagicLinks
from services.messaging.wire import magic_links as wire


class MagicLinkMethods:
    """A part of `MessagingServicer`, which sets `_magic_links`."""

    _magic_links: MagicLinks

    async def GetMagicLink(self, request: pb.GetMagicLinkRequest, context: Any) -> pb.GetMagicLinkResponse:
        query = wire.get_magic_link_query(request)
        return await respond(context, query, self._magic_links.look, wire.get_magic_link_response)

    async def UseMagicLink(self, request: pb.UseMagicLinkRequest, context: Any) -> pb.UseMagicLinkResponse:
        command = wire.use_magic_link_command(request)
        return await respond(context, command, self._magic_links.use, wire.use_magic_link_response)
