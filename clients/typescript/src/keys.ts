/** Where things are in the storage. What belongs to a user has the user in its key: two who share a device mix nothing. */

export const CLIENT_ID = "client_id";

export interface Keys {
  readonly queue: string;
  readonly rejected: string;
  readonly outcomes: string;
  readonly copies: string;
  readonly cursor: string;
}

export function keysOf(userId: string): Keys {
  const own = `user/${userId}`;
  return {
    queue: `${own}/queue/`,
    rejected: `${own}/rejected/`,
    outcomes: `${own}/outcome/`,
    copies: `${own}/copy/`,
    cursor: `${own}/cursor`,
  };
}
