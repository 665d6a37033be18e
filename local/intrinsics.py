"""CloudFormation's intrinsic functions, as far as a template can be resolved without an AWS account."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

PSEUDO_PARAMETERS: Mapping[str, str] = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "studysync",
    "AWS::URLSuffix": "amazonaws.com",
}


class UnresolvableError(Exception):
    """The value is known only in a deployed stack."""


class _Loader(yaml.SafeLoader):
    """Reads the short forms (`!Ref`, `!Sub`, ...) as the long ones."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def read_template(text: str) -> dict[str, Any]:
    """Return a template's text as plain data, with intrinsic functions in their long form."""
    return yaml.load(text, Loader=_Loader) or {}  # noqa: S506 - derived from SafeLoader


class Resolver:
    """Evaluates intrinsic functions.

    Args:
        document: the whole template.
        resources: the values of `!Ref` for resources; resources that are not in it are unresolvable.
        parameters: values that replace the parameters' defaults.
    """

    def __init__(
        self, document: Mapping[str, Any], resources: Mapping[str, str], parameters: Mapping[str, str] | None = None
    ) -> None:
        self._document, self._resources = document, resources
        self._parameters = parameters or {}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Equals": self._equals,
            "Fn::Not": lambda values: not self.resolve(values[0]),
            "Fn::And": lambda values: all(self.resolve(value) for value in values),
            "Fn::Or": lambda values: any(self.resolve(value) for value in values),
        }

    def resolve(self, value: Any) -> Any:
        """Return `value` with all intrinsic functions replaced, or raise UnresolvableError."""
        if isinstance(value, list):
            return [self.resolve(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in self._functions:
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise UnresolvableError(name)
        return {key: self.resolve(entry) for key, entry in value.items()}

    def _ref(self, name: str) -> Any:
        if name in self._document.get("Parameters", {}):
            return self._parameter(name)
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name in self._resources:
            return self._resources[name]
        raise UnresolvableError(name)

    def _parameter(self, name: str) -> Any:
        declared = self._document["Parameters"][name]
        value = self._parameters.get(name, declared.get("Default"))
        if value is None:
            raise UnresolvableError(name)
        is_list = declared.get("Type") == "CommaDelimitedList" or str(declared.get("Type")).startswith("List<")
        return [entry.strip() for entry in str(value).split(",")] if is_list else value

    def _condition(self, name: str) -> bool:
        return bool(self.resolve(self._document["Conditions"][name]))

    def _sub(self, argument: Any) -> str:
        text, local = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            return str(self.resolve(local[name]) if name in local else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replace, text)

    def _join(self, argument: Any) -> str:
        separator, values = argument
        return str(separator).join(str(value) for value in self.resolve(values))

    def _select(self, argument: Any) -> Any:
        index, values = argument
        return self.resolve(values)[int(self.resolve(index))]

    def _split(self, argument: Any) -> list[str]:
        separator, text = argument
        return str(self.resolve(text)).split(separator)

    def _find_in_map(self, argument: Any) -> Any:
        name, first, second = self.resolve(argument)
        return self._document["Mappings"][name][first][second]

    def _if(self, argument: Any) -> Any:
        condition, yes, no = argument
        return self.resolve(yes if self._condition(condition) else no)

    def _equals(self, argument: Any) -> bool:
        left, right = self.resolve(argument)
        return bool(left == right)
