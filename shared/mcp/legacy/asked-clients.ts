import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Call, Conversation } from '../conversation.js'

/**
 * The open requests to clients. Each request belongs to the call that caused it. Only the conversation of
 * that call may answer.
 */
export class AskedClients<Caller> {
  readonly #asked = new Map<RequestId, Call<Caller>>()

  /** Adds a request to a client. @throws Error for a caller over HTTP that has no session */
  ask(id: RequestId, call: Call<Caller>): void {
    const { transport, session } = call.conversation
    // The answer would arrive in a separate POST. Without a session, nothing in that POST identifies the
    // caller.
    if (transport === 'http' && session === null) {
      throw new Error('the caller has no session, so it cannot be asked anything: initialize first')
    }
    this.#asked.set(id, call)
  }

  /** Removes the request that has this id. Returns false if the conversation was not asked such a request. */
  take(id: RequestId | undefined, conversation: Conversation): boolean {
    if (id === undefined || this.#asked.get(id)?.conversation !== conversation) return false
    return this.#asked.delete(id)
  }

  /** Removes the requests that a call caused, because the call has ended. */
  drop(call: Call<Caller>): void {
    for (const [id, asking] of this.#asked) if (asking === call) this.#asked.delete(id)
  }
}
