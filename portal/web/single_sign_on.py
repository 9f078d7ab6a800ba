"""The organization's provider and its mail domains: set up, proven, taken away."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from portal.web import doors, sso
from tenants import actors, domains, openid, outside, rls
from tenants.actions import single_sign_on as actions
from tenants.models import DomainClaim, SingleSignOn


class ProviderForm(forms.Form):
    issuer = forms.CharField(
        label=gettext_lazy("Issuer"),
        max_length=200,
        help_text=gettext_lazy("Begins with https://, as the provider's own settings name it."),
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )
    client_id = forms.CharField(label=gettext_lazy("Client ID"), max_length=200)
    secret = forms.CharField(
        label=gettext_lazy("Client secret"),
        max_length=500,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, sent: QueryDict | None, *, found: SingleSignOn | None) -> None:
        initial = {"issuer": found.issuer, "client_id": found.client_id} if found else None
        super().__init__(sent, initial=initial)
        self.fields["secret"].required = found is None
        if found is not None:
            self.fields["secret"].help_text = _("Empty: the former one stays.")

    def clean_issuer(self) -> str:
        try:
            return openid.normalized_issuer(self.cleaned_data["issuer"])
        except outside.Forbidden as error:
            raise forms.ValidationError(str(error), code="issuer") from error


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("policies.change")
def index(request: HttpRequest) -> HttpResponse:
    """See and set the provider. It is asked at once whether it is there."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        found = actions.of(actor)
        claims = list(DomainClaim.objects.visible_to(actor))
    form = ProviderForm(request.POST or None, found=found)
    if request.method == "POST" and form.is_valid():
        try:
            openid.discover(form.cleaned_data["issuer"])
            with actors.scope_for(actor):
                wish = actions.ProviderWish(**form.cleaned_data)
                actions.configure(wish=wish, by=actor, now=timezone.now())
        except openid.ProviderFailed as error:
            form.add_error("issuer", str(error))
        except actions.Required as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Saved. Sign in with it now, to see that it works."))
            return redirect("single_sign_on")
    context = {
        "form": form,
        "found": found,
        "domains": [(one, domains.record_of(one.domain)) for one in claims],
        "callback": sso.callback_url(request),
    }
    return render(
        request, "policies/single_sign_on.html", context, status=422 if form.errors else 200
    )


@require_POST
@doors.page_for("policies.change")
def forget(request: HttpRequest) -> HttpResponse:
    """Take the provider away."""
    try:
        actions.forget(by=doors.actor(request), now=timezone.now())
    except actions.Required as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Single sign-on is taken away."))
    return redirect("single_sign_on")


@require_POST
@doors.page_for("policies.change")
def claim(request: HttpRequest) -> HttpResponse:
    """Name a domain; the page then shows the record to write."""
    try:
        actions.claim(
            domain=doors.word(request.POST, "domain"), by=doors.actor(request), now=timezone.now()
        )
    except (domains.BadDomain, actions.TooManyDomains) as error:
        messages.error(request, str(error))
    return redirect("single_sign_on")


def _find(request: HttpRequest, public_id: str) -> DomainClaim:
    rows = DomainClaim.objects.visible_to(doors.actor(request))
    return get_object_or_404(rows, public_id=public_id)


@rls.own_transactions
@require_POST
@doors.page_for("policies.change")
def prove(request: HttpRequest, public_id: str) -> HttpResponse:
    """Look for the record now."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        found = _find(request, public_id)
    try:
        actions.prove(claim=found, by=actor, now=timezone.now())
    except (actions.NotProven, actions.DomainTaken, domains.LookUpFailed) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("“%(domain)s” is proven.") % {"domain": found.domain})
    return redirect("single_sign_on")


@require_POST
@doors.page_for("policies.change")
def drop(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give a domain up."""
    try:
        actions.drop(claim=_find(request, public_id), by=doors.actor(request), now=timezone.now())
    except actions.Required as error:
        messages.error(request, str(error))
    return redirect("single_sign_on")
