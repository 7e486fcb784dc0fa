"""The RPCs about people's own profiles: decode, call, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.server import respond
from parley.messaging.v1 import profile_pb2 as pb
from services.messaging.app.profiles import ProfileCommands, ProfileQueries
from services.messaging.app.verifications import VerificationCommands
from services.messaging.wire import profiles as wire


@dataclass(frozen=True, slots=True)
class ProfileRooms:
    """What the methods call."""

    commands: ProfileCommands
    verifications: VerificationCommands
    queries: ProfileQueries


class ProfileMethods:
    """A part of `MessagingServicer`, which sets `_profiles`."""

    _profiles: ProfileRooms

    async def GetProfile(self, request: pb.GetProfileRequest, context: Any) -> pb.GetProfileResponse:
        query = wire.get_profile_query(request)
        return await respond(context, query, self._profiles.queries.get_profile, wire.get_profile_response)

    async def UpdateProfile(self, request: pb.UpdateProfileRequest, context: Any) -> pb.UpdateProfileResponse:
        command = wire.update_profile_command(request)
        return await respond(
            context, command, self._profiles.commands.update_profile, wire.update_profile_response
        )

    async def SendEmailVerification(
        self, request: pb.SendEmailVerificationRequest, context: Any
    ) -> pb.SendEmailVerificationResponse:
        return await respond(
            context,
            wire.send_email_verification_command(request),
            self._profiles.verifications.send_verification,
            wire.send_email_verification_response,
        )

    async def VerifyEmail(self, request: pb.VerifyEmailRequest, context: Any) -> pb.VerifyEmailResponse:
        command = wire.verify_email_command(request)
        return await respond(
            context, command, self._profiles.verifications.verify_email, wire.verify_email_response
        )
