import type { Clock } from '../../../shared/clock/clock.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { VERSION } from '../../../shared/util/version.js'

/** The last revision of the protocol that has batches. */
export const REVISION = '2025-03-26'

export const INITIALIZE = {
  protocolVersion: REVISION,
  capabilities: {},
  clientInfo: { name: 'understudy-rehearsal', version: VERSION },
}

/** How long an answer may take: a call of a rehearsal never has anything to wait for. */
export const PATIENCE_MS = 10_000

/** What a caller saw of an answer. */
export type Answer =
  | { kind: 'response'; message: Record<string, unknown> }
  /** Refused as HTTP, with no JSON-RPC answer in it. */
  | { kind: 'http'; status: number; text: string }
  | { kind: 'nothing'; why: string }

/** Someone who calls through a gateway, and takes what comes as it comes: no client's checks stand between. */
export interface Caller {
  /** A request by itself. */
  ask(method: string, params?: unknown): Promise<Answer>
  /** Several in one batch: an answer to each, in their order. */
  askAll(requests: readonly { method: string; params: unknown }[]): Promise<Answer[]>
  close(): Promise<void>
}

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

/** A signal that comes when patience ends, by the machine's time, and how to take it back. */
export function deadline(machine: Clock, ms = PATIENCE_MS): { signal: AbortSignal; over(): void } {
  const controller = new AbortController()
  const wakeup = machine.wakeAt(machine.now() + ms, () => controller.abort())
  return { signal: controller.signal, over: () => wakeup.cancel() }
}
