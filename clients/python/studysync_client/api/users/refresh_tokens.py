from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.problem_details import ProblemDetails
from ...models.refresh import Refresh
from ...models.tokens_response import TokensResponse
from typing import cast



def _get_kwargs(
    *,
    body: Refresh,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}


    

    

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/auth/refresh",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> ProblemDetails | TokensResponse | None:
    if response.status_code == 200:
        response_200 = TokensResponse.from_dict(response.json())



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

    if response.status_code == 413:
        response_413 = ProblemDetails.from_dict(response.json())



        return response_413

    if response.status_code == 415:
        response_415 = ProblemDetails.from_dict(response.json())



        return response_415

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[ProblemDetails | TokensResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: Refresh,

) -> Response[ProblemDetails | TokensResponse]:
    """ Refresh tokens

     Exchange a refresh token for new tokens.

    Each refresh token works once. A repeat within 10 seconds, or with the token just before the current
    one, returns
    the session's current tokens. An older token ends the session.

    Args:
        body (Refresh): A refresh token. It works once; a repeat because of a lost answer returns
            the same tokens.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ProblemDetails | TokensResponse]
     """


    kwargs = _get_kwargs(
        body=body,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient | Client,
    body: Refresh,

) -> ProblemDetails | TokensResponse | None:
    """ Refresh tokens

     Exchange a refresh token for new tokens.

    Each refresh token works once. A repeat within 10 seconds, or with the token just before the current
    one, returns
    the session's current tokens. An older token ends the session.

    Args:
        body (Refresh): A refresh token. It works once; a repeat because of a lost answer returns
            the same tokens.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ProblemDetails | TokensResponse
     """


    return sync_detailed(
        client=client,
body=body,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: Refresh,

) -> Response[ProblemDetails | TokensResponse]:
    """ Refresh tokens

     Exchange a refresh token for new tokens.

    Each refresh token works once. A repeat within 10 seconds, or with the token just before the current
    one, returns
    the session's current tokens. An older token ends the session.

    Args:
        body (Refresh): A refresh token. It works once; a repeat because of a lost answer returns
            the same tokens.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ProblemDetails | TokensResponse]
     """


    kwargs = _get_kwargs(
        body=body,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    body: Refresh,

) -> ProblemDetails | TokensResponse | None:
    """ Refresh tokens

     Exchange a refresh token for new tokens.

    Each refresh token works once. A repeat within 10 seconds, or with the token just before the current
    one, returns
    the session's current tokens. An older token ends the session.

    Args:
        body (Refresh): A refresh token. It works once; a repeat because of a lost answer returns
            the same tokens.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ProblemDetails | TokensResponse
     """


    return (await asyncio_detailed(
        client=client,
body=body,

    )).parsed
