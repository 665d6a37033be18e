"""Operators' actions on accounts. Each has a reason, recorded in the audit log and in the account's own trail."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, Field, StringConstraints

from health.operations.authentication import Operator, operator
from health.operations.marks import record_order
from health.operations.models import ActionDone
from studysync.db.client import database
from studysync.fields import DisplayText, RequestBody
from studysync.telemetry.audit import audit_logger
from studysync.web.responses import Success
from studysync.web.routing import create_router

router = create_router("operations", prefix="/health/accounts/{user_id}", dependencies=[Depends(operator)])

Reason = Annotated[DisplayText, StringConstraints(min_length=1, max_length=500)]


class OperatorAction(RequestBody):
    """An action on an account."""

    reason: Reason


class XpRevocation(OperatorAction):
    """The completed sessions that were forged."""

    session_ids: list[UUID] = Field(min_length=1, max_length=500)


class BanLift(OperatorAction):
    """The space that the user was banned from."""

    space_id: UUID


class TakenBack(BaseModel):
    """The XP that was revoked, and the XP that is left."""

    xp_taken_back: int = Field(description="0 if all of it had already been revoked.")
    total_xp: int
    level: int


@router.post("/suspend")
async def suspend(who: Operator, user_id: UUID, action: OperatorAction) -> Success[ActionDone]:
    """Suspend an account: it cannot sign in, and its writes are rejected with a 403."""
    await _perform(who, "suspend_account", user_id, action)
    return Success(data=ActionDone())


@router.post("/restore")
async def restore(who: Operator, user_id: UUID, action: OperatorAction) -> Success[ActionDone]:
    """Restore a suspended account."""
    await _perform(who, "restore_account", user_id, action)
    return Success(data=ActionDone())


@router.post("/take-back-xp")
async def take_back_xp(who: Operator, user_id: UUID, action: XpRevocation) -> Success[TakenBack]:
    """Revoke the XP of forged sessions. Current leaderboards, and badges for XP and levels, are updated."""
    return Success(data=TakenBack.model_validate(await _perform(who, "take_back_xp", user_id, action)))


@router.post("/lift-ban")
async def lift_ban(who: Operator, user_id: UUID, action: BanLift) -> Success[ActionDone]:
    """Lift a user's ban from a space."""
    await _perform(who, "lift_ban", user_id, action)
    return Success(data=ActionDone())


async def _perform(who: str, operation: str, user_id: UUID, action: OperatorAction) -> Any:
    arguments = action.model_dump(mode="json")
    answer = await database().call(operation, p_user_id=str(user_id), p_args=arguments)
    audit_logger.log_data_modification(
        user_id=f"operator:{who}",
        resource_type="account",
        resource_id=str(user_id),
        operation=operation,
        changes=arguments,
        success=True,
    )
    await record_order(who, operation, "")  # without the account, which viewers of a chart need not know
    return answer
