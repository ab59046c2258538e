import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { POLICY_META } from '../../gateway/denial.js'
import type { JournalEntry } from '../../index.js'
import { NotAsNarrated } from '../show/as-narrated.js'

const policyWord = z.object({ outcome: z.string(), rule: z.string() })

/** A call of a tool: what its caller saw, and what of it reached the server behind the gateway. */
export class Called {
  readonly #tool: string
  readonly #result: CallToolResult
  readonly #entries: readonly JournalEntry[]

  /** @param entries of the server's journal: the calls that arrived meanwhile */
  constructor(tool: string, result: CallToolResult, entries: readonly JournalEntry[]) {
    this.#tool = tool
    this.#result = result
    this.#entries = entries
  }

  /**
   * What it returned.
   *
   * @throws NotAsNarrated unless it succeeded and reached the server, once
   */
  returned<Schema extends z.ZodType>(schema: Schema): z.output<Schema> {
    const answer = schema.safeParse(this.#result.structuredContent)
    if (this.#result.isError !== true && answer.success && this.#entries.length === 1) return answer.data
    throw this.#otherwise('return a result')
  }

  /** The rule that denied it. @throws NotAsNarrated unless a policy did, and nothing reached the server */
  denied(): string {
    const word = this.#word()
    if (word?.outcome === 'denied' && this.#entries.length === 0) return word.rule
    throw this.#otherwise('be denied by the policy, and not to reach the server')
  }

  /** What the server answered. @throws NotAsNarrated unless it was the server that refused it */
  refused(): string {
    const failed = this.#result.isError === true && this.#word() === undefined
    if (failed && this.#entries.length === 1) return this.#text()
    throw this.#otherwise('be refused by the server')
  }

  /** What of it reached the server, for the reader. */
  get upstream(): string {
    const numbers = this.#entries.map(({ seq }) => `#${seq}`)
    return numbers.length === 0 ? 'not reached' : `reached: entry ${numbers.join(', ')} of its journal`
  }

  #word(): z.output<typeof policyWord> | undefined {
    return policyWord.safeParse(this.#result._meta?.[POLICY_META]).data
  }

  #text(): string {
    const [first] = this.#result.content
    return first?.type === 'text' ? first.text : ''
  }

  #otherwise(expected: string): NotAsNarrated {
    const word = this.#word()
    const seen =
      word !== undefined
        ? `${word.outcome} by the policy (${word.rule})`
        : this.#result.isError === true
          ? `refused (${this.#text()})`
          : 'answered with a result'
    const times = this.#entries.length
    const reached = times === 0 ? 'did not reach the server' : `reached the server (calls: ${times})`
    return new NotAsNarrated(`${this.#tool} was to ${expected}; it was ${seen}, and ${reached}`)
  }
}
