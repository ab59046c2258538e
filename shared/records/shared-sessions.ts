/** A replica's own sessions, as far as the others have a say in them. */
export interface SessionsHere {
  /** The ids of those that others know of. */
  known(): string[]
  /** One of them was ended elsewhere. */
  ended(id: string): void
}

/** The sessions that all replicas of an endpoint accept, whichever has opened them. */
export interface SharedSessions {
  /** Has the others accept a session. @returns whether they do; it never rejects */
  opened(id: string, version: string | undefined): Promise<boolean>
  /**
   * A session that was opened elsewhere, and has not gone unused for too long.
   *
   * @throws Refusal `store_unavailable`
   */
  find(id: string): Promise<{ version: string | undefined } | undefined>
  /** Notes that it is in use. It is not waited for, and never fails. */
  used(id: string): void
  /** Has no replica accept it any more. It never rejects: what cannot be told now comes to an end by itself. */
  ended(id: string): Promise<void>
  /** Tells of those that end elsewhere, until the returned function is called. */
  listen(here: SessionsHere): () => void
}

/** @param idleMs how long a session may go unused */
export type ShareSessions = (endpoint: string, idleMs: number) => SharedSessions
