"""Operations on one's own sign-in, the organization's rules, its provider and its domains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from allauth.usersessions.models import UserSession
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict
from tenants import actors, addresses, domains, openid, outside, policies, rls
from tenants.actions import policies as actions
from tenants.actions import single_sign_on
from tenants.actors import Actor
from tenants.models import DomainClaim, SignIn, User


class PolicyIn(Strict):
    """Only what is sent is changed. ``null``: no limit."""

    mfa_required = serializers.BooleanField(required=False)
    sso_only = serializers.BooleanField(required=False)
    allowed_addresses = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, max_length=50
    )
    idle_minutes = serializers.IntegerField(required=False, allow_null=True)
    session_hours = serializers.IntegerField(required=False, allow_null=True)


class PolicyOut(serializers.Serializer[Any]):
    mfa_required = serializers.BooleanField()
    sso_only = serializers.BooleanField()
    allowed_addresses = serializers.ListField(child=serializers.CharField())
    idle_minutes = serializers.IntegerField(allow_null=True)
    session_hours = serializers.IntegerField(allow_null=True)


class ProviderIn(Strict):
    issuer = serializers.CharField(max_length=200)
    client_id = serializers.CharField(max_length=200)
    secret = serializers.CharField(max_length=500, required=False)


class ProviderOut(serializers.Serializer[Any]):
    """Never its secret."""

    id = serializers.CharField(source="public_id")
    issuer = serializers.CharField()
    client_id = serializers.CharField()
    made_at = serializers.DateTimeField()
    tested_at = serializers.DateTimeField(allow_null=True)


class DomainIn(Strict):
    domain = serializers.CharField(max_length=253)


class DomainOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    domain = serializers.CharField()
    record = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    proven_at = serializers.DateTimeField(allow_null=True)

    def get_record(self, claim: DomainClaim) -> str:
        return domains.record_of(claim.domain)

    def get_text(self, claim: DomainClaim) -> str:
        return f"dure-verify={claim.token}"


class SignInOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    address = serializers.CharField()
    user_agent = serializers.CharField()
    methods = serializers.CharField()


class AccountOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    email = serializers.CharField()
    has_password = serializers.BooleanField()
    second_factors = serializers.ListField(child=serializers.CharField())
    sessions = serializers.IntegerField()
    sign_ins = SignInOut(many=True)


def _person(request: Request) -> User:
    """The person of a session; a key is nobody's account."""
    user = actor_of(request).user
    if user is None:
        raise Refused("A key has no account. Use a session.", code="no_account", status=403)
    return user


class AccountView(APIView):
    @extend_schema(responses=AccountOut)
    def get(self, request: Request) -> Response:
        """How the signed-in person signs in, and the last 20 times."""
        user = _person(request)
        kinds = Authenticator.objects.filter(user=user).order_by("type")
        shown = {
            "id": user.public_id,
            "email": user.email,
            "has_password": user.has_usable_password(),
            "second_factors": list(kinds.values_list("type", flat=True)),
            "sessions": UserSession.objects.filter(user=user).count(),
            "sign_ins": SignIn.objects.filter(user=user)[:20],
        }
        return Response(AccountOut(shown).data)


class SessionsView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign out everywhere else."""
        end_other_sessions(request._request, _person(request))
        return Response(status=204)


@contextmanager
def _refusals() -> Iterator[None]:
    """What the actions may say, as answers."""
    try:
        yield
    except addresses.BadRange as error:
        raise Refused(str(error), code="addresses", field="allowed_addresses") from error
    except actions.LocksYouOut as error:
        raise Refused(str(error), code="locks_you_out", field="allowed_addresses") from error
    except actions.SingleSignOnUntested as error:
        raise Refused(str(error), code="untested", field="sso_only") from error
    except actions.OutOfRange as error:
        raise Refused(str(error), code="out_of_range", field=error.field) from error
    except (outside.Forbidden, openid.ProviderFailed) as error:
        raise Refused(str(error), code="issuer", field="issuer") from error
    except (domains.BadDomain, single_sign_on.TooManyDomains) as error:
        raise Refused(str(error), code="domain", field="domain") from error
    except (single_sign_on.NotProven, single_sign_on.DomainTaken) as error:
        raise Refused(str(error), code="not_proven", status=409) from error
    except domains.LookUpFailed as error:
        raise Refused(str(error), code="look_up_failed", status=503) from error
    except single_sign_on.Required as error:
        raise Refused(str(error), code="required", status=409) from error


def _actor(request: Request) -> Actor:
    actor = actor_of(request)
    actor.require("policies.change")
    return actor


class PoliciesView(APIView):
    @extend_schema(responses=PolicyOut)
    def get(self, request: Request) -> Response:
        """The rules of sign-in."""
        actor = actor_of(request)
        actor.require("organization.read")
        return Response(PolicyOut(actions.wish_of(policies.of(actor.organization))).data)

    @extend_schema(request=PolicyIn, responses=PolicyOut)
    def patch(self, request: Request) -> Response:
        """Change the rules. They hold from everybody's next request on."""
        actor = _actor(request)
        body = PolicyIn(data=request.data)
        body.is_valid(raise_exception=True)
        before = actions.wish_of(policies.of(actor.organization))
        with _refusals():
            wish = replace(before, **body.validated_data)
            policy = actions.change(wish=wish, by=actor, now=timezone.now())
        return Response(PolicyOut(policy).data)


class SingleSignOnView(APIView):
    @extend_schema(responses=ProviderOut)
    def get(self, request: Request) -> Response:
        """The provider, without its secret."""
        actor = _actor(request)
        with actors.scope_for(actor):
            found = single_sign_on.of(actor)
        if found is None:
            raise Refused("No provider is set up.", code="not_found", status=404)
        return Response(ProviderOut(found).data)

    @extend_schema(request=ProviderIn, responses=ProviderOut)
    def put(self, request: Request) -> Response:
        """Set the provider, which is asked at once. Without a secret the former one stays."""
        actor = _actor(request)
        body = ProviderIn(data=request.data)
        body.is_valid(raise_exception=True)
        wish = single_sign_on.ProviderWish(**body.validated_data)
        with _refusals():
            wish = replace(wish, issuer=openid.normalized_issuer(wish.issuer))
            with actors.scope_for(actor):
                first = single_sign_on.of(actor) is None
            if first and not wish.secret:
                raise Refused("Send the client's secret.", code="secret", field="secret")
            openid.discover(wish.issuer)
            with actors.scope_for(actor):
                found = single_sign_on.configure(wish=wish, by=actor, now=timezone.now())
        return Response(ProviderOut(found).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        """Take the provider away. Repeating it changes nothing."""
        actor = _actor(request)
        with _refusals(), actors.scope_for(actor):
            single_sign_on.forget(by=actor, now=timezone.now())
        return Response(status=204)


single_sign_on_view = rls.own_transactions(SingleSignOnView.as_view())


class DomainsView(APIView):
    @extend_schema(responses=DomainOut(many=True))
    def get(self, request: Request) -> Response:
        """Mail domains, newest first."""
        return listed(request, DomainClaim.objects.visible_to(_actor(request)), DomainOut)

    @extend_schema(request=DomainIn, responses={201: DomainOut})
    def post(self, request: Request) -> Response:
        """Name a domain; the answer says which record proves it."""
        actor = _actor(request)
        body = DomainIn(data=request.data)
        body.is_valid(raise_exception=True)
        with _refusals():
            made = single_sign_on.claim(by=actor, now=timezone.now(), **body.validated_data)
        return Response(DomainOut(made).data, status=201)


def _claim(actor: Actor, public_id: str) -> DomainClaim:
    return get_object_or_404(DomainClaim.objects.visible_to(actor), public_id=public_id)


class DomainView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Give a domain up."""
        actor = _actor(request)
        with _refusals():
            single_sign_on.drop(claim=_claim(actor, public_id), by=actor, now=timezone.now())
        return Response(status=204)


class DomainProofView(APIView):
    @extend_schema(request=None, responses=DomainOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Look for the record now."""
        actor = _actor(request)
        with actors.scope_for(actor):
            found = _claim(actor, public_id)
        with _refusals():
            single_sign_on.prove(claim=found, by=actor, now=timezone.now())
        with actors.scope_for(actor):
            return Response(DomainOut(_claim(actor, public_id)).data)


domain_proof_view = rls.own_transactions(DomainProofView.as_view())
