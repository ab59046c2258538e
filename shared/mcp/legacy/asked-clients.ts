import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Call, Conversation } from '../conversation.js'

/** Requests to clients, each with the call in whose midst it was asked: its conversation alone may answer. */
export class AskedClients<Caller> {
  readonly #asked = new Map<RequestId, Call<Caller>>()

  /** @throws Error for a caller whose answer would have no way back */
  ask(id: RequestId, call: Call<Caller>): void {
    const { transport, session } = call.conversation
    // Its answer would come in a POST of its own, and nothing would tell whose it is.
    if (transport === 'http' && session === null) {
      throw new Error('the caller has no session, so it cannot be asked anything: initialize first')
    }
    this.#asked.set(id, call)
  }

  /** Whether an answer is to something that this conversation was asked; it is answered then. */
  take(id: RequestId | undefined, conversation: Conversation): boolean {
    if (id === undefined || this.#asked.get(id)?.conversation !== conversation) return false
    return this.#asked.delete(id)
  }

  /** The call is over: nobody waits for what was asked in its midst. */
  drop(call: Call<Caller>): void {
    for (const [id, asking] of this.#asked) if (asking === call) this.#asked.delete(id)
  }
}
