"""What a collector of traces learns: which calls, in whose trace, and nothing of what was said by whom."""

from __future__ import annotations

from pathlib import Path

from chassis import telemetry
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, running
from chassis.testing.producer import ForeignProducer
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import profile_pb2
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import ANA, OTTO, Scene, begin_request
from tests.integration.chassis.collector import collecting

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAID, TITLE, ADDRESS = "canary in a text", "canary in a title", "canary@example.org"
SERVICE = "parley.messaging.v1.MessagingService"


async def test_spans_are_exported_in_the_trace_of_the_caller_with_nothing_of_what_was_said(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    with collecting() as collector:
        async with running(
            DEFINITION,
            backends,
            clock=clock,
            attachments_url=(tmp_path / "files").as_uri(),
            otlp_endpoint=collector.endpoint,
        ) as service:
            config = service.host.config
            telemetry.configure_tracing(service.name, config.otlp_endpoint)
            try:
                scene = Scene(service, ForeignProducer(service.host.bus), clock)
                await scene.of(OTTO).SendMessage(
                    pb.SendMessageRequest(parent=(await _inquire(scene)), text=SAID),
                    metadata=(("traceparent", f"00-{TRACE}-{SPAN}-01"),),
                )
                await begin_request(scene)
            finally:
                # The batch is sent now, as at the end of a process.
                telemetry.stop_recording()
    assert collector.services == {"parley-messaging"}
    said = collector.spans[f"{SERVICE}/SendMessage"]
    assert (said.trace_id.hex(), said.parent_span_id.hex()) == (TRACE, SPAN)
    assert said.kind == said.SPAN_KIND_SERVER
    # A reaction to an event is a span as well, in the trace that the event carries.
    reacted = [name for name in collector.spans if name.startswith("messaging-on-gating ")]
    assert reacted
    for canary in (SAID, TITLE, ADDRESS, "Otto"):
        assert canary.encode() not in collector.wire, canary
    assert all(not span.attributes and not span.events for span in collector.spans.values())


async def _inquire(scene: Scene) -> str:
    profile = profile_pb2.Profile(name="users/ana/profile", email=ADDRESS, display_name="Otto")
    await scene.of(ANA).UpdateProfile(profile_pb2.UpdateProfileRequest(profile=profile))
    request = pb.CreateInquiryRequest(seller="sellers/acme", title=TITLE, text=SAID)
    return str((await scene.of(ANA).CreateInquiry(request)).conversation.name)
