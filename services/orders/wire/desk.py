"""The desks of both sides on the wire."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.kernel.machine import Actor
from chassis.kernel.page import Page
from chassis.paging import next_page_token, page_request
from chassis.wire import timestamp
from parley.orders.v1 import desk_methods_pb2, desk_pb2
from services.orders.app.desk import CreateNote, ListNotes, SetLabels
from services.orders.app.views import OrderView
from services.orders.domain.desk import FolderCount
from services.orders.domain.labels import normalized
from services.orders.domain.note import Note
from services.orders.wire.answers import FOLDERS, order_message


def get_folder_counts_response(counts: Sequence[FolderCount]) -> desk_methods_pb2.GetFolderCountsResponse:
    """The counters of every folder."""
    return desk_methods_pb2.GetFolderCountsResponse(
        folders=[
            desk_pb2.FolderCount(folder=FOLDERS[one.folder], order_count=one.orders, unread_count=one.unread)
            for one in counts
        ]
    )


def set_labels_command(request: desk_methods_pb2.SetLabelsRequest) -> SetLabels:
    """Which order, and its labels. Refusal VALIDATION_FAILED."""
    return SetLabels(request.name, normalized(request.labels), request.labels_etag)


def set_labels_response(view: OrderView) -> desk_methods_pb2.SetLabelsResponse:
    """The order after the call."""
    return desk_methods_pb2.SetLabelsResponse(order=order_message(view.order, Actor.SELLER))


def mark_order_read_response(view: OrderView) -> desk_methods_pb2.MarkOrderReadResponse:
    """The order after the call."""
    return desk_methods_pb2.MarkOrderReadResponse(order=order_message(view.order, view.actor))


def create_note_command(request: desk_methods_pb2.CreateNoteRequest) -> CreateNote:
    """About which order, and what."""
    return CreateNote(request.parent, request.text)


def create_note_response(note: Note) -> desk_methods_pb2.CreateNoteResponse:
    """The note."""
    return desk_methods_pb2.CreateNoteResponse(note=_note(note))


def list_notes_query(request: desk_methods_pb2.ListNotesRequest) -> ListNotes:
    """Whose notes. Refusal PAGE_TOKEN_INVALID."""
    return ListNotes(request.parent, page_request(request))


def list_notes_response(
    page: Page[Note], request: desk_methods_pb2.ListNotesRequest
) -> desk_methods_pb2.ListNotesResponse:
    """A page of notes; its token is bound to `request`."""
    return desk_methods_pb2.ListNotesResponse(
        notes=[_note(one) for one in page.items],
        next_page_token=next_page_token(request, page.next_cursor),
    )


def _note(note: Note) -> desk_pb2.Note:
    return desk_pb2.Note(
        name=note.name, author=note.author, text=note.text, create_time=timestamp(note.create_time)
    )
