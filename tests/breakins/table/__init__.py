"""The break-in list: one module a field. ``ATTEMPTS`` is all of them, in the document's order."""

from tests.breakins.table import (
    approvals,
    gateway,
    inputs,
    keys,
    money,
    operator,
    own_models,
    people,
    signin,
    superusers,
    wall,
)
from tests.breakins.table.attempt import Attempt

FIELDS: dict[str, list[Attempt]] = {
    "Signing in": signin.ROWS,
    "People and roles": people.ROWS,
    "Keys": keys.ROWS,
    "The wall between tenants": wall.ROWS,
    "The operator and the audit log": operator.ROWS,
    "Superusers": superusers.ROWS,
    "Input and answers": inputs.ROWS,
    "The gateway": gateway.ROWS,
    "Approvals": approvals.ROWS,
    "Money": money.ROWS,
    "Own models": own_models.ROWS,
}
ATTEMPTS: list[Attempt] = [one for rows in FIELDS.values() for one in rows]
