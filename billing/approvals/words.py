"""A matrix and its faults in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.approvals.checking import Fault
from billing.approvals.kinds import KINDS
from billing.approvals.matrix import Matrix, Rule, Step
from tenants.models import DataClass
from tenants.roles import Role

Words = Mapping[str, object]


def won(amount: int) -> str:
    return f"₩{amount:,}"


def band(from_won: int, until_won: int | None) -> str:
    """``from ₩1,000,000 to ₩5,000,000``; the upper bound is the first amount beyond it."""
    if until_won is None:
        return _("of any amount") if from_won == 0 else _("from %(from)s") % {"from": won(from_won)}
    if from_won == 0:
        return _("below %(until)s") % {"until": won(until_won)}
    return _("from %(from)s to below %(until)s") % {"from": won(from_won), "until": won(until_won)}


def classes(names: tuple[str, ...]) -> str:
    return ", ".join(str(DataClass(one).label) for one in names if one in DataClass.values)


def who(step: Step, names: Mapping[str, str]) -> str:
    """``owner or budget officer``; ``names`` says how members are called."""
    roles = [str(Role(one).label) for one in step.roles if one in Role.values]
    named = [names.get(one, _("former member")) for one in step.members]
    people = _(" or ").join([*roles, *named])
    if step.needed == 1:
        return people
    return _("%(needed)d of: %(people)s") % {"needed": step.needed, "people": people}


def steps(chain: tuple[Step, ...], names: Mapping[str, str]) -> str:
    """``budget officer, then owner``."""
    if not chain:
        return _("nobody has to approve")
    return _(", then ").join(who(one, names) for one in chain)


def rule(of: Rule, names: Mapping[str, str]) -> str:
    """``orders from ₩1,000,000 to below ₩5,000,000 with data class medical: budget officer, then
    owner``."""
    kind = str(KINDS[of.kind].plural) if of.kind in KINDS else of.kind
    words = {
        "kind": kind,
        "band": band(of.from_won, of.until_won),
        "classes": classes(of.data_classes),
        "steps": steps(of.steps, names),
    }
    if of.data_classes:
        return _("%(kind)s %(band)s with data class %(classes)s: %(steps)s") % words
    return _("%(kind)s %(band)s: %(steps)s") % words


def explained(matrix: Matrix, names: Mapping[str, str]) -> list[str]:
    """One sentence for each rule."""
    return [rule(one, names) for one in matrix.rules]


def fault(of: Fault) -> str:
    """What is wrong and where, with the numbers."""
    text = _TEXTS[of.code](of.words)
    if of.rule is None:
        return text
    if of.step is None:
        return _("Rule %(rule)d: %(text)s") % {"rule": of.rule + 1, "text": text}
    words = {"rule": of.rule + 1, "step": of.step + 1, "text": text}
    return _("Rule %(rule)d, step %(step)d: %(text)s") % words


def _place(words: Words) -> dict[str, str]:
    """The words of a gap or an overlap."""
    start, until = words["from"], words.get("until")
    assert isinstance(start, int) and (until is None or isinstance(until, int))
    return {
        "kind": str(KINDS[str(words["kind"])].plural),
        "class": str(DataClass(str(words["data_class"])).label),
        "band": band(start, until),
        "from": won(start),
        "other": str(words.get("other", "")),
    }


_TEXTS: dict[str, Callable[[Words], str]] = {
    "rules": lambda w: _("Write 1 to %(most)d rules.") % w,
    "kind": lambda w: _("Choose what it is about."),
    "data_class": lambda w: _("Choose each data class at most once."),
    "amount": lambda w: (
        _("Amounts are whole won, from ₩0 to ₩%(most)s.") % {"most": f"{w['most']:,}"}
    ),
    "band": lambda w: _("The band ends before it begins. Make its end larger than its beginning."),
    "alone": lambda w: (
        _("For %(kind)s another person always has to approve. Add a step.")
        % {"kind": KINDS[str(w["kind"])].plural}
    ),
    "steps": lambda w: _("A chain has at most %(most)d steps.") % w,
    "step_empty": lambda w: _("Say who has to approve."),
    "needed": lambda w: _("1 to %(most)d people can be asked to agree.") % w,
    "role": lambda w: _("Only owners, administrators and budget officers can approve."),
    "member": lambda w: _("A named member is not there any more, or may not approve."),
    "named": lambda w: _("Name each member once, and at most %(most)d.") % w,
    "nobody": lambda w: (
        ngettext(
            "%(needed)d person has to agree, and %(there)d is there.",
            "%(needed)d people have to agree, and %(there)d are there.",
            int(str(w["needed"])),
        )
        % w
    ),
    "gap": lambda w: (
        _("No rule says who approves %(kind)s %(band)s with data class %(class)s.") % _place(w)
    ),
    "overlap": lambda w: (
        _("For %(kind)s with data class %(class)s rule %(other)s holds from %(from)s on too.")
        % _place(w)
    ),
}
