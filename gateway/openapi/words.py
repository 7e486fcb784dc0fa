"""What the OpenAPI document says about the API as a whole. It describes the gateway, not any service."""

from __future__ import annotations

from typing import Any

INTRODUCTION = """\
JSON over HTTP for the gRPC services of Parley. Every method here is declared in the protos, and \
every call is one gRPC call.

**Names.** A resource is identified by its name, a path such as `offers/{offer}`; it is the rest of \
the URL after `/v1/`.

**JSON.** Bodies are protobuf JSON: keys in lowerCamelCase (the names of the protos are accepted as \
well), 64-bit integers as text, enums by name, times as RFC 3339. Answers always carry fields that \
cannot be absent, so `false`, `0`, `""` and `[]` are shown. Unknown keys and query parameters are \
refused.

**Callers.** `Authorization: Bearer <JWT>`. What a caller may not know of is answered 404, what he \
may see but not do 403.

**Repeating safely.** Send an `Idempotency-Key` with each call that changes something. The same key \
with the same request returns the first answer again; with another request it is refused.

**Concurrency.** A resource carries its `etag`, also as `ETag` header. Send it back as `If-Match`, \
or as `etag`, and the call is refused with 409 if the resource has changed since.

**Updates.** `PATCH` changes what `updateMask` names. Without one it changes the fields that the body \
gives, also where it gives `false`, `0`, `""` or `[]`; what only the server sets is passed over, so that \
what was read can be edited and sent back. `*` replaces everything.

**Lists.** `pageSize` up to 1000, 50 by default. Send `nextPageToken` back as `pageToken`, with all \
other parameters unchanged, until it is empty.

**Refusals.** `application/problem+json` (RFC 9457). `reason` and `domain` are for programs, \
`detail` is for people, `metadata` carries every value that occurs in the text, `violations` lists \
the fields at fault. `traceId` finds the call in the logs.

**Waiting.** A call has 15 seconds; `X-Request-Timeout` (seconds) shortens that. `Retry-After` says \
when to come back.

**Streams.** Methods with `text/event-stream` answer with server-sent events. A browser that \
reconnects continues where it was, by `Last-Event-ID`. A refusal after the first event is an event \
named `problem` with the problem as its data.

**Files.** A method whose body is `*/*` takes bytes as they are, such as a file, and no form. They are \
passed on while they arrive; the whole call has 300 seconds, unless the operator set another limit. A \
file that is answered is offered for keeping, never shown.\
"""

WHO = "A JWT signed with Ed25519 (`EdDSA`). `sub` is `users/{id}`, `roles` is a list."

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A refusal (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "reason", "domain", "metadata", "traceId"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "Where the reason is explained.",
        },
        "title": {"type": "string", "description": "The reason for people, always the same."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What happened this time, for people."},
        "instance": {"type": "string", "description": "The path that was called."},
        "reason": {"type": "string", "description": "The reason for programs, unique within its domain."},
        "domain": {"type": "string", "description": "`parley` for shared reasons, else `<service>.parley`."},
        "metadata": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Every value that occurs in the text.",
        },
        "violations": {
            "type": "array",
            "description": "The fields at fault.",
            "items": {
                "type": "object",
                "required": ["field", "description"],
                "properties": {
                    "field": {"type": "string", "description": "JSON path of the field."},
                    "description": {"type": "string"},
                    "reason": {"type": "string"},
                },
            },
        },
        "traceId": {"type": "string", "description": "Joins this call with its log lines and spans."},
    },
}
