import type { Cursor, HistoryEvent } from './event.js'
import { monotonicMs } from './monotonic.js'

/** Longer than any call may block here. A call without an answer by then will get none. */
const PATIENCE_MS = 20_000

/** The answer of a tool: its result, or its refusal in words. `unheard`: no server accepted the connection, so the call had no effect. */
type Answer = { result: Record<string, unknown> } | { refused: string; unheard?: boolean }

export interface AgentOptions {
  handle: string
  room: string
  /** The room's key, base64url. */
  key: string
  /**
   * Records the event of a call, before and after its answer.
   *
   * @param begun the event to record if no answer to the call comes
   * @param seen the event that the answer shows
   */
  note(begun: HistoryEvent | undefined, seen: HistoryEvent | undefined): void
}

/** A user of the service over MCP. It calls any of the replicas, and notes all events that it sees. */
export class HistoryAgent {
  readonly #options: AgentOptions
  readonly #cursor: Cursor
  /** Why the latest call that failed did. */
  refusal = ''

  constructor(options: AgentOptions) {
    this.#options = options
    this.#cursor = { room: options.room, handle: options.handle }
  }

  /** @param api the origin of a replica's Safebot */
  async send(api: string, text: string): Promise<boolean> {
    const { note, room } = this.#options
    const begun = monotonicMs()
    note({ kind: 'send unanswered', room, text }, undefined)
    const answer = await this.#call(api, 'send_message', { text })
    if (!('result' in answer)) return this.#unseen(answer)
    const span = { begun, ended: monotonicMs() }
    note(undefined, { kind: 'sent', room, seq: Number(answer.result.seq), text, ...span })
    return true
  }

  /** @returns the claimed task; `'nothing'`: there was none; `'unanswered'`: the call failed or got no answer */
  async claim(
    api: string,
    seconds: number,
  ): Promise<{ claimId: string; seq: number } | 'nothing' | 'unanswered'> {
    const { note } = this.#options
    const begun = monotonicMs()
    note({ kind: 'claim unanswered', ...this.#cursor, begun }, undefined)
    const answer = await this.#call(api, 'claim_task', { timeout_seconds: seconds })
    if (!('result' in answer)) {
      this.#unseen(answer)
      return 'unanswered'
    }
    const { task, claim_id: id } = answer.result
    if (task === null) {
      note(undefined, undefined)
      return 'nothing'
    }
    const { seq, text } = Object(task)
    const claimed = { claimId: String(id), seq: Number(seq) }
    const span = { begun, ended: monotonicMs() }
    note(undefined, { kind: 'claimed', ...this.#cursor, ...claimed, text: String(text), ...span })
    return claimed
  }

  async ack(api: string, { claimId, seq }: { claimId: string; seq: number }): Promise<boolean> {
    const { note } = this.#options
    const begun = monotonicMs()
    const claim = { ...this.#cursor, claimId, seq }
    note({ kind: 'ack unanswered', ...claim, begun }, undefined)
    const answer = await this.#call(api, 'ack_task', { claim_id: claimId, seq })
    const span = { begun, ended: monotonicMs() }
    if ('result' in answer) {
      note(undefined, { kind: 'acked', ...claim, advanced: answer.result.advanced === true, ...span })
      return true
    }
    if (!answer.refused.includes('409')) return this.#unseen(answer)
    note(undefined, { kind: 'ack refused', ...claim, ...span })
    return true
  }

  /** A call that reached no server had no effect, so it leaves no event. @returns false */
  #unseen({ refused, unheard = false }: { refused: string; unheard?: boolean }): false {
    this.refusal = refused
    if (unheard) this.#options.note(undefined, undefined)
    return false
  }

  async #call(api: string, name: string, args: Record<string, unknown>): Promise<Answer> {
    const { room, key, handle } = this.#options
    const params = { name, arguments: { url: `${api}/room/${room}#k=${key}`, ...args } }
    try {
      const response = await fetch(`${api}/mcp`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          'X-Safebot-Handle': handle,
          // A kept connection may be closed by its server just as the next request goes out on it.
          Connection: 'close',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      })
      const { result, error } = Object(await response.json())
      if (error !== undefined) return { refused: JSON.stringify(error) }
      if (result?.isError === true) return { refused: JSON.stringify(result.content) }
      return { result: Object(result?.structuredContent) }
    } catch (error) {
      const { cause } = Object(error)
      return { refused: `${error} (${cause})`, unheard: Object(cause).code === 'ECONNREFUSED' }
    }
  }
}
