from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.problem_details import ProblemDetails
from ...models.slow_requests_response import SlowRequestsResponse
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    *,
    threshold: float | Unset = 1.0,
    minutes: int | Unset = 15,

) -> dict[str, Any]:
    

    

    params: dict[str, Any] = {}

    params["threshold"] = threshold

    params["minutes"] = minutes


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/health/slow-requests",
        "params": params,
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> ProblemDetails | SlowRequestsResponse | None:
    if response.status_code == 200:
        response_200 = SlowRequestsResponse.from_dict(response.json())



        return response_200

    if response.status_code == 400:
        response_400 = ProblemDetails.from_dict(response.json())



        return response_400

    if response.status_code == 401:
        response_401 = ProblemDetails.from_dict(response.json())



        return response_401

    if response.status_code == 403:
        response_403 = ProblemDetails.from_dict(response.json())



        return response_403

    if response.status_code == 429:
        response_429 = ProblemDetails.from_dict(response.json())



        return response_429

    if response.status_code == 500:
        response_500 = ProblemDetails.from_dict(response.json())



        return response_500

    if response.status_code == 503:
        response_503 = ProblemDetails.from_dict(response.json())



        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[ProblemDetails | SlowRequestsResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    threshold: float | Unset = 1.0,
    minutes: int | Unset = 15,

) -> Response[ProblemDetails | SlowRequestsResponse]:
    """ List slow requests

     List the slowest requests of the last minutes.

    Args:
        threshold (float | Unset):  Default: 1.0.
        minutes (int | Unset):  Default: 15.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ProblemDetails | SlowRequestsResponse]
     """


    kwargs = _get_kwargs(
        threshold=threshold,
minutes=minutes,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    threshold: float | Unset = 1.0,
    minutes: int | Unset = 15,

) -> ProblemDetails | SlowRequestsResponse | None:
    """ List slow requests

     List the slowest requests of the last minutes.

    Args:
        threshold (float | Unset):  Default: 1.0.
        minutes (int | Unset):  Default: 15.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ProblemDetails | SlowRequestsResponse
     """


    return sync_detailed(
        client=client,
threshold=threshold,
minutes=minutes,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    threshold: float | Unset = 1.0,
    minutes: int | Unset = 15,

) -> Response[ProblemDetails | SlowRequestsResponse]:
    """ List slow requests

     List the slowest requests of the last minutes.

    Args:
        threshold (float | Unset):  Default: 1.0.
        minutes (int | Unset):  Default: 15.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ProblemDetails | SlowRequestsResponse]
     """


    kwargs = _get_kwargs(
        threshold=threshold,
minutes=minutes,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    threshold: float | Unset = 1.0,
    minutes: int | Unset = 15,

) -> ProblemDetails | SlowRequestsResponse | None:
    """ List slow requests

     List the slowest requests of the last minutes.

    Args:
        threshold (float | Unset):  Default: 1.0.
        minutes (int | Unset):  Default: 15.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ProblemDetails | SlowRequestsResponse
     """


    return (await asyncio_detailed(
        client=client,
threshold=threshold,
minutes=minutes,

    )).parsed
