from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.xp_change_kind import XpChangeKind
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.xp_total import XpTotal





T = TypeVar("T", bound="XpChange")



@_attrs_define
class XpChange:
    """ A change that affects you.

     """

    kind: XpChangeKind
    id: str
    """ The id of the session, badge or space; `me` for XP and profile. """
    deleted: bool
    changed_at: datetime.datetime
    data: None | XpTotal
    """ Its current state; null if it was deleted. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.xp_total import XpTotal # noqa: PLC0415
        kind = self.kind.value

        id = self.id

        deleted = self.deleted

        changed_at = self.changed_at.isoformat()

        data: dict[str, Any] | None
        if isinstance(self.data, XpTotal):
            data = self.data.to_dict()
        else:
            data = self.data


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "kind": kind,
            "id": id,
            "deleted": deleted,
            "changed_at": changed_at,
            "data": data,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.xp_total import XpTotal # noqa: PLC0415
        d = dict(src_dict)
        kind = XpChangeKind(d.pop("kind"))




        id = d.pop("id")

        deleted = d.pop("deleted")

        changed_at = datetime.datetime.fromisoformat(d.pop("changed_at"))




        def _parse_data(data: object) -> None | XpTotal:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                data_type_0 = XpTotal.from_dict(data)



                return data_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | XpTotal, data)

        data = _parse_data(d.pop("data"))


        xp_change = cls(
            kind=kind,
            id=id,
            deleted=deleted,
            changed_at=changed_at,
            data=data,
        )


        xp_change.additional_properties = d
        return xp_change

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
