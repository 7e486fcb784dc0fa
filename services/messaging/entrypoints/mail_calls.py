"""The calls that mails stand for."""

from __future__ import annotations

from typing import Final

from chassis.admission import Method
from chassis.call import Call
from chassis.idempotency import IdempotencyKey
from chassis.kernel.caller import Caller
from parley.messaging.v1 import attachment_pb2, messaging_service_pb2
from services.messaging.wire.attachments import upload_response
from services.messaging.wire.messages import send_message_response

_SERVICE: Final = "/parley.messaging.v1.MessagingService"


class MailCalls:
    """Implements `app.mail_in_ports.Calls`."""

    def __init__(self) -> None:
        self._send = Method(f"{_SERVICE}/SendMessage")
        self._upload = Method(f"{_SERVICE}/UploadAttachment")

    def sending(self, caller: Caller, *, key: str, digest: str) -> Call:
        """A SendMessage. Its key has a shape that no caller's has: neither finds the other's answer."""
        call = Call(self._send.path, self._send.rule, caller=caller)
        call.encoder = send_message_response
        call.idempotency = IdempotencyKey(caller.user, call.method, f"mail {key}", bytes.fromhex(digest))
        return call

    def uploading(self, caller: Caller) -> Call:
        """An UploadAttachment, which gets its key when all of it has come."""
        call = Call(self._upload.path, self._upload.rule, caller=caller)
        call.encoder = upload_response
        return call

    def attachment_of(self, answer: bytes) -> str:
        """The name of the attachment that was kept."""
        return attachment_pb2.UploadAttachmentResponse.FromString(answer).attachment.name

    def message_of(self, answer: bytes) -> str:
        """The name of the message that was sent."""
        return messaging_service_pb2.SendMessageResponse.FromString(answer).message.name
