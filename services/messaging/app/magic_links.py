"""Answering an offer or declining an inquiry by the link of a mail."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import ActionState, Actor
from chassis.kernel.refusal import Kind as RefusalKind
from chassis.kernel.refusal import Refusal
from chassis.telemetry import logger
from services.messaging.app.inquiries import InquiryCommands
from services.messaging.app.magic_link_ports import Consent, Links, OfferNow, Offers
from services.messaging.app.ports import Conversations, LiveFeed
from services.messaging.app.profiles import Profiles
from services.messaging.domain import conversation as conversations
from services.messaging.domain import magic_link as links
from services.messaging.domain import refusals
from services.messaging.domain.conversation import Conversation, DeclineReason
from services.messaging.domain.magic_link import ACTIONS, Action, Kind, MagicLink

SUPERSEDED: Final = "REVISION_STALE"
"""The reason by which offers refuses a revision that is not the newest."""

_log = logger("magic_links")


@dataclass(frozen=True, slots=True)
class UseMagicLink:
    """`token` is what the mail carried, `action` the name of an action."""

    token: str
    action: str
    consent: Consent
    reason: DeclineReason


@dataclass(frozen=True, slots=True)
class LinkView:
    """What a link is for, and what of it can be done now. `counterpart` is what its holder may read of the
    other side.
    """

    link: MagicLink
    counterpart: str
    expire_time: datetime
    actions: tuple[ActionState, ...]
    needs_payment_token: bool = False
    explanations: Mapping[str, str] = field(default_factory=dict)


class LinkIssuer:
    """Gives mails their links."""

    def __init__(self, store: Links, *, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def issue(self, tx: Transaction, mail: str) -> None:
        """A link for whatever the recipient of a fresh mail can answer by one."""
        wanted = await self._store.wanted(tx, mail)
        if not wanted:
            return
        now, recipient = self._clock.now(), wanted[0].recipient
        for notice, subject in links.newest((each.notice, each.subject) for each in wanted):
            secret = secrets.token_urlsafe(links.SECRET_BYTES)
            link = links.issue(self._ids.new(), recipient=recipient, subject=subject, secret=secret, now=now)
            token = links.token_of(link.id, secret)
            await self._store.add(tx, link, mail=mail, notice=notice, token=token)


class MagicLinks:
    """Shows links and does what they are for."""

    def __init__(
        self,
        database: Database,
        store: Links,
        offers: Offers,
        *,
        inquiries: InquiryCommands,
        conversations: Conversations,
        people: Profiles,
        feed: LiveFeed,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._offers = offers
        self._inquiries = inquiries
        self._conversations = conversations
        self._people = people
        self._feed = feed
        self._clock = clock

    async def look(self, _call: Call, token: str) -> LinkView:
        """What it is for; changes nothing. Refusals: LINK_INVALID, LINK_USED."""

        async def work(tx: Transaction) -> tuple[MagicLink, Conversation, str]:
            link = links.prove(await self._store.load(tx, links.id_in(token)), token)
            if link.use is not None:
                raise refusals.link_used()
            conversation = await self._live(tx, link)
            if link.subject.kind is Kind.OFFER:
                return link, conversation, conversation.seller.partition("/")[2]
            buyer = await self._people.load(tx, conversation.buyer)
            return link, conversation, buyer.display_name

        link, conversation, counterpart = await self._database.read_as_process(work)
        now = self._clock.now()
        if link.subject.kind is Kind.INQUIRY:
            able = conversations.actions(conversation, actor=Actor.SELLER, now=now)
            return LinkView(link, counterpart, link.expire_time, _of(link, able))
        offer = await self._seen(link)
        ends = [time for time in (link.expire_time, offer.expire_time) if time is not None]
        return LinkView(
            link,
            counterpart,
            min(ends),
            _of(link, _for_revision(link, offer)),
            offer.is_online,
            offer.explanations,
        )

    async def use(self, _call: Call, command: UseMagicLink) -> MagicLink:
        """Does it, once. Refusals: LINK_INVALID, LINK_USED, LINK_ACTION_UNKNOWN, those of the action."""
        link_id = links.id_in(command.token)

        async def found(tx: Transaction) -> MagicLink:
            link = links.prove(await self._store.load(tx, link_id), command.token)
            if link.use is None:
                await self._live(tx, link)
            return link

        link = await self._database.read_as_process(found)
        action = links.action_of(link, command.action)
        if link.use is not None:
            return links.use(link, action, now=self._clock.now())
        if link.subject.kind is Kind.INQUIRY:
            used = await self._decline_inquiry(link, command.reason)
        else:
            order = await self._answer_offer(link, action, command.consent)
            used = await self._note(link, action, order)
        _log.info("magic_link_used", link=link.id, action=action.value, holder=link.recipient)
        return used

    async def _live(self, tx: Transaction, link: MagicLink) -> Conversation:
        holder = await self._people.load(tx, link.recipient)
        conversation = await self._conversations.load(tx, link.subject.conversation)
        links.check_live(link, holder=holder, conversation=conversation, now=self._clock.now())
        return conversation

    async def _seen(self, link: MagicLink) -> OfferNow:
        try:
            return await self._offers.look(link.subject.offer, buyer=link.recipient)
        except Refusal as refusal:
            if refusal.kind is RefusalKind.NOT_FOUND:
                raise refusals.link_invalid() from None
            raise

    async def _answer_offer(self, link: MagicLink, action: Action, consent: Consent) -> str:
        """Outside of every transaction, under a key of the link: whoever asks again gets the first answer."""
        subject, key = link.subject, link.key(action)
        if action is Action.ACCEPT:
            return await self._offers.accept(
                subject.offer, buyer=link.recipient, revision=subject.revision, consent=consent, key=key
            )
        await self._offers.decline(subject.offer, buyer=link.recipient, revision=subject.revision, key=key)
        return ""

    async def _note(self, link: MagicLink, action: Action, order: str) -> MagicLink:
        async def work(tx: Transaction) -> MagicLink:
            # A link that was taken back meanwhile is gone; the answer counts all the same.
            held = await self._store.load_for_update(tx, link.id) or link
            used = links.use(held, action, order=order, now=self._clock.now())
            if used is not held:
                await self._store.save_use(tx, used)
            return used

        return await self._database.transact(work)

    async def _decline_inquiry(self, link: MagicLink, reason: DeclineReason) -> MagicLink:
        async def work(tx: Transaction) -> MagicLink:
            held = await self._store.load_for_update(tx, link.id)
            if held is None:
                raise refusals.link_invalid()
            used = links.use(held, Action.DECLINE, now=self._clock.now())
            if used is held:
                return held
            found = await self._conversations.load_for_update(tx, link.subject.conversation)
            holder = await self._people.load(tx, link.recipient)
            links.check_live(link, holder=holder, conversation=found, now=self._clock.now())
            seat = found.seat(Actor.SELLER, link.recipient)
            await self._inquiries.decline(tx, found, seat=seat, reason=reason, by_link=True)
            await self._store.save_use(tx, used)
            return used

        used = await self._database.transact(work)
        self._feed.announce(link.subject.conversation)
        return used


def _of(link: MagicLink, able: tuple[ActionState, ...]) -> tuple[ActionState, ...]:
    wanted = {action.value for action in ACTIONS[link.subject.kind]}
    return tuple(each for each in able if each.action in wanted)


def _for_revision(link: MagicLink, offer: OfferNow) -> tuple[ActionState, ...]:
    """What can be done about the revision that the mail was about."""
    if offer.revision == link.subject.revision:
        return offer.actions
    return tuple(ActionState(each.action, False, SUPERSEDED) for each in offer.actions)
