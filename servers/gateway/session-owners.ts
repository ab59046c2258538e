/** Sessions remembered: clients are free to leave without a word. */
const MAX_SESSIONS = 100_000

/** Which grant opened which session: no other may speak in it. */
export class SessionOwners {
  readonly #owners = new Map<string, string>()

  opened(session: string, label: string): void {
    this.#owners.set(session, label)
    if (this.#owners.size <= MAX_SESSIONS) return
    const [oldest] = this.#owners.keys()
    if (oldest !== undefined) this.#owners.delete(oldest)
  }

  owns(session: string, label: string): boolean {
    return this.#owners.get(session) === label
  }

  ended(session: string): void {
    this.#owners.delete(session)
  }
}
