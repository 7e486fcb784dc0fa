"""The RPCs of the seller's desk: decode, call, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.server import respond
from parley.orders.v1 import desk_methods_pb2 as pb
from services.orders.app.desk import DeskCommands, DeskQueries
from services.orders.wire import desk as wire


@dataclass(frozen=True, slots=True)
class DeskRooms:
    """What the methods call."""

    commands: DeskCommands
    queries: DeskQueries


class DeskMethods:
    """A part of `OrdersServicer`, which sets `_desk`."""

    _desk: DeskRooms

    async def GetFolderCounts(
        self, request: pb.GetFolderCountsRequest, context: Any
    ) -> pb.GetFolderCountsResponse:
        return await respond(
            context, request.seller, self._desk.queries.folder_counts, wire.get_folder_counts_response
        )

    async def SetLabels(self, request: pb.SetLabelsRequest, context: Any) -> pb.SetLabelsResponse:
        command = wire.set_labels_command(request)
        return await respond(context, command, self._desk.commands.set_labels, wire.set_labels_response)

    async def MarkOrderRead(self, request: pb.MarkOrderReadRequest, context: Any) -> pb.MarkOrderReadResponse:
        return await respond(
            context, request.name, self._desk.commands.mark_read, wire.mark_order_read_response
        )

    async def CreateNote(self, request: pb.CreateNoteRequest, context: Any) -> pb.CreateNoteResponse:
        command = wire.create_note_command(request)
        return await respond(context, command, self._desk.commands.create_note, wire.create_note_response)

    async def ListNotes(self, request: pb.ListNotesRequest, context: Any) -> pb.ListNotesResponse:
        query = wire.list_notes_query(request)
        return await respond(
            context,
            query,
            self._desk.queries.list_notes,
            lambda page: wire.list_notes_response(page, request),
        )
