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
