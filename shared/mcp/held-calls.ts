import type { Refusal } from '../errors.js'
import type { Due } from '../faults/table.js'
import type { Instance } from '../instance.js'
import { meet, type Ways } from './apply-fault.js'
import type { Call } from './conversation.js'
import type { JsonRpcResponse } from './messages.js'

export interface HeldCallsOptions<Caller> {
  /** Of the server, as faults and overlays name it. */
  name: string
  instance: Pick<Instance, 'clock' | 'faults' | 'catalogue'>
  /** The caller as the journal names it. */
  nameOf(caller: Caller): string
}

/** The calls that a fault delays, or leaves hanging. */
export class HeldCalls<Caller> {
  readonly #options: HeldCallsOptions<Caller>
  readonly #held = new Set<Call<Caller>>()

  constructor(options: HeldCallsOptions<Caller>) {
    this.#options = options
  }

  /** The faults set for a call of a tool, by that tool's genuine name. */
  due({ method, caller }: Call<Caller>, tool: unknown): Due | undefined {
    const { name, instance, nameOf } = this.#options
    const { faults, catalogue } = instance
    if (!faults.any || method !== 'tools/call' || typeof tool !== 'string') return undefined
    return faults.due(name, catalogue.genuineName(name, nameOf(caller), tool))
  }

  /** Lets a call meet what is due on it. */
  meet(call: Call<Caller>, due: Due, ways: Ways): void {
    this.#held.add(call)
    meet(call, due, this.#options.instance.clock, {
      ...ways,
      run: () => {
        this.#held.delete(call)
        ways.run()
      },
    })
  }

  /** Gives each a refusal for its answer: what they wait for is not to come any more. */
  release(refusal: Refusal, answer: (call: Call<Caller>, response: JsonRpcResponse) => void): void {
    for (const call of [...this.#held]) {
      call.cancellation.cancel(refusal.reason)
      const content = [{ type: 'text', text: refusal.sentence }]
      answer(call, { jsonrpc: '2.0', id: call.callerId, result: { content, isError: true } })
    }
  }

  /** The call is over. */
  drop(call: Call<Caller>): void {
    this.#held.delete(call)
  }
}
