"""SDKs become engines that the gateway knows."""

from __future__ import annotations

from portal.catalog.engines import ENGINES, serving
from portal.catalog.models import ModelKind
from portal.gateway.fields import OPTIONAL


def test_names_only_engines_that_the_gateway_knows() -> None:
    assert set(ENGINES.values()) <= set(OPTIONAL) - {""}
    assert {kind for _, kind in ENGINES} <= set(ModelKind.values)


def test_what_the_embedded_site_embeds_with_has_no_name() -> None:
    """It is a server of ours that knows no optional field."""
    assert (serving("embedded", "chat"), serving("embedded", "embedding")) == ("llama.cpp", "")
