"""What the seller's team gets to see of its desk."""

from __future__ import annotations

from collections.abc import Sequence

from parley.orders.v1 import desk_methods_pb2, desk_pb2
from services.orders.domain.desk import FolderCount
from services.orders.wire.answers import FOLDERS


def get_folder_counts_response(counts: Sequence[FolderCount]) -> desk_methods_pb2.GetFolderCountsResponse:
    """The counters of every folder."""
    return desk_methods_pb2.GetFolderCountsResponse(
        folders=[
            desk_pb2.FolderCount(folder=FOLDERS[one.folder], order_count=one.orders, unread_count=one.unread)
            for one in counts
        ]
    )
