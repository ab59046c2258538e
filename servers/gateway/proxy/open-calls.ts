import type { RequestId } from '@modelcontextprotocol/sdk/types.js'

/** Told when the caller takes a request back. */
export type OnCancel = () => void

/** The requests of every session that are not answered yet: a cancellation comes in a POST of its own. */
export class OpenCalls {
  readonly #open = new Map<string, OnCancel>()

  /** Without a session nothing tells whose a cancellation is. @returns what is to be called when it has ended */
  add(session: string | null, id: RequestId, onCancel: OnCancel): () => void {
    if (session === null) return () => undefined
    const key = keyOf(session, id)
    this.#open.set(key, onCancel)
    return () => {
      if (this.#open.get(key) === onCancel) this.#open.delete(key)
    }
  }

  cancel(session: string | null, id: RequestId): void {
    if (session !== null) this.#open.get(keyOf(session, id))?.()
  }
}

function keyOf(session: string, id: RequestId): string {
  return `${session} ${typeof id === 'string' ? 's' : 'n'}${id}`
}
