"""What happens to every call before and after its method, compiled once per method.

The order: limits, deadline, trace and log context, metrics, errors, authentication, authorization,
validation, idempotency. It is a plain chain of functions around the method's handler, put there when the
handler is registered (`chassis.server.MethodRegistry`): grpc.aio's own interceptors would cost several
coroutines for every call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from time import perf_counter
from typing import Any

import grpc

from chassis import status, telemetry
from chassis.admission import (
    MESSAGE_LIMIT_BYTES,
    Method,
    check_rules,
    compile_rules,
    idempotency_key,
    identified,
)
from chassis.auth import ACTING_FOR, Verifier, acting_for
from chassis.call import Call
from chassis.idempotency import Replay
from chassis.kernel.caller import ANONYMOUS, Relation
from chassis.kernel.refusal import Kind, Refusal
from chassis.uploads import discard

# Somewhat larger messages are still read, so that their refusal can name the limit.
TRANSPORT_LIMIT_BYTES = 2 * MESSAGE_LIMIT_BYTES
DEFAULT_DEADLINE_SECONDS = 10.0
LONGEST_DEADLINE_SECONDS = 60.0
# A stream of requests takes as long as the line of its sender needs.
UPLOAD_DEADLINE_SECONDS = 300.0
OVERLOAD_RETRY_SECONDS = 1.0

Encode = Callable[[Any], bytes]

_log = telemetry.logger("calls")


class NotAuthorized(Exception):
    """A method answered without deciding whether its caller may have the answer: a defect, never a
    refusal.
    """


class Limit:
    """How many calls of one kind may be open at once."""

    __slots__ = ("maximum", "name", "open")

    def __init__(self, name: str, maximum: int) -> None:
        self.name = name
        self.maximum = maximum
        self.open = 0

    def exceeded(self) -> Refusal:
        """The refusal of a call that would be one too many."""
        return Refusal(
            Kind.EXHAUSTED,
            "OVERLOADED",
            "too many calls at once",
            metadata={"limit": self.name, "maximum": str(self.maximum)},
            retry_after_seconds=OVERLOAD_RETRY_SECONDS,
        )


class Chain:
    """Wraps the handlers of one server."""

    def __init__(
        self,
        service: str,
        verifier: Verifier,
        *,
        calls: Limit,
        streams: Limit,
        log_reads: bool = False,
        support: str = "",
    ) -> None:
        self.service = service
        self.calls = calls
        self.streams = streams
        self._verifier = verifier
        self._log_reads = log_reads
        self._support = support
        self._streaming_tasks: set[asyncio.Task[Any]] = set()
        self._draining = False

    def wrap(self, path: str, handler: Any) -> Any:
        """The handler that is registered in place of `handler` for the method `path`.

        Handlers are coroutine functions, async generator functions where they answer a stream; one that takes
        and gives one message may also be a function that answers its encoded response, or what is awaited for
        it. KeyError where no descriptor of the method is loaded.
        """
        method = Method(path)
        # Neither does the first call pay for this, nor does a broken rule wait for one.
        compile_rules(method.request_class())
        encode = handler.response_serializer
        if handler.response_streaming:
            make: Any = grpc.stream_stream_rpc_method_handler
            if not handler.request_streaming:
                make = grpc.unary_stream_rpc_method_handler
            inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
            return make(self._streaming(method, inner, encode, handler.request_streaming))
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(
                self._collecting(method, handler.stream_unary, encode)
            )
        return grpc.unary_unary_rpc_method_handler(self._single(method, handler.unary_unary, encode))

    def drain(self) -> None:
        """End the streams of answers with UNAVAILABLE, so that their clients look for another server."""
        self._draining = True
        for task in self._streaming_tasks:
            task.cancel()

    # ---------------------------------------------------------------------------- the three shapes

    def _single(self, method: Method, inner: Callable[[Any, Any], Any], encode: Encode) -> Any:
        """One request, one answer: the hot path."""
        limit, admit, finish = self.calls, self._admit, self._finish

        async def answer(raw: bytes, context: Any) -> bytes:
            started = perf_counter()
            call, token = _open(method, context)
            limit.open += 1
            span: telemetry.RecordedSpan | None = None
            try:
                if limit.open > limit.maximum:
                    raise limit.exceeded()
                span = telemetry.begin_span(call, "server")
                response = inner(admit(method, call, token, raw), context)
                if type(response) is not bytes:
                    # What is answered at once needs no deadline.
                    own_limit = _limit(call, context, DEFAULT_DEADLINE_SECONDS, LONGEST_DEADLINE_SECONDS)
                    response = await (response if own_limit is None else _within(own_limit, response))
                if not call.decided:
                    raise NotAuthorized(method.path)
                encoded = response if type(response) is bytes else encode(response)
            except Replay as replay:
                encoded = replay.body
            except BaseException as error:
                if span is not None:
                    span.end(error)
                await self._fail(method, call, context, started, error)
                raise
            finally:
                limit.open -= 1
            if span is not None:
                span.end()
            finish(method, call, grpc.StatusCode.OK, "", started)
            return encoded

        return answer

    def _collecting(self, method: Method, inner: Callable[[Any, Any], Awaitable[Any]], encode: Encode) -> Any:
        """A stream of requests, one answer."""

        async def answer(requests: AsyncIterator[bytes], context: Any) -> bytes:
            started = perf_counter()
            call, token = _open(method, context)
            own_limit = _limit(call, context, UPLOAD_DEADLINE_SECONDS, UPLOAD_DEADLINE_SECONDS)
            limit = self.streams
            limit.open += 1
            try:
                if limit.open > limit.maximum:
                    raise limit.exceeded()
                try:
                    with telemetry.span(call, "server"):
                        incoming = self._admit_stream(method, call, token, requests)
                        response = await _within(own_limit, inner(incoming, context))
                        if not call.decided:
                            raise NotAuthorized(method.path)
                except Exception:
                    assert call.deadline is not None
                    await discard(requests, deadline=call.deadline)
                    raise
                encoded = encode(response)
            except Replay as replay:
                encoded = replay.body
            except BaseException as error:
                await self._fail(method, call, context, started, error)
                raise
            finally:
                limit.open -= 1
            self._finish(method, call, grpc.StatusCode.OK, "", started)
            return encoded

        return answer

    def _streaming(
        self, method: Method, inner: Callable[[Any, Any], Any], encode: Encode, many_requests: bool
    ) -> Any:
        """A stream of answers; its length is bounded by the age of the connection."""

        async def answer(sent: Any, context: Any) -> AsyncIterator[bytes]:
            started = perf_counter()
            call, token = _open(method, context)
            _limit(call, context, DEFAULT_DEADLINE_SECONDS, LONGEST_DEADLINE_SECONDS)
            limit, task = self.streams, asyncio.current_task()
            assert task is not None
            answers: Any = None
            limit.open += 1
            self._streaming_tasks.add(task)
            try:
                if limit.open > limit.maximum:
                    raise limit.exceeded()
                admit = self._admit_stream if many_requests else self._admit
                request = admit(method, call, token, sent)
                answers = inner(request, context)
                async for response in answers:
                    if not call.decided:
                        raise NotAuthorized(method.path)
                    yield encode(response)
            except GeneratorExit:
                raise
            except BaseException as error:
                await self._fail(method, call, context, started, error)
                raise
            finally:
                limit.open -= 1
                self._streaming_tasks.discard(task)
                if answers is not None:
                    await answers.aclose()
            self._finish(method, call, grpc.StatusCode.OK, "", started)

        return answer

    # ---------------------------------------------------------------------------- steps

    def _admit(self, method: Method, call: Call, token: str, raw: bytes) -> Any:
        """The request, after authentication, authorization, validation and idempotency key, in this order."""
        if token:
            call.caller = self._verifier.verify(token)
        if call.acting_for:
            call.caller = acting_for(call.caller, call.acting_for, method.rule)
        try:
            request = method.read(raw)
        except Refusal:
            identified(method, call)
            raise
        method.authorize(call, request)
        known = method.valid
        if known is None:
            check_rules(request)
            if method.mutating and request.request_id and call.caller is not ANONYMOUS:
                call.idempotency = idempotency_key(method, call, request)
        elif raw not in known:
            check_rules(request)
            known.add(raw)
        return request

    def _admit_stream(self, method: Method, call: Call, token: str, requests: AsyncIterator[bytes]) -> Any:
        """The same for a stream of requests: what needs no request is decided now, the rest for each of them.

        Without the first part a stream that carries nothing would pass unchecked.
        """
        if token:
            call.caller = self._verifier.verify(token)
        if call.acting_for:
            call.caller = acting_for(call.caller, call.acting_for, method.rule)
        identified(method, call)
        by_request = method.declared and method.rule.relation is Relation.TEAM
        if by_request:
            call.undecided()
        else:
            method.authorize(call, None)
        return self._admitted(method, call, by_request, requests)

    async def _admitted(
        self, method: Method, call: Call, by_request: bool, requests: AsyncIterator[bytes]
    ) -> AsyncIterator[Any]:
        async for raw in requests:
            request = method.read(raw)
            if by_request:
                method.authorize(call, request)
                call.scoped()
            check_rules(request)
            yield request

    def _finish(self, method: Method, call: Call, code: grpc.StatusCode, reason: str, started: float) -> None:
        seconds = perf_counter() - started
        is_ok = code is grpc.StatusCode.OK
        # Nearly always this one: looking a member of an enumeration up calls its `__hash__`.
        observe = method.succeeded if is_ok else method.measure(code)
        observe(seconds)
        if method.mutating or reason or not is_ok:
            via = {"via": call.caller.via} if call.caller.via else {}
            _log.info("call", code=code.name, reason=reason, milliseconds=round(seconds * 1000, 2), **via)
        elif self._log_reads:
            _log.debug("call", code=code.name, milliseconds=round(seconds * 1000, 2))

    async def _fail(
        self, method: Method, call: Call, context: Any, started: float, error: BaseException
    ) -> None:
        """Answer what went wrong; returns only for a call that nobody waits for any more."""
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            if self._draining and task is not None and task in self._streaming_tasks:
                task.uncancel()
                closing = status.refused(_closing(self.service), self.service)
                await context.abort(closing.code, closing.message, closing.trailing_metadata)
            remaining = context.time_remaining()
            late = remaining is not None and remaining <= 0
            code = grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED
            self._finish(method, call, code, "ABANDONED", started)
            return
        failure = self._failure(method, error)
        if failure is not None:
            self._finish(method, call, failure.code, failure.reason, started)
            await context.abort(failure.code, failure.message, failure.trailing_metadata)

    def _failure(self, method: Method, error: BaseException) -> status.Failure | None:
        if isinstance(error, Refusal):
            return status.refused(error, self.service)
        if isinstance(error, NotImplementedError):
            return status.no_such_method(method.path)
        if isinstance(error, grpc.aio.AbortError) or not isinstance(error, Exception):
            return None
        outage = status.outage_of(error)
        if outage is not None:
            _log.warning("outage", reason=outage.reason, error=type(error).__name__)
            return status.refused(outage, self.service)
        # The text of the exception stays here: it may quote rows or statements.
        _log.error("fault", error=type(error).__name__, exc_info=error)
        return status.fault(self._support)


# -------------------------------------------------------------------------------- deadline, context


def _closing(service: str) -> Refusal:
    return Refusal(
        Kind.UNAVAILABLE,
        "PEER_UNAVAILABLE",
        f"{service} is shutting down",
        metadata={"peer": service},
        retry_after_seconds=OVERLOAD_RETRY_SECONDS,
    )


def _open(method: Method, context: Any) -> tuple[Call, str]:
    """The call, and its bearer token."""
    token = traceparent = subject = ""
    for key, value in context.invocation_metadata():
        if key == "authorization":
            token = value[7:] if value[:7].lower() == "bearer " else value
        elif key == "traceparent":
            traceparent = value
        elif key == ACTING_FOR:
            subject = value
    call = Call(method.path, method.rule, traceparent=traceparent)
    call.acting_for = subject
    telemetry.enter(call)
    return call, token


def _limit(call: Call, context: Any, usual: float, longest: float) -> float | None:
    """Gives the call its deadline. Answers the seconds that this side has to enforce itself; None: the
    client's do.
    """
    remaining: float | None = context.time_remaining()
    own_limit: float | None = None
    if remaining is None:
        remaining = own_limit = usual
    elif remaining > longest:
        remaining = own_limit = longest
    call.deadline = asyncio.get_running_loop().time() + remaining
    return own_limit


async def _within(seconds: float | None, answer: Awaitable[Any]) -> Any:
    bound = asyncio.timeout(seconds)
    try:
        async with bound:
            return await answer
    except TimeoutError:
        if not bound.expired():
            raise
        raise Refusal(Kind.DEADLINE, "DEADLINE_EXCEEDED", "the answer was not ready in time") from None
