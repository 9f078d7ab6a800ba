"""Operations on becoming a customer: founding, terms, registration, documents, the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import onboarding
from portal.api.authentication import PersonAuthentication, actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import OrganizationOut, Strict, body_of
from tenants import founding, names, numbers, reasons, registrations, standing, terms, uploads
from tenants.actions import registrations as actions
from tenants.actions.organizations import NumberTaken, TooManyUnconfirmed
from tenants.founding import Choice, Founding
from tenants.models import Evidence, EvidenceKind, Organization, User


class FoundingIn(Strict):
    """``terms`` names the versions agreed to, as ``GET /terms`` gives them."""

    kind = serializers.ChoiceField(choices=Choice.values)
    name = serializers.CharField(max_length=80)
    business_number = serializers.CharField(max_length=40)
    medical_number = serializers.CharField(max_length=20, default="", allow_blank=True)
    corporate_number = serializers.CharField(max_length=40, default="", allow_blank=True)
    data_class = serializers.CharField(max_length=16, default="open")
    terms = serializers.ListField(child=serializers.CharField(max_length=40), max_length=10)


class CorrectionIn(Strict):
    """Only what is sent is changed."""

    kind = serializers.ChoiceField(choices=Choice.values, required=False)
    name = serializers.CharField(max_length=80, required=False)
    business_number = serializers.CharField(max_length=40, required=False)
    medical_number = serializers.CharField(max_length=20, required=False, allow_blank=True)
    corporate_number = serializers.CharField(max_length=40, required=False, allow_blank=True)


class EvidenceIn(Strict):
    kind = serializers.CharField(max_length=12, help_text=", ".join(EvidenceKind.values))
    file = serializers.FileField()


class DecisionIn(Strict):
    because = serializers.CharField(max_length=300)


class QuestionIn(Strict):
    message = serializers.CharField(max_length=300)


class TermsOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    document = serializers.CharField()
    version = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()
    effective_at = serializers.DateTimeField()


class RegistrationOut(serializers.Serializer[Any]):
    """``because`` are sentences: why nothing can be ordered; empty when it can."""

    organization = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField(source="registration")
    since = serializers.DateTimeField(source="registration_since", allow_null=True)
    business_number = serializers.CharField(allow_null=True)
    business_number_says = serializers.SerializerMethodField()
    medical_number = serializers.CharField()
    corporate_number = serializers.CharField()
    tax_type = serializers.CharField(source="registry_tax_type")
    registry_answered_at = serializers.DateTimeField(source="registry_seen_at", allow_null=True)
    confirmed_by_operator_at = serializers.DateTimeField(source="vouched_at", allow_null=True)
    doubts = serializers.SerializerMethodField()
    because = serializers.SerializerMethodField()
    asked = serializers.SerializerMethodField()

    def get_business_number_says(self, organization: Organization) -> str:
        return numbers.meaning(organization.business_number)

    def get_doubts(self, organization: Organization) -> list[str]:
        return founding.warnings(organization.name, organization.corporate_number)

    def get_because(self, organization: Organization) -> list[str]:
        return standing.reasons(organization)

    def get_asked(self, organization: Organization) -> list[str]:
        rows = registrations.questions(organization).filter(answered_at=None)
        return list(rows.values_list("message", flat=True))


class EvidenceOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    state = serializers.CharField()
    name = serializers.CharField(source="file.name")
    size = serializers.IntegerField(source="file.size")
    sha256 = serializers.CharField(source="file.sha256")
    handed_in_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)


class VerificationOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    business_number = serializers.CharField(allow_null=True)
    state = serializers.CharField(source="registration")
    since = serializers.DateTimeField(source="registration_since", allow_null=True)
    documents_to_read = serializers.IntegerField(source="waiting")
    registry_answered_at = serializers.DateTimeField(source="registry_seen_at", allow_null=True)


@contextmanager
def _refusals() -> Iterator[None]:
    """What founding and correcting may say, as answers."""
    try:
        yield
    except names.BadName as error:
        raise Refused(str(error), code="name", field="name") from error
    except numbers.BadMedicalNumber as error:
        raise Refused(str(error), code="number", field="medical_number") from error
    except numbers.BadCorporateNumber as error:
        raise Refused(str(error), code="number", field="corporate_number") from error
    except (numbers.BadNumber, founding.OtherKind) as error:
        raise Refused(str(error), code="number", field="business_number") from error
    except NumberTaken as error:
        raise Refused(str(error), code="number_taken", field="business_number") from error
    except TooManyUnconfirmed as error:
        raise Refused(str(error), code="too_many_unconfirmed", status=409) from error
    except founding.NoDataClass as error:
        raise Refused(str(error), code="data_class", field="data_class") from error
    except terms.TermsNotAccepted as error:
        raise Refused(str(error), code="terms", field="terms") from error
    except actions.UnknownKind as error:
        raise Refused(str(error), code="kind", field="kind") from error
    except uploads.BadFile as error:
        raise Refused(str(error), code="file", field="file") from error
    except reasons.BadReason as error:
        raise Refused(str(error), code="reason") from error
    except (actions.NothingToDecide, actions.TooMuchEvidence) as error:
        raise Refused(str(error), code="registration_state", status=409) from error
    except actions.AskedLately as error:
        raise Refused(str(error), code="asked_lately", status=429) from error


class TermsView(APIView):
    permission_classes = (AllowAny,)
    authentication_classes = ()

    @extend_schema(responses=TermsOut(many=True))
    def get(self, request: Request) -> Response:
        """The documents in force, in the language of ``Accept-Language``."""
        found = TermsOut(terms.in_force(timezone.now()), many=True).data
        return Response({"data": found, "next": None, "previous": None})


class OrganizationsView(APIView):
    authentication_classes = (PersonAuthentication,)
    permission_classes = (IsAuthenticated,)

    @extend_schema(request=FoundingIn, responses={201: OrganizationOut})
    def post(self, request: Request) -> Response:
        """Found an organization: for a signed-in person, since there is no key before it."""
        sent = body_of(FoundingIn, request)
        wish = Founding(**sent | {"terms": tuple(sent["terms"])})
        assert isinstance(request.user, User)
        with _refusals():
            made = onboarding.found(owner=request.user, founding=wish, now=timezone.now())
        return Response(OrganizationOut(made).data, status=201)


class RegistrationView(APIView):
    @extend_schema(responses=RegistrationOut)
    def get(self, request: Request) -> Response:
        """What the registry of businesses says, and what is still asked of you."""
        actor = actor_of(request)
        actor.require("organization.read")
        return Response(RegistrationOut(actor.organization).data)

    @extend_schema(request=CorrectionIn, responses=RegistrationOut)
    def patch(self, request: Request) -> Response:
        """Correct name or numbers until somebody has confirmed them."""
        actor = actor_of(request)
        actor.require("organization.change")
        sent = body_of(CorrectionIn, request)
        with _refusals():
            made = actions.correct(by=actor, now=timezone.now(), **sent)
        return Response(RegistrationOut(made).data)


class RegistryQuestionView(APIView):
    @extend_schema(request=None, responses={202: RegistrationOut})
    def post(self, request: Request) -> Response:
        """Have the registry asked now; every ten minutes at most."""
        actor = actor_of(request)
        actor.require("organization.change")
        with _refusals():
            actions.ask_again(by=actor, now=timezone.now())
        return Response(RegistrationOut(actor.organization).data, status=202)


class EvidenceListView(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(responses=EvidenceOut(many=True))
    def get(self, request: Request) -> Response:
        """Documents that were handed in, newest first."""
        actor = actor_of(request)
        actor.require("organization.read")
        rows = Evidence.objects.visible_to(actor).select_related("file")
        return listed(request, rows, EvidenceOut)

    @extend_schema(request={"multipart/form-data": EvidenceIn}, responses={201: EvidenceOut})
    def post(self, request: Request) -> Response:
        """Hand in a PDF, JPG or PNG up to 10 MB."""
        actor = actor_of(request)
        actor.require("organization.change")
        sent = body_of(EvidenceIn, request)
        with _refusals():
            made = actions.hand_in(
                kind=sent["kind"], upload=sent["file"], by=actor, now=timezone.now()
            )
        return Response(EvidenceOut(made).data, status=201)


class EvidenceFileView(APIView):
    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """The document itself. The audit log keeps who opened it."""
        actor = actor_of(request)
        actor.require("evidence.open")
        rows = Evidence.objects.visible_to(actor).select_related("file")
        evidence = get_object_or_404(rows, public_id=public_id)
        return uploads.response(actions.open_file(evidence=evidence, by=actor, now=timezone.now()))


# ─── the operator's ────────────────────────────────────────────────────────────────────────────


def _find(public_id: str) -> Organization:
    return get_object_or_404(registrations.queue("all"), public_id=public_id)


class VerificationsView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("state", OpenApiTypes.STR, enum=registrations.QUEUES)],
        responses=VerificationOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """Customers to confirm: ``waiting`` have handed in a document."""
        actor_of(request).require("operator.read")
        state = request.query_params.get("state", "waiting")
        if state not in registrations.QUEUES:
            raise Refused("Unknown state.", code="state", field="state", status=400)
        return listed(request, registrations.queue(state), VerificationOut, filters=("state",))


class VerificationView(APIView):
    @extend_schema(operation_id="verification_retrieve", responses=VerificationOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One customer's registration."""
        actor_of(request).require("operator.read")
        return Response(VerificationOut(_find(public_id)).data)


class VerificationEvidenceView(APIView):
    @extend_schema(responses=EvidenceOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """What the customer handed in."""
        actor_of(request).require("operator.verify")
        return listed(request, registrations.documents(_find(public_id)), EvidenceOut)


class VerificationFileView(APIView):
    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """A customer's document; both audit logs keep who opened it."""
        actor = actor_of(request)
        actor.require("operator.verify")
        evidence = registrations.document(public_id)
        if evidence is None:
            raise Http404
        return uploads.response(actions.open_file(evidence=evidence, by=actor, now=timezone.now()))


class VerificationApprovalView(APIView):
    @extend_schema(request=DecisionIn, responses=VerificationOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Vouch for the customer; its live keys and orders open."""
        actor = actor_of(request)
        actor.require("operator.verify")
        organization, sent = _find(public_id), body_of(DecisionIn, request)
        with _refusals():
            actions.approve(organization=organization, by=actor, now=timezone.now(), **sent)
        return Response(VerificationOut(_find(public_id)).data)


class VerificationQuestionView(APIView):
    @extend_schema(request=QuestionIn, responses=VerificationOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Ask for another document."""
        actor = actor_of(request)
        actor.require("operator.verify")
        organization, sent = _find(public_id), body_of(QuestionIn, request)
        with _refusals():
            actions.ask_back(organization=organization, by=actor, now=timezone.now(), **sent)
        return Response(VerificationOut(_find(public_id)).data)
