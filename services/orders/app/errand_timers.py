"""Asking the payment provider for something, in steps that a crash may interrupt anywhere.

1. `submit`: that the provider is about to be asked, and by which key, is committed together with the timer
   that asks what became of it.
2. The provider is called, outside of any transaction.
3. Its answer is committed, and the timer goes away.

Where step 3 never comes (no answer, a crash), `enquire` asks the provider by the key. Either it tells the
answer, or it never saw the key, which is then submitted again: the same key, never a new one.

An answer may be that the buyer has to act. Then `enquire` comes when his time is over, and what still waits
is called off. Whoever believes that there is news, such as the buyer who comes back, has `look` ask the
provider at once. It takes in what it finds and concludes nothing from finding nothing: it may come too early.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic

from chassis import telemetry
from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.timers import Handler
from services.orders.app.errand import Answer, Errand
from services.orders.app.loading import load_all_owned, load_owned
from services.orders.app.ports import PaymentOwner, PaymentOwners, PaymentProvider, Repository
from services.orders.domain.payment import next_enquiry

_log = telemetry.logger("orders.payments")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the provider's answer is waited for, and after how long it is asked again for the first time.

    `first_enquiry` is also the lease of an attempt: one that is still unanswered then counts as lost.
    """

    answer: timedelta
    first_enquiry: timedelta


class ErrandTimers(Generic[Answer]):
    """The timers of one kind of errand."""

    def __init__(
        self,
        kind: type[Errand[Answer]],
        database: Database,
        repository: Repository,
        provider: PaymentProvider,
        clock: Clock,
        *,
        owners: PaymentOwners,
        patience: Patience,
    ) -> None:
        """`owners` finds whatever is paid, orders and subscriptions alike."""
        self._kind = kind
        self._database = database
        self._repository = repository
        self._provider = provider
        self._clock = clock
        self._owners = owners
        self._patience = patience

    @property
    def handlers(self) -> dict[str, Handler]:
        """What is done when one of the timers is due, by its kind."""
        return {
            self._kind.submit_kind: self.submit,
            self._kind.enquire_kind: self.enquire,
            self._kind.look_kind: self.look,
        }

    async def submit(self, timer: DueTimer) -> None:
        """Commits that the provider is about to be asked, then asks it."""
        begun: list[Errand[Answer]] = []

        async def work(tx: Transaction) -> None:
            begun.clear()
            owner, errand = await self._load(tx, timer.payload)
            if errand.is_waiting:
                now = self._clock.now()
                step = partial(self.begin, tx, errand)
                if submitted := await self._submitted(tx, owner, errand, step, now):
                    begun.append(submitted)

        if await self._database.fire(timer, work):
            await self.ask(begun)

    def begin(self, tx: Transaction, errand: Errand[Answer], now: datetime) -> Errand[Answer]:
        """The errand, about to be run, with the timer that asks what became of it. Whoever calls this stores
        it in the same transaction, and has it run (`ask`) once that is committed.
        """
        submitted = errand.submitted(now)
        due = now + self._patience.first_enquiry
        tx.schedule(submitted.enquire_kind, submitted.key, due, {**submitted.payload, "round": 1})
        return submitted

    async def enquire(self, timer: DueTimer) -> None:
        """Finds out what became of something whose answer is missing."""
        errand = await self._open(timer)
        if errand is None:
            await self._database.discard(timer)
            return
        name = errand.payment.name
        _log.warning(f"{errand.subject}_enquired", key=timer.key, payment=name, round=timer.payload["round"])
        try:
            found = await self._found(errand, end=False)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nothing is known
            _log.warning("payment_provider_failed", payment=name, error_type=type(error).__name__)
            await self._database.fire(timer, lambda tx: self._still_unknown(tx, timer, errand))
            return
        if found is not None:
            await self._database.fire(timer, lambda tx: self._settle(tx, [(errand, found)]))
            return
        await self._submit_again(timer, errand)

    async def look(self, timer: DueTimer) -> None:
        """Takes in what the provider says now, if anything. With `end` the buyer will not act: what waits for
        him is called off. Whatever goes wrong is tried again.
        """
        errand = await self._open(timer)
        found = None
        if errand is not None:
            found = await self._found(errand, end=bool(timer.payload.get("end")))
        if errand is None or found is None:
            await self._database.discard(timer)
            return
        await self._database.fire(timer, lambda tx: self._answered(tx, [(errand, found)]))

    async def _open(self, timer: DueTimer) -> Errand[Answer] | None:
        name = str(timer.payload["payment"])
        payment = await self._database.read(lambda tx: self._repository.load_payment(tx, name))
        errand = None if payment is None else self._kind.of(payment, timer.payload)
        return errand if errand is not None and errand.is_open else None

    async def _found(self, errand: Errand[Answer], *, end: bool) -> Answer | None:
        """What the provider says, after what waits for nobody was called off; whatever it raises."""
        async with asyncio.timeout(self._patience.answer.total_seconds()):
            found = await errand.look_up(self._provider)
        if found is None or not errand.is_pending(found):
            return found
        if not end:
            waiting = found
            end = await self._database.transact(lambda tx: self._is_over(tx, errand, waiting))
        if end:
            async with asyncio.timeout(self._patience.answer.total_seconds()):
                found = await errand.call_off(self._provider, found)
            if errand.is_pending(found):
                raise RuntimeError(f"{errand.key} could not be called off")
        return found

    async def _is_over(self, tx: Transaction, asked: Errand[Answer], answer: Answer) -> bool:
        owner, errand = await self._load_again(tx, asked)
        now = self._clock.now()
        until = errand.resolved(answer, now).waits_until(owner, now)
        return until is not None and until <= now

    async def _submit_again(self, timer: DueTimer, asked: Errand[Answer]) -> None:
        again: list[Errand[Answer]] = []

        async def work(tx: Transaction) -> None:
            again.clear()
            owner, errand = await self._load(tx, timer.payload)
            if errand.is_open and errand.number == asked.number:
                now = self._clock.now()
                if submitted := await self._submitted(tx, owner, errand, errand.resubmitted, now):
                    self._schedule_after_again(tx, timer, now)
                    again.append(submitted)

        if await self._database.fire(timer, work):
            await self.ask(again)

    async def _submitted(
        self,
        tx: Transaction,
        owner: PaymentOwner,
        errand: Errand[Answer],
        step: Callable[[datetime], Errand[Answer]],
        now: datetime,
    ) -> Errand[Answer] | None:
        """The errand, about to be run; None where nobody owes it any more."""
        if not errand.is_owed(owner):
            await errand.give_up(self._repository, tx, owner, now)
            return None
        submitted = step(now)
        await submitted.save(self._repository, tx, before=errand.payment)
        return submitted

    async def ask(self, errands: Sequence[Errand[Answer]]) -> None:
        """Asks the provider, outside of any transaction, and keeps its answers. Those that came while others
        were being kept are kept together. Where an answer cannot be kept, the others are all the same, and
        then the first error is raised: what is missing is asked for again.
        """
        errors: list[Exception] = []
        open_calls = {asyncio.create_task(self._ask(one)) for one in errands}
        while open_calls:
            done, open_calls = await asyncio.wait(open_calls, return_when=asyncio.FIRST_COMPLETED)
            errors += await self._keep([one.result() for one in done])
        if errors:
            raise errors[0]

    async def _ask(self, errand: Errand[Answer]) -> tuple[Errand[Answer], Answer | None]:
        """None where nothing is known."""
        try:
            async with asyncio.timeout(self._patience.answer.total_seconds()):
                return errand, await errand.ask(self._provider)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the money may have moved
            kind = type(error).__name__
            _log.warning("payment_provider_failed", payment=errand.payment.name, error_type=kind)
            return errand, None

    async def _keep(self, answers: Sequence[tuple[Errand[Answer], Answer | None]]) -> list[Exception]:
        known = [(errand, answer) for errand, answer in answers if answer is not None]
        works: list[Callable[[Transaction], Awaitable[object]]] = [
            partial(self._lose, asked=errand) for errand, answer in answers if answer is None
        ]
        if len(known) > 1 and await self._done(partial(self._answered, answers=known)) is None:
            known = []
        # Whose fault it was, if they did not work together, is told by doing each alone.
        works += [partial(self._answered, answers=[one]) for one in known]
        found = [await self._done(work) for work in works]
        return [error for error in found if error is not None]

    async def _done(self, work: Callable[[Transaction], Awaitable[object]]) -> Exception | None:
        try:
            await self._database.transact(work)
        except Exception as error:  # noqa: BLE001 - raised when the other answers are kept
            _log.warning("answers_not_kept", error_type=type(error).__name__)
            return error
        return None

    async def _answered(self, tx: Transaction, answers: Sequence[tuple[Errand[Answer], Answer]]) -> None:
        # First the timers, then the owners: a timer that fires takes its locks in this order.
        await tx.remove_timers(self._kind.enquire_kind, [errand.key for errand, _ in answers])
        await self._settle(tx, answers)

    async def _settle(self, tx: Transaction, answers: Sequence[tuple[Errand[Answer], Answer]]) -> None:
        names, now = [asked.payment.name for asked, _ in answers], self._clock.now()
        found = await load_all_owned(self._repository, self._owners, tx, names)
        for (asked, answer), (owner, payment) in zip(answers, found, strict=True):
            resolved = replace(asked, payment=payment).resolved(answer, now)
            if resolved.payment is not payment:
                await resolved.save(self._repository, tx, before=payment)
                await resolved.book(self._repository, tx, owner, now)
            # Also where nothing is new: the timer that was set is gone.
            if (until := resolved.waits_until(owner, now)) is not None:
                tx.schedule(self._kind.enquire_kind, resolved.key, until, {**resolved.payload, "round": 1})

    async def _lose(self, tx: Transaction, asked: Errand[Answer]) -> Errand[Answer]:
        _, errand = await self._load_again(tx, asked)
        lost = errand.lost(self._clock.now())
        if lost.payment is not errand.payment:
            await lost.save(self._repository, tx, before=errand.payment)
        return lost

    async def _still_unknown(self, tx: Transaction, timer: DueTimer, asked: Errand[Answer]) -> None:
        if (await self._lose(tx, asked)).is_open:
            self._schedule_next(tx, timer)

    def _schedule_next(self, tx: Transaction, timer: DueTimer) -> None:
        done = int(timer.payload["round"])
        pause = next_enquiry(done)
        if pause is None:
            name = timer.payload["payment"]
            _log.error(f"{self._kind.subject}_unresolved", key=timer.key, payment=name, enquiries=done)
            return
        payload = {**timer.payload, "round": done + 1}
        payload.pop("again", None)
        tx.schedule(timer.kind, timer.key, self._clock.now() + pause, payload)

    def _schedule_after_again(self, tx: Transaction, timer: DueTimer, now: datetime) -> None:
        """What was submitted only now is asked about as soon as any other, once in each round."""
        if timer.payload.get("again"):
            self._schedule_next(tx, timer)
            return
        due = now + self._patience.first_enquiry
        tx.schedule(timer.kind, timer.key, due, {**timer.payload, "again": True})

    async def _load_again(
        self, tx: Transaction, asked: Errand[Answer]
    ) -> tuple[PaymentOwner, Errand[Answer]]:
        owner, payment = await load_owned(self._repository, self._owners, tx, asked.payment.name)
        return owner, replace(asked, payment=payment)

    async def _load(self, tx: Transaction, payload: Mapping[str, Any]) -> tuple[PaymentOwner, Errand[Answer]]:
        owner, payment = await load_owned(self._repository, self._owners, tx, str(payload["payment"]))
        return owner, self._kind.of(payment, payload)
