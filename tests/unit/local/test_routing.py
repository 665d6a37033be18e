"""Which route handles a request."""

import pytest

from local.gateway.routing import Router
from local.template import Route

ROUTES = [
    Route("ANY", "$default", "Default"),
    Route("ANY", "/{proxy+}", "Everything"),
    Route("GET", "/pets/{proxy+}", "PetPaths"),
    Route("GET", "/pets/dog/{id}", "Dog"),
    Route("GET", "/pets/dog/1", "FirstDog"),
    Route("ANY", "/pets/dog/{id}", "AnyDog"),
    Route("POST", "/pets", "NewPet"),
]


@pytest.mark.parametrize(
    ("method", "path", "function"),
    [
        ("GET", "/pets/dog/1", "FirstDog"),
        ("GET", "/pets/dog/2", "Dog"),
        ("POST", "/pets/dog/2", "AnyDog"),
        ("GET", "/pets/cat/1", "PetPaths"),
        ("POST", "/pets/cat/1", "Everything"),
        ("POST", "/pets", "NewPet"),
        ("GET", "/pets", "Everything"),
        ("GET", "/", "Default"),
    ],
)
def test_the_most_specific_route_wins(method: str, path: str, function: str) -> None:
    """A literal segment beats a variable, a variable a greedy one, a method ANY, and anything $default."""
    match = Router(ROUTES).match(method, path)
    assert match is not None
    assert match.route.function == function


def test_the_order_in_the_template_does_not_matter() -> None:
    """Routes in reverse order lead to the same function."""
    match = Router(ROUTES[::-1]).match("GET", "/pets/dog/1")
    assert match is not None
    assert match.route.function == "FirstDog"


def test_path_variables_are_decoded() -> None:
    """Variables are decoded, including an encoded slash, and greedy ones have the whole rest."""
    router = Router([Route("GET", "/a/{id}", "One"), Route("GET", "/b/{proxy+}", "Rest")])
    one, rest = router.match("GET", "/a/x%2Fy%20z"), router.match("GET", "/b/c/d%20e")
    assert one is not None
    assert rest is not None
    assert one.parameters == {"id": "x/y z"}
    assert rest.parameters == {"proxy": "c/d e"}


def test_a_trailing_slash_is_an_empty_rest() -> None:
    """A request for a path with a trailing slash goes to the function of everything below that path."""
    match = Router([Route("ANY", "/b", "One"), Route("ANY", "/b/{proxy+}", "Rest")]).match("GET", "/b/")
    assert match is not None
    assert (match.route.function, match.parameters) == ("Rest", {"proxy": ""})


@pytest.mark.parametrize("path", ["/a", "/a/", "/a/b/c", "/b", "/A/x"])
def test_what_fits_no_route_has_no_match(path: str) -> None:
    """Empty variables, extra segments and another case are other paths."""
    router = Router([Route("GET", "/a/{id}", "One"), Route("GET", "/b/{proxy+}", "Rest")])
    assert router.match("GET", path) is None


def test_route_keys() -> None:
    """The event's `routeKey` is the method and the path, or just `$default`."""
    assert Route("ANY", "/a", "F").key == "ANY /a"
    assert Route("ANY", "$default", "F").key == "$default"


def test_a_named_stage_is_the_first_part_of_every_path() -> None:
    """Routes match below the stage only."""
    router = Router(ROUTES, stage="dev")
    found = router.match("GET", "/dev/pets/dog/2")
    assert found is not None
    assert (found.route.function, found.parameters, found.stage) == ("Dog", {"id": "2"}, "dev")
    assert router.match("GET", "/pets/dog/2") is None


def test_a_base_path_is_not_the_routes() -> None:
    """A path may start with the base path, but need not."""
    router = Router(ROUTES, base_path="v1")
    for path in ("/v1/pets/dog/2", "/pets/dog/2"):
        found = router.match("GET", path)
        assert found is not None
        assert found.route.function == "Dog"
