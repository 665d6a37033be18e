from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.leaderboard_page import LeaderboardPage
from ...models.period import Period
from ...models.problem_details import ProblemDetails
from ...types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime



def _get_kwargs(
    period: Period,
    *,
    period_start: datetime.date | Unset = UNSET,
    space_id: UUID | Unset = UNSET,
    limit: int | Unset = 50,
    cursor: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match



    

    params: dict[str, Any] = {}

    json_period_start: str | Unset = UNSET
    if not isinstance(period_start, Unset):
        json_period_start = period_start.isoformat()
    params["period_start"] = json_period_start

    json_space_id: str | Unset = UNSET
    if not isinstance(space_id, Unset):
        json_space_id = str(space_id)
    params["space_id"] = json_space_id

    params["limit"] = limit

    params["cursor"] = cursor


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/gamification/leaderboard/{period}".format(period=quote(str(period), safe=""),),
        "params": params,
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | LeaderboardPage | ProblemDetails | None:
    if response.status_code == 200:
        response_200 = LeaderboardPage.from_dict(response.json())



        return response_200

    if response.status_code == 304:
        response_304 = cast(Any, None)
        return response_304

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | LeaderboardPage | ProblemDetails]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    period: Period,
    *,
    client: AuthenticatedClient,
    period_start: datetime.date | Unset = UNSET,
    space_id: UUID | Unset = UNSET,
    limit: int | Unset = 50,
    cursor: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | LeaderboardPage | ProblemDetails]:
    """ Get leaderboard

     Get the leaderboard of a period, for all users or for one space.

    Args:
        period (Period): The period of a leaderboard: an ISO week, a calendar month (both in UTC),
            or all time.
        period_start (datetime.date | Unset):
        space_id (UUID | Unset):
        limit (int | Unset):  Default: 50.
        cursor (str | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | LeaderboardPage | ProblemDetails]
     """


    kwargs = _get_kwargs(
        period=period,
period_start=period_start,
space_id=space_id,
limit=limit,
cursor=cursor,
if_none_match=if_none_match,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    period: Period,
    *,
    client: AuthenticatedClient,
    period_start: datetime.date | Unset = UNSET,
    space_id: UUID | Unset = UNSET,
    limit: int | Unset = 50,
    cursor: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | LeaderboardPage | ProblemDetails | None:
    """ Get leaderboard

     Get the leaderboard of a period, for all users or for one space.

    Args:
        period (Period): The period of a leaderboard: an ISO week, a calendar month (both in UTC),
            or all time.
        period_start (datetime.date | Unset):
        space_id (UUID | Unset):
        limit (int | Unset):  Default: 50.
        cursor (str | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | LeaderboardPage | ProblemDetails
     """


    return sync_detailed(
        period=period,
client=client,
period_start=period_start,
space_id=space_id,
limit=limit,
cursor=cursor,
if_none_match=if_none_match,

    ).parsed

async def asyncio_detailed(
    period: Period,
    *,
    client: AuthenticatedClient,
    period_start: datetime.date | Unset = UNSET,
    space_id: UUID | Unset = UNSET,
    limit: int | Unset = 50,
    cursor: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | LeaderboardPage | ProblemDetails]:
    """ Get leaderboard

     Get the leaderboard of a period, for all users or for one space.

    Args:
        period (Period): The period of a leaderboard: an ISO week, a calendar month (both in UTC),
            or all time.
        period_start (datetime.date | Unset):
        space_id (UUID | Unset):
        limit (int | Unset):  Default: 50.
        cursor (str | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | LeaderboardPage | ProblemDetails]
     """


    kwargs = _get_kwargs(
        period=period,
period_start=period_start,
space_id=space_id,
limit=limit,
cursor=cursor,
if_none_match=if_none_match,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    period: Period,
    *,
    client: AuthenticatedClient,
    period_start: datetime.date | Unset = UNSET,
    space_id: UUID | Unset = UNSET,
    limit: int | Unset = 50,
    cursor: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | LeaderboardPage | ProblemDetails | None:
    """ Get leaderboard

     Get the leaderboard of a period, for all users or for one space.

    Args:
        period (Period): The period of a leaderboard: an ISO week, a calendar month (both in UTC),
            or all time.
        period_start (datetime.date | Unset):
        space_id (UUID | Unset):
        limit (int | Unset):  Default: 50.
        cursor (str | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | LeaderboardPage | ProblemDetails
     """


    return (await asyncio_detailed(
        period=period,
client=client,
period_start=period_start,
space_id=space_id,
limit=limit,
cursor=cursor,
if_none_match=if_none_match,

    )).parsed
