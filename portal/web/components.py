"""The product's form renderer."""

from django.forms.renderers import TemplatesSetting


class DureFormRenderer(TemplatesSetting):
    """Fields in our own markup; Django's own templates for the widgets."""

    form_template_name = "django/forms/form.html"
    field_template_name = "django/forms/field.html"
