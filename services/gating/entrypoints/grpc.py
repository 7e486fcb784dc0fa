"""The GatingService: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chassis import personal_data
from chassis.call import current_call
from chassis.personal_data import PersonalRecords
from chassis.server import respond, respond_at_once, respond_each
from parley.gating.v1 import absence_pb2, buyer_verification_pb2, personal_data_pb2
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gating_service_pb2_grpc import GatingServiceServicer
from services.gating.app.calendars import CalendarCommands
from services.gating.app.metrics import Metrics
from services.gating.app.order_requests import OrderRequestCommands
from services.gating.app.queries import Queries
from services.gating.app.sellers import SellerCommands
from services.gating.app.simulation import Simulations
from services.gating.app.verifications import VerificationCommands
from services.gating.wire import calendars, gate, metrics, order_requests, settings, simulation, verifications


class GatingServicer(GatingServiceServicer):
    """One method for each RPC."""

    def __init__(
        self,
        *,
        sellers: SellerCommands,
        calendars: CalendarCommands,
        verifications: VerificationCommands,
        requests: OrderRequestCommands,
        queries: Queries,
        metrics: Metrics,
        simulations: Simulations,
        personal: PersonalRecords,
    ) -> None:
        self._sellers = sellers
        self._calendars = calendars
        self._verifications = verifications
        self._requests = requests
        self._queries = queries
        self._metrics = metrics
        self._simulations = simulations
        self._personal = personal

    async def GetOrderSettings(
        self, request: pb.GetOrderSettingsRequest, context: Any
    ) -> pb.GetOrderSettingsResponse:
        query = settings.get_order_settings_query(request)
        handler = self._sellers.get_order_settings
        return await respond(context, query, handler, settings.get_order_settings_response)

    async def UpdateOrderSettings(
        self, request: pb.UpdateOrderSettingsRequest, context: Any
    ) -> pb.UpdateOrderSettingsResponse:
        command = settings.update_order_settings_command(request)
        handler = self._sellers.update_order_settings
        return await respond(context, command, handler, settings.update_order_settings_response)

    async def SetSellerPlan(self, request: pb.SetSellerPlanRequest, context: Any) -> pb.SetSellerPlanResponse:
        command = settings.set_seller_plan_command(request)
        handler = self._sellers.set_seller_plan
        return await respond(context, command, handler, settings.set_seller_plan_response)

    async def SetAvailability(
        self, request: pb.SetAvailabilityRequest, context: Any
    ) -> pb.SetAvailabilityResponse:
        command = calendars.set_availability_command(request)
        handler = self._calendars.set_availability
        return await respond(context, command, handler, calendars.set_availability_response)

    def EvaluateGate(self, request: pb.EvaluateGateRequest, context: Any) -> Any:
        return respond_at_once(
            context,
            gate.evaluate_gate_query(request),
            self._queries.evaluate_gate_at_once,
            self._queries.evaluate_gate,
            gate.evaluate_gate_response,
        )

    async def CreateOrderRequest(
        self, request: pb.CreateOrderRequestRequest, context: Any
    ) -> pb.CreateOrderRequestResponse:
        command = order_requests.create_order_request_command(request)
        handler = self._requests.create_order_request
        return await respond(context, command, handler, order_requests.create_order_request_response)

    async def GetOrderRequest(
        self, request: pb.GetOrderRequestRequest, context: Any
    ) -> pb.GetOrderRequestResponse:
        handler = self._queries.get_order_request
        return await respond(context, request.name, handler, order_requests.get_order_request_response)

    async def ListOrderRequests(
        self, request: pb.ListOrderRequestsRequest, context: Any
    ) -> pb.ListOrderRequestsResponse:
        caller = current_call().principal
        query = order_requests.list_order_requests_query(request, caller=caller)
        return await respond(
            context,
            query,
            self._queries.list_order_requests,
            lambda page: order_requests.list_order_requests_response(request, page, caller=caller),
        )

    async def AskInformation(
        self, request: pb.AskInformationRequest, context: Any
    ) -> pb.AskInformationResponse:
        command = order_requests.ask_information_command(request)
        handler = self._requests.ask_information
        return await respond(context, command, handler, order_requests.ask_information_response)

    async def AnswerInformation(
        self, request: pb.AnswerInformationRequest, context: Any
    ) -> pb.AnswerInformationResponse:
        command = order_requests.answer_information_command(request)
        handler = self._requests.answer_information
        return await respond(context, command, handler, order_requests.answer_information_response)

    async def DeclineOrderRequest(
        self, request: pb.DeclineOrderRequestRequest, context: Any
    ) -> pb.DeclineOrderRequestResponse:
        command = order_requests.decline_order_request_command(request)
        handler = self._requests.decline_order_request
        return await respond(context, command, handler, order_requests.decline_order_request_response)

    async def WithdrawOrderRequest(
        self, request: pb.WithdrawOrderRequestRequest, context: Any
    ) -> pb.WithdrawOrderRequestResponse:
        command = order_requests.end_order_request_command(request)
        handler = self._requests.withdraw_order_request
        return await respond(context, command, handler, order_requests.withdraw_order_request_response)

    async def CloseOrderRequest(
        self, request: pb.CloseOrderRequestRequest, context: Any
    ) -> pb.CloseOrderRequestResponse:
        command = order_requests.end_order_request_command(request)
        handler = self._requests.close_order_request
        return await respond(context, command, handler, order_requests.close_order_request_response)

    async def DismissOrderRequest(
        self, request: pb.DismissOrderRequestRequest, context: Any
    ) -> pb.DismissOrderRequestResponse:
        command = order_requests.end_order_request_command(request)
        handler = self._requests.dismiss_order_request
        return await respond(context, command, handler, order_requests.dismiss_order_request_response)

    async def ListOrderSettingsVersions(
        self, request: pb.ListOrderSettingsVersionsRequest, context: Any
    ) -> pb.ListOrderSettingsVersionsResponse:
        query = settings.list_order_settings_versions_query(request)
        return await respond(
            context,
            query,
            self._sellers.list_order_settings_versions,
            lambda page: settings.list_order_settings_versions_response(request, page),
        )

    async def RecordVisit(self, request: pb.RecordVisitRequest, context: Any) -> pb.RecordVisitResponse:
        command = metrics.record_visit_command(request)
        return await respond(context, command, self._metrics.record_visit, metrics.record_visit_response)

    async def GetGateMetrics(
        self, request: pb.GetGateMetricsRequest, context: Any
    ) -> pb.GetGateMetricsResponse:
        query = metrics.get_gate_metrics_query(request)
        handler = self._metrics.get_gate_metrics
        return await respond(
            context, query, handler, lambda found: metrics.get_gate_metrics_response(request, found)
        )

    async def SimulateGate(
        self, request: pb.SimulateGateRequest, context: Any
    ) -> AsyncIterator[pb.SimulateGateResponse]:
        query = simulation.simulate_gate_query(request)
        handler = self._simulations.simulate_gate
        async for answer in respond_each(context, query, handler, simulation.simulate_gate_response):
            yield answer

    async def CreateAbsence(
        self, request: absence_pb2.CreateAbsenceRequest, context: Any
    ) -> absence_pb2.CreateAbsenceResponse:
        command = calendars.create_absence_command(request, author=current_call().principal)
        handler = self._calendars.create_absence
        return await respond(context, command, handler, calendars.create_absence_response)

    async def ListAbsences(
        self, request: absence_pb2.ListAbsencesRequest, context: Any
    ) -> absence_pb2.ListAbsencesResponse:
        query = calendars.list_absences_query(request)
        return await respond(
            context,
            query,
            self._calendars.list_absences,
            lambda view: calendars.list_absences_response(request, view),
        )

    async def DeleteAbsence(
        self, request: absence_pb2.DeleteAbsenceRequest, context: Any
    ) -> absence_pb2.DeleteAbsenceResponse:
        command = calendars.delete_absence_command(request)
        handler = self._calendars.delete_absence
        return await respond(context, command, handler, calendars.delete_absence_response)

    async def SetBuyerVerification(
        self, request: buyer_verification_pb2.SetBuyerVerificationRequest, context: Any
    ) -> buyer_verification_pb2.SetBuyerVerificationResponse:
        author = current_call().principal
        command = verifications.set_buyer_verification_command(request, author=author)
        handler = self._verifications.set_buyer_verification
        return await respond(context, command, handler, verifications.set_buyer_verification_response)

    async def ListBuyerVerifications(
        self, request: buyer_verification_pb2.ListBuyerVerificationsRequest, context: Any
    ) -> buyer_verification_pb2.ListBuyerVerificationsResponse:
        query = verifications.list_buyer_verifications_query(request)
        return await respond(
            context,
            query,
            self._verifications.list_buyer_verifications,
            lambda view: verifications.list_buyer_verifications_response(request, view),
        )

    async def ListGatingRecords(
        self, request: personal_data_pb2.ListGatingRecordsRequest, context: Any
    ) -> personal_data_pb2.ListGatingRecordsResponse:
        query = personal_data.list_query(request)
        encode = personal_data.list_response(request, personal_data_pb2.ListGatingRecordsResponse)
        answer: personal_data_pb2.ListGatingRecordsResponse = await respond(
            context, query, self._personal.list, encode
        )
        return answer
