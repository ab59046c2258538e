import { argsHash } from '#built/shared/journal/entry.js'

interface HeldCall {
  readonly grant: string
  readonly tool: string
  readonly args: unknown
}

/** Calls that wait for an approval, and those that have one. An approval lets one call with the same arguments pass. */
export class Approvals {
  readonly #pending = new Set<string>()
  readonly #approved = new Set<string>()

  /** Uses the approval of a call. Without one, the call becomes pending. */
  use(call: HeldCall): boolean {
    const key = JSON.stringify([call.grant, call.tool, argsHash(call.args)])
    if (this.#approved.delete(key)) return true
    this.#pending.add(key)
    return false
  }

  /** Approves every pending call. @returns their number */
  approveAll(): number {
    const { size } = this.#pending
    for (const key of this.#pending) this.#approved.add(key)
    this.#pending.clear()
    return size
  }
}
