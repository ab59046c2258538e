import type { ServerName } from '../../../shared/util/server-name.js'
import type { Caller } from './caller.js'

/** Callers, made with their first call. */
export class Callers {
  readonly #open: (server: ServerName, as: string) => Promise<Caller>
  readonly #callers = new Map<string, Promise<Caller>>()

  constructor(open: (server: ServerName, as: string) => Promise<Caller>) {
    this.#open = open
  }

  get(server: ServerName, as: string): Promise<Caller> {
    const caller = this.#callers.get(`${server} ${as}`) ?? this.#open(server, as)
    this.#callers.set(`${server} ${as}`, caller)
    return caller
  }

  async close(): Promise<void> {
    for (const caller of await Promise.allSettled(this.#callers.values())) {
      if (caller.status === 'fulfilled') await caller.value.close()
    }
  }
}
