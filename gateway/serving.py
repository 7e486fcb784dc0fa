"""Puts the application together and serves it with granian inside this one process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from google.protobuf.descriptor import ServiceDescriptor
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from chassis import telemetry
from chassis.config import Address
from chassis.stop_budget import StopBudget
from console import read_site
from gateway.app import App
from gateway.auth import TokenVerifier
from gateway.config import GatewayConfig
from gateway.console import ConsoleFiles
from gateway.cors import Cors
from gateway.docs import reference_page
from gateway.downloads import DownloadHandler
from gateway.events import StreamHandler, StreamLimit
from gateway.openapi import openapi_document
from gateway.pages import Readiness, fixed_pages
from gateway.transcode import Endpoint, RouteIndex, find_endpoints
from gateway.unary import Handler, Limits, UnaryHandler
from gateway.uploads import UploadHandler
from gateway.upstream import Upstreams

HEADER_READ_MILLISECONDS = 10_000
STOP_SECONDS = 5.0

_log = telemetry.logger("gateway")


class AddressTaken(Exception):
    """Something else listens where the gateway should."""


class Gateway:
    """Everything of one running gateway. Create it inside the running event loop."""

    def __init__(
        self, config: GatewayConfig, services: Sequence[ServiceDescriptor], verifier: TokenVerifier
    ) -> None:
        """Raises TemplateError, BindingError or RouteConflict for a faulty contract, else UnknownService."""
        self._config = config
        self.budget = StopBudget(config.shutdown_seconds)
        self.upstreams = Upstreams(config.targets())
        self.readiness = Readiness(self.upstreams.health)
        self.streams = StreamLimit(config.maximum_open_streams)
        endpoints = find_endpoints(services)
        limits = Limits(
            request_bytes=config.request_limit_bytes,
            deadline_seconds=config.deadline_seconds,
            upload_seconds=config.upload_seconds,
            stream_seconds=config.stream_seconds,
            heartbeat_seconds=config.heartbeat_seconds,
        )
        make = partial(
            _handler, upstreams=self.upstreams, verifier=verifier, limits=limits, streams=self.streams
        )
        routes = RouteIndex((each.template, each.http_method, make(each)) for each in endpoints)
        document = partial(openapi_document, endpoints)
        self.app = App(
            routes,
            fixed_pages(
                self.readiness,
                document=document,
                reference=lambda: reference_page(document()),
                has_console=config.console,
            ),
            files=ConsoleFiles(read_site()) if config.console else None,
            cors=Cors(config.cors_origins),
            log_reads=config.log_level == "debug",
            support=config.support_contact,
        )

    async def serve(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set, then drains; raises AddressTaken."""
        address = self._config.address
        refuse_taken(address)
        server = Server(
            self.app,
            address=address.host,
            port=address.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto,
            websockets=False,
            backlog=1_024,
            backpressure=self._config.maximum_connections,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_MILLISECONDS),
            log_enabled=False,
        )
        serving = asyncio.ensure_future(server.serve())
        stopping = asyncio.ensure_future(stop.wait())
        _log.info("gateway_started", address=str(address))
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await self.drain()
        finally:
            stopping.cancel()
            # The embedded server has no annotations.
            cast(Any, server).stop()
            # granian waits for connections that callers keep open; they are idle by now.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(serving, self.budget.of(STOP_SECONDS))
            await self.budget.step(self.upstreams.close, STOP_SECONDS)
        _log.info("gateway_stopped")

    async def drain(self) -> None:
        """Ends streams, and waits for open requests, for their share of `shutdown_seconds` at most."""
        self.budget.begin()
        self.readiness.is_stopping = True
        self.streams.draining.set()
        try:
            async with asyncio.timeout(self.budget.for_calls()):
                await self.app.idle.wait()
        except TimeoutError:
            _log.warning("drain_incomplete", open_requests=self.app.open_requests)


def refuse_taken(address: Address) -> None:
    """Raises AddressTaken if nobody can listen there; granian itself would share the port silently."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise AddressTaken(f"cannot listen on {address}: {error.strerror}") from None


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _handler(
    endpoint: Endpoint,
    *,
    upstreams: Upstreams,
    verifier: TokenVerifier,
    limits: Limits,
    streams: StreamLimit,
) -> Handler:
    if endpoint.is_upload:
        return UploadHandler(endpoint, upstreams, verifier, limits, streams)
    if endpoint.is_download:
        return DownloadHandler(endpoint, upstreams, verifier, limits, streams)
    if endpoint.rpc.server_streaming:
        return StreamHandler(endpoint, upstreams, verifier, limits, streams)
    return UnaryHandler(endpoint, upstreams, verifier, limits)
