import { fork } from 'node:child_process'
import { once } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { Refusal } from '../../shared/errors.js'
import { checked } from '../../shared/util/check.js'
import { POLICY_META } from '../gateway/messages.js'
import type { Journal } from '../understudy/index.js'

/**
 * Checks that two values are deeply equal.
 *
 * @param subject the name of the value, for the error
 * @throws Refusal `demo_failed` if the values differ
 */
export function assertEqual<T>(subject: string, actual: unknown, expected: T): asserts actual is T {
  if (isDeepStrictEqual(actual, expected)) return
  const reason = `${subject}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`
  throw new Refusal('demo_failed', reason)
}

type Arguments = Record<string, unknown>

/** A client that calls tools through one gateway. */
interface ToolClient {
  callTool(call: { name: string; arguments: Arguments }): Promise<unknown>
}

/** The possible endings of a call. `reached` is the number of entries that the call adds to the journal. */
const ENDINGS = {
  returned: { text: 'a result', reached: 1 },
  denied: { text: 'a denial by the policy, and no call that reached a server', reached: 0 },
  rejected: { text: 'an error of the server', reached: 1 },
}

const policyDecision = z.object({ outcome: z.string(), rule: z.string() })

/** A scripted agent. After each call, it checks the result and the journal. */
export class DemoAgent<C extends ToolClient> {
  /**
   * @param journal the journal of both servers
   * @param upstream gets a line for each call, which says whether the call reached a server
   */
  constructor(
    readonly client: C,
    private readonly journal: Journal,
    private readonly upstream: string[],
  ) {}

  /**
   * Calls a tool.
   *
   * @returns the structured result
   * @throws Refusal `demo_failed` if the call does not succeed, or if the result does not match `schema`
   */
  async call<T extends z.ZodType>(tool: string, args: Arguments, schema: T): Promise<z.output<T>> {
    const { content } = await this.#call(tool, args, 'returned')
    return checked(schema, content, 'demo_failed', `the result of ${tool}`)
  }

  /**
   * Makes a call that has to fail. With `denied`, a policy has to deny the call before it reaches a server.
   * With `rejected`, the server has to answer with an error.
   *
   * @returns the rule of the policy if `how` is `denied`, or the error message of the server
   * @throws Refusal `demo_failed` if the call does not fail in the way that `how` names
   */
  async fail(how: 'denied' | 'rejected', tool: string, args: Arguments): Promise<string> {
    return (await this.#call(tool, args, how)).detail
  }

  async #call(tool: string, args: Arguments, ending: keyof typeof ENDINGS) {
    const { next } = this.journal.page({ limit: 10_000 })
    const answer = await this.client.callTool({ name: tool, arguments: args })
    const result = checked(CallToolResultSchema, answer, 'demo_failed', `the answer to ${tool}`)
    const { entries } = this.journal.page({ after: next, method: 'tools/call' })
    const [entry] = entries
    this.upstream.push(entry === undefined ? 'not reached' : `reached: entry #${entry.seq} of its journal`)

    const [message] = result.content
    const decision = policyDecision.safeParse(result._meta?.[POLICY_META]).data
    const actual = decision?.outcome ?? (result.isError === true ? 'rejected' : 'returned')
    const detail = decision?.rule ?? (message?.type === 'text' ? message.text : '')
    const { text, reached } = ENDINGS[ending]
    if (actual === ending && entries.length === reached) return { content: result.structuredContent, detail }
    const got = actual === 'returned' ? 'a result' : `${actual} (${detail})`
    const calls = `(calls that reached a server: ${entries.length})`
    throw new Refusal('demo_failed', `${tool}: expected ${text}, got ${got} ${calls}`)
  }
}

/**
 * Connects an SDK client.
 *
 * @param headers the headers that identify the agent
 * @throws the error of the SDK if no gateway answers
 */
export async function connectClient(url: string, headers: Record<string, string>): Promise<Client> {
  const client = new Client({ name: 'understudy-demo', version: '1' })
  // The type of the transport in the SDK does not fit exactOptionalPropertyTypes, because of its optional
  // session id.
  const transport: unknown = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  await client.connect(transport as Parameters<Client['connect']>[0])
  return client
}

/**
 * Starts a worker in its own process, so that the worker can crash. The worker immediately makes its only
 * call, of `claim_task`.
 */
export function startWorker(...args: [gateway: string, handle: string, room: string]) {
  const program = new URL('./worker-process.js', import.meta.url)
  const worker = fork(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const answered = Promise.race([once(worker, 'message'), once(worker, 'exit')])
  return { process: worker, callTool: (): Promise<unknown> => answered.then(([answer]) => answer) }
}
