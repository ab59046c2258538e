import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Call, Conversation } from '../conversation.js'

/** Requests to clients. Each belongs to the call that caused it, and only the conversation of that call may answer. */
export class AskedClients<Caller> {
  readonly #asked = new Map<RequestId, Call<Caller>>()

  /** @throws Error for a caller whose answer would have no way back */
  ask(id: RequestId, call: Call<Caller>): void {
    const { transport, session } = call.conversation
    // The answer would arrive in a separate POST, without a session that identifies the caller.
    if (transport === 'http' && session === null) {
      throw new Error('the caller has no session, so it cannot be asked anything: initialize first')
    }
    this.#asked.set(id, call)
  }

  /** Removes the request that an answer is for. Returns false if this conversation has no such request. */
  take(id: RequestId | undefined, conversation: Conversation): boolean {
    if (id === undefined || this.#asked.get(id)?.conversation !== conversation) return false
    return this.#asked.delete(id)
  }

  /** Drops the requests that a call caused, because the call has ended. */
  drop(call: Call<Caller>): void {
    for (const [id, asking] of this.#asked) if (asking === call) this.#asked.delete(id)
  }
}
