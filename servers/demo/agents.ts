import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type CallToolResult, CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { POLICY_META } from '../gateway/messages.js'
import type { Journal, JournalEntry } from '../understudy/index.js'
import { DemoFailure } from './assertions.js'

/** The address of a gateway, and the headers that identify an agent to the gateway. */
export interface Endpoint {
  url: string
  headers: Record<string, string>
}

/** A scripted agent that calls tools through one gateway. */
export class Agent {
  private constructor(
    private readonly client: Client,
    private readonly journal: Journal,
  ) {}

  /** @param journal of the servers behind the gateway */
  static async connect(endpoint: Endpoint, journal: Journal): Promise<Agent> {
    return new Agent(await connectClient(endpoint), journal)
  }

  /** Calls a tool. A denied or failed call is a result, too. */
  call(tool: string, args: Record<string, unknown> = {}): Promise<ToolCall> {
    return ToolCall.observe(this.journal, tool, async () =>
      CallToolResultSchema.parse(await this.client.callTool({ name: tool, arguments: args })),
    )
  }

  /** Returns the names of the tools that the gateway lists. */
  async listTools(): Promise<string[]> {
    return (await this.client.listTools()).tools.map(({ name }) => name)
  }

  close(): Promise<void> {
    return this.client.close()
  }
}

const policyDecision = z.object({ outcome: z.string(), rule: z.string() })

/** A tool call: the result that the agent got, and the entries of the upstream journal that the call added. */
export class ToolCall {
  private constructor(
    private readonly tool: string,
    private readonly result: CallToolResult,
    private readonly entries: readonly JournalEntry[],
  ) {}

  /** Runs `call` and collects the tool calls that reach the servers in the meantime. */
  static async observe(
    journal: Journal,
    tool: string,
    call: () => Promise<CallToolResult>,
  ): Promise<ToolCall> {
    const { next } = journal.page({ limit: 10_000 })
    const result = await call()
    return new ToolCall(tool, result, journal.page({ after: next, method: 'tools/call' }).entries)
  }

  /** Returns the structured result. @throws DemoFailure unless the call succeeded and reached the server once */
  returned<Schema extends z.ZodType>(schema: Schema): z.output<Schema> {
    const content = schema.safeParse(this.result.structuredContent)
    if (this.result.isError !== true && content.success && this.entries.length === 1) return content.data
    throw this.#unexpected('a result')
  }

  /** Returns the rule that denied the call. @throws DemoFailure unless a policy did so before the server was reached */
  denied(): string {
    const decision = this.#decision()
    if (decision?.outcome === 'denied' && this.entries.length === 0) return decision.rule
    throw this.#unexpected('a denial by the policy and no call of the server')
  }

  /** Returns the error message of the server. @throws DemoFailure unless the server itself rejected the call */
  rejected(): string {
    const failed = this.result.isError === true && this.#decision() === undefined
    if (failed && this.entries.length === 1) return this.#text()
    throw this.#unexpected('an error of the server')
  }

  /** Says whether the call reached the server. */
  get upstream(): string {
    const [entry] = this.entries
    return entry === undefined ? 'not reached' : `reached: entry #${entry.seq} of its journal`
  }

  #decision(): z.output<typeof policyDecision> | undefined {
    return policyDecision.safeParse(this.result._meta?.[POLICY_META]).data
  }

  #text(): string {
    const [first] = this.result.content
    return first?.type === 'text' ? first.text : ''
  }

  #unexpected(expected: string): DemoFailure {
    const decision = this.#decision()
    const answer = this.result.isError === true ? `an error (${this.#text()})` : 'a result'
    const actual = decision === undefined ? answer : `${decision.outcome} by the policy (${decision.rule})`
    const reached = `calls of the server: ${this.entries.length}`
    return new DemoFailure(`${this.tool}: expected ${expected}, got ${actual} (${reached})`)
  }
}

/** Connects an SDK client over HTTP. @throws the error of the SDK if the gateway does not answer */
export async function connectClient({ url, headers }: Endpoint): Promise<Client> {
  const client = new Client({ name: 'understudy-demo', version: '1' })
  // The SDK's own declarations disagree with exactOptionalPropertyTypes about an optional session id.
  const transport: unknown = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  await client.connect(transport as Parameters<Client['connect']>[0])
  return client
}
