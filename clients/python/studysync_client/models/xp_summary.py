from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.xp_summary_tier import XpSummaryTier
from typing import cast
from uuid import UUID

if TYPE_CHECKING:
  from ..models.xp_summary_xp_by_source import XpSummaryXpBySource





T = TypeVar("T", bound="XpSummary")



@_attrs_define
class XpSummary:
    """ A user's XP.

     """

    user_id: UUID
    total_xp: int
    level: int
    level_progress: float
    """ Progress within the current level. """
    next_level_xp: int
    """ The total XP at which the next level begins. """
    xp_by_source: XpSummaryXpBySource
    last_30_days_xp: int
    tier: XpSummaryTier
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.xp_summary_xp_by_source import XpSummaryXpBySource # noqa: PLC0415
        user_id = str(self.user_id)

        total_xp = self.total_xp

        level = self.level

        level_progress = self.level_progress

        next_level_xp = self.next_level_xp

        xp_by_source = self.xp_by_source.to_dict()

        last_30_days_xp = self.last_30_days_xp

        tier = self.tier.value


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "user_id": user_id,
            "total_xp": total_xp,
            "level": level,
            "level_progress": level_progress,
            "next_level_xp": next_level_xp,
            "xp_by_source": xp_by_source,
            "last_30_days_xp": last_30_days_xp,
            "tier": tier,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.xp_summary_xp_by_source import XpSummaryXpBySource # noqa: PLC0415
        d = dict(src_dict)
        user_id = UUID(d.pop("user_id"))




        total_xp = d.pop("total_xp")

        level = d.pop("level")

        level_progress = d.pop("level_progress")

        next_level_xp = d.pop("next_level_xp")

        xp_by_source = XpSummaryXpBySource.from_dict(d.pop("xp_by_source"))




        last_30_days_xp = d.pop("last_30_days_xp")

        tier = XpSummaryTier(d.pop("tier"))




        xp_summary = cls(
            user_id=user_id,
            total_xp=total_xp,
            level=level,
            level_progress=level_progress,
            next_level_xp=next_level_xp,
            xp_by_source=xp_by_source,
            last_30_days_xp=last_30_days_xp,
            tier=tier,
        )


        xp_summary.additional_properties = d
        return xp_summary

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
