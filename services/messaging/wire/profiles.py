"""Profiles on the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from chassis.field_mask import masked_paths
from chassis.kernel.ids import parse_name
from chassis.kernel.machine import ActionState
from chassis.wire import optional_timestamp, write_actions
from parley.messaging.v1 import profile_pb2 as pb
from services.messaging.app.profiles import ProfileView, UpdateProfile
from services.messaging.app.verifications import VerifyEmail
from services.messaging.domain.profile import Delivery, EmailState, NoticeKind, ProfileChange
from services.messaging.domain.refusals import Reason

_READERS: Final[Mapping[str, Callable[[pb.Profile], Any]]] = {
    "display_name": lambda sent: sent.display_name,
    "email": lambda sent: sent.email,
    "phone": lambda sent: sent.phone,
    "locale": lambda sent: sent.locale,
    "time_zone": lambda sent: sent.time_zone,
    "auto_translate": lambda sent: sent.auto_translate,
    "notification_choices": lambda sent: tuple(_choice(choice) for choice in sent.notification_choices),
}
_FIELDS: Final = {"notification_choices": "choices"}
"""Where the domain has another word."""


def user_of_profile(name: str, *, field: str) -> str:
    """`users/ana` out of `users/ana/profile`."""
    (user,) = parse_name(name, "users/*/profile", field=field)
    return f"users/{user}"


def get_profile_query(request: pb.GetProfileRequest) -> str:
    """Whose profile."""
    return user_of_profile(request.name, field="name")


def update_profile_command(request: pb.UpdateProfileRequest) -> UpdateProfile:
    """Only the fields that the mask names. Refusal UNKNOWN_FIELD_PATH."""
    sent = request.profile
    user = user_of_profile(sent.name, field="profile.name")
    paths = masked_paths(request.update_mask, sent, updatable=_READERS)
    change = ProfileChange(**{_FIELDS.get(path, path): _READERS[path](sent) for path in paths})
    return UpdateProfile(user, change, sent.etag)


def send_email_verification_command(request: pb.SendEmailVerificationRequest) -> str:
    """Whose address."""
    return user_of_profile(request.name, field="name")


def verify_email_command(request: pb.VerifyEmailRequest) -> VerifyEmail:
    """Whose address, and the proof."""
    return VerifyEmail(user_of_profile(request.name, field="name"), request.token)


def _choice(choice: pb.NotificationChoice) -> tuple[NoticeKind, Delivery]:
    kind = pb.NotificationChoice.Kind.Name(choice.kind).removeprefix("KIND_")
    delivery = pb.NotificationChoice.Delivery.Name(choice.delivery).removeprefix("DELIVERY_")
    return NoticeKind[kind], Delivery[delivery]


def profile_message(view: ProfileView) -> pb.Profile:
    """A profile for the person whose it is."""
    found = view.profile
    message = pb.Profile(
        name=found.name,
        display_name=found.display_name,
        email=found.email,
        email_state=_email_state(found.email_state),
        phone=found.phone,
        locale=found.locale,
        time_zone=found.time_zone,
        auto_translate=found.auto_translate,
        notification_choices=[
            pb.NotificationChoice(
                kind=pb.NotificationChoice.Kind.Value(f"KIND_{kind.name}"),
                delivery=pb.NotificationChoice.Delivery.Value(f"DELIVERY_{found.delivery(kind).name}"),
            )
            for kind in NoticeKind
        ],
        teams=view.teams,
        etag=found.etag,
        create_time=optional_timestamp(found.create_time),
        update_time=optional_timestamp(found.update_time),
    )
    pending = found.email_state in (EmailState.UNVERIFIED, EmailState.BOUNCED)
    missing = "" if pending else Reason.EMAIL_NOT_PENDING.value
    actions = [
        ActionState("update", True, ""),
        ActionState("sendEmailVerification", pending, missing),
        ActionState("verifyEmail", pending, missing),
    ]
    explanations = {Reason.EMAIL_NOT_PENDING.value: "there is no address, or it is verified already"}
    write_actions(message, actions, explanations=explanations)
    return message


def _email_state(state: EmailState) -> pb.Profile.EmailState.ValueType:
    return pb.Profile.EmailState.Value(f"EMAIL_STATE_{state.name}")


def get_profile_response(view: ProfileView) -> pb.GetProfileResponse:
    """Encodes GetProfile."""
    return pb.GetProfileResponse(profile=profile_message(view))


def update_profile_response(view: ProfileView) -> pb.UpdateProfileResponse:
    """Encodes UpdateProfile."""
    return pb.UpdateProfileResponse(profile=profile_message(view))


def send_email_verification_response(view: ProfileView) -> pb.SendEmailVerificationResponse:
    """Encodes SendEmailVerification."""
    return pb.SendEmailVerificationResponse(profile=profile_message(view))


def verify_email_response(view: ProfileView) -> pb.VerifyEmailResponse:
    """Encodes VerifyEmail."""
    return pb.VerifyEmailResponse(profile=profile_message(view))
