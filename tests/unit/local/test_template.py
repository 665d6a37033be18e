"""Reading a template."""

from pathlib import Path

import pytest

from local.errors import StackError
from local.intrinsics import Resolver, UnresolvableError, read_template
from local.template import Route, Schedule, Template

TEXT = """
Parameters:
  Stage: {Type: String, Default: dev}
  Project: {Type: String}
  Origins: {Type: CommaDelimitedList, Default: "https://a.example, https://b.example"}
Conditions:
  IsDev: !Equals [!Ref Stage, dev]
Globals:
  Function:
    CodeUri: code/
    Timeout: 15
    Layers: [!Ref Core]
    Environment:
      Variables: {STAGE: !Ref Stage, TABLE: !Ref Table, PROJECT: !Ref Project, COUNT: 3, DEBUG: true}
  HttpApi:
    CorsConfiguration: {AllowOrigins: !Ref Origins, AllowMethods: [GET], MaxAge: 600}
Resources:
  Core: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/core}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {TableName: !Sub "${Stage}-table", KeySchema: [{AttributeName: pk, KeyType: HASH}]}
  Users:
    Type: AWS::Serverless::Function
    Properties:
      Handler: users.app.handler
      MemorySize: 512
      Layers: [!Ref Extra, "arn:aws:lambda:us-east-1:1:layer:x:1"]
      Environment: {Variables: {STAGE: !If [IsDev, own, other], ARN: !GetAtt Table.Arn}}
      Events:
        Any: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: any, Path: "/users/{proxy+}"}}
        Default: {Type: HttpApi}
        Often: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(5 minutes), Input: '{"a": 1}'}}
        Never: {Type: Schedule, Properties: {Schedule: rate(1 day), Enabled: false}}
  Extra: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/extra}}
"""


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return Template(read_template(TEXT), tmp_path)


def test_a_function_has_its_own_properties_over_the_globals(template: Template, tmp_path: Path) -> None:
    """Scalars are replaced, layers added, and paths are relative to the template."""
    spec = template.functions()["Users"]
    assert (spec.handler, spec.timeout, spec.memory) == ("users.app.handler", 15, 512)
    assert spec.code == tmp_path / "code"
    assert spec.layers == (tmp_path / "layers/core", tmp_path / "layers/extra")


def test_environment_resolves_what_can_be_resolved(template: Template) -> None:
    """References become values, text stays text, and values that only a deployed stack has are dropped."""
    assert template.functions()["Users"].environment == {
        "STAGE": "own",
        "TABLE": "Table",
        "COUNT": "3",
        "DEBUG": "true",
    }


def test_events(template: Template) -> None:
    """Routes and enabled schedules are found, with their defaults."""
    assert template.routes() == [Route("ANY", "/users/{proxy+}", "Users"), Route("ANY", "$default", "Users")]
    assert template.schedules() == [Schedule("Often", "Users", "rate(5 minutes)", '{"a": 1}')]


def test_cors_and_tables(template: Template) -> None:
    """A comma-delimited parameter is a list, and a table has its resolved name."""
    assert template.cors().origins == ("https://a.example", "https://b.example")
    assert template.cors().max_age == 600
    assert template.tables()["Table"]["TableName"] == "dev-table"


def test_a_template_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    """Broken YAML is an error that names the file."""
    path = tmp_path / "template.yaml"
    path.write_text("Resources: [")
    with pytest.raises(StackError, match=r"template\.yaml"):
        Template.load(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('!Sub "${AWS::Region}-${Stage}-${!Kept}"', "us-east-1-dev-${Kept}"),
        ('!Sub ["${Name}!", {Name: !Ref Stage}]', "dev!"),
        ("!Join ['-', [a, !Ref Stage]]", "a-dev"),
        ("!Select [1, !Split [',', 'a,b']]", "b"),
        ("!FindInMap [Sizes, !Ref Stage, memory]", 128),
        ("!And [!Not [!Equals [a, b]], !Or [!Equals [a, a], !Equals [a, b]]]", True),
        ("{a: [!Ref Stage]}", {"a": ["dev"]}),
    ],
)
def test_intrinsic_functions(text: str, expected: object) -> None:
    """Each intrinsic function gives the same value as CloudFormation."""
    document = read_template("Parameters: {Stage: {Default: dev}}\nMappings: {Sizes: {dev: {memory: 128}}}")
    assert Resolver(document, {}).resolve(read_template(f"x: {text}")["x"]) == expected


@pytest.mark.parametrize("text", ["!GetAtt A.Arn", "!Ref Nobody", "!ImportValue x", "!Sub '${Nobody}'"])
def test_what_only_a_deployed_stack_knows(text: str) -> None:
    """A value that only a deployed stack has is different from an error in the template."""
    resolver, value = Resolver({}, {}), read_template(f"x: {text}")["x"]
    with pytest.raises(UnresolvableError):
        resolver.resolve(value)


def test_parameters_can_be_given() -> None:
    """A given value replaces the default."""
    document = read_template("Parameters: {Stage: {Default: dev}}")
    assert Resolver(document, {}, {"Stage": "prod"}).resolve({"Ref": "Stage"}) == "prod"
