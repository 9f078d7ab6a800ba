"""Texts of templates are collected as Django will look them up."""

import pytest

from deploy.messages import template_texts


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('{% translate "Sign in" %}', "Sign in"),
        ("{% translate 'Sign in' as title %}", "Sign in"),
        ('{% translate "10 % more" %}', "10 %% more"),
        ("{% blocktranslate %}of {{ limit }}{% endblocktranslate %}", "of %(limit)s"),
        (
            "{% blocktranslate trimmed with a=b %}\n  one {{ a }}\n  two\n{% endblocktranslate %}",
            "one %(a)s two",
        ),
        ('{% include "x.html" with title=_("Hello") %}', "Hello"),
    ],
)
def test_finds_the_text(source: str, text: str) -> None:
    assert [found for found, _ in template_texts(source)] == [text]


def test_finds_both_forms_of_a_plural() -> None:
    source = (
        "{% blocktranslate count n=n %}{{ n }} key{% plural %}{{ n }} keys{% endblocktranslate %}"
    )
    assert list(template_texts(source)) == [(("%(n)s key", "%(n)s keys"), None)]
