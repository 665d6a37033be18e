from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.empty_body import EmptyBody
from ...models.problem_details import ProblemDetails
from ...models.removed_response import RemovedResponse
from ...types import UNSET, Unset
from typing import cast
from uuid import UUID



def _get_kwargs(
    space_id: UUID,
    user_id: str,
    *,
    body: EmptyBody | Unset = UNSET,
    ban: bool | Unset = False,
    idempotency_key: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key



    

    params: dict[str, Any] = {}

    params["ban"] = ban


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "delete",
        "url": "/api/spaces/{space_id}/members/{user_id}".format(space_id=quote(str(space_id), safe=""),user_id=quote(str(user_id), safe=""),),
        "params": params,
    }

    
    if not isinstance(body, Unset):
        _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> ProblemDetails | RemovedResponse | None:
    if response.status_code == 200:
        response_200 = RemovedResponse.from_dict(response.json())



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

    if response.status_code == 404:
        response_404 = ProblemDetails.from_dict(response.json())



        return response_404

    if response.status_code == 409:
        response_409 = ProblemDetails.from_dict(response.json())



        return response_409

    if response.status_code == 413:
        response_413 = ProblemDetails.from_dict(response.json())



        return response_413

    if response.status_code == 415:
        response_415 = ProblemDetails.from_dict(response.json())



        return response_415

    if response.status_code == 422:
        response_422 = ProblemDetails.from_dict(response.json())



        return response_422

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[ProblemDetails | RemovedResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    space_id: UUID,
    user_id: str,
    *,
    client: AuthenticatedClient,
    body: EmptyBody | Unset = UNSET,
    ban: bool | Unset = False,
    idempotency_key: str | Unset = UNSET,

) -> Response[ProblemDetails | RemovedResponse]:
    """ Remove member

     Remove a member. With `ban`, they cannot rejoin, and the invite code is replaced.

    Args:
        space_id (UUID):
        user_id (str):
        ban (bool | Unset):  Default: False.
        idempotency_key (str | Unset):
        body (EmptyBody | Unset): An empty body.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ProblemDetails | RemovedResponse]
     """


    kwargs = _get_kwargs(
        space_id=space_id,
user_id=user_id,
body=body,
ban=ban,
idempotency_key=idempotency_key,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    space_id: UUID,
    user_id: str,
    *,
    client: AuthenticatedClient,
    body: EmptyBody | Unset = UNSET,
    ban: bool | Unset = False,
    idempotency_key: str | Unset = UNSET,

) -> ProblemDetails | RemovedResponse | None:
    """ Remove member

     Remove a member. With `ban`, they cannot rejoin, and the invite code is replaced.

    Args:
        space_id (UUID):
        user_id (str):
        ban (bool | Unset):  Default: False.
        idempotency_key (str | Unset):
        body (EmptyBody | Unset): An empty body.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ProblemDetails | RemovedResponse
     """


    return sync_detailed(
        space_id=space_id,
user_id=user_id,
client=client,
body=body,
ban=ban,
idempotency_key=idempotency_key,

    ).parsed

async def asyncio_detailed(
    space_id: UUID,
    user_id: str,
    *,
    client: AuthenticatedClient,
    body: EmptyBody | Unset = UNSET,
    ban: bool | Unset = False,
    idempotency_key: str | Unset = UNSET,

) -> Response[ProblemDetails | RemovedResponse]:
    """ Remove member

     Remove a member. With `ban`, they cannot rejoin, and the invite code is replaced.

    Args:
        space_id (UUID):
        user_id (str):
        ban (bool | Unset):  Default: False.
        idempotency_key (str | Unset):
        body (EmptyBody | Unset): An empty body.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ProblemDetails | RemovedResponse]
     """


    kwargs = _get_kwargs(
        space_id=space_id,
user_id=user_id,
body=body,
ban=ban,
idempotency_key=idempotency_key,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    space_id: UUID,
    user_id: str,
    *,
    client: AuthenticatedClient,
    body: EmptyBody | Unset = UNSET,
    ban: bool | Unset = False,
    idempotency_key: str | Unset = UNSET,

) -> ProblemDetails | RemovedResponse | None:
    """ Remove member

     Remove a member. With `ban`, they cannot rejoin, and the invite code is replaced.

    Args:
        space_id (UUID):
        user_id (str):
        ban (bool | Unset):  Default: False.
        idempotency_key (str | Unset):
        body (EmptyBody | Unset): An empty body.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ProblemDetails | RemovedResponse
     """


    return (await asyncio_detailed(
        space_id=space_id,
user_id=user_id,
client=client,
body=body,
ban=ban,
idempotency_key=idempotency_key,

    )).parsed
