from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.own_profile import OwnProfile
  from ..models.public_profile import PublicProfile





T = TypeVar("T", bound="ProfileResponse")



@_attrs_define
class ProfileResponse:
    

    success: bool
    data: OwnProfile | PublicProfile
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.own_profile import OwnProfile # noqa: PLC0415
        from ..models.public_profile import PublicProfile # noqa: PLC0415
        success = self.success

        data: dict[str, Any]
        if isinstance(self.data, OwnProfile):
            data = self.data.to_dict()
        else:
            data = self.data.to_dict()



        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "success": success,
            "data": data,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.own_profile import OwnProfile # noqa: PLC0415
        from ..models.public_profile import PublicProfile # noqa: PLC0415
        d = dict(src_dict)
        success = d.pop("success")

        def _parse_data(data: object) -> OwnProfile | PublicProfile:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                data_type_0 = OwnProfile.from_dict(data)



                return data_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            data_type_1 = PublicProfile.from_dict(data)



            return data_type_1

        data = _parse_data(d.pop("data"))


        profile_response = cls(
            success=success,
            data=data,
        )


        profile_response.additional_properties = d
        return profile_response

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
