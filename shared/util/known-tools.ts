import { Refusal } from '../errors.js'

/** The two stand-ins, in the order they are started. */
export const SERVER_NAMES = ['instanode', 'safebot'] as const

export type ServerName = (typeof SERVER_NAMES)[number]

/** The four hints of the specification, each written out: a policy author reads them. */
export interface ToolHints {
  readOnlyHint: boolean
  destructiveHint: boolean
  idempotentHint: boolean
  openWorldHint: boolean
}

/** A tool as `tools/list` shows it. */
export interface ToolListing {
  name: string
  title: string
  description: string
  inputSchema: JsonObjectSchema
  /** Without one, a client takes a result with or without structured content. */
  outputSchema?: JsonObjectSchema
  annotations: ToolHints & { title: string }
}

export type JsonObjectSchema = { type: 'object' } & Record<string, unknown>

/** One server of an instance, as trouble needs to know it. */
export interface KnownServer {
  /** The genuine tools, in the order they are listed. */
  readonly tools: readonly ToolListing[]
  /** Says on every open session that the list of tools has changed. */
  announce(): void
}

/** Which servers an instance has, and which tools: what may be named where a fault or an overlay is set. */
export class KnownTools {
  readonly #servers = new Map<string, KnownServer>()

  add(name: string, server: KnownServer): void {
    this.#servers.set(name, server)
  }

  /** The names of the servers. */
  servers(): string[] {
    return [...this.#servers.keys()]
  }

  /** Returns whether a server has a tool of that genuine name. */
  has(server: string, tool: string): boolean {
    return this.#servers.get(server)?.tools.some(({ name }) => name === tool) === true
  }

  /** @throws Refusal `unknown_server`, with those there are */
  server(name: string): KnownServer {
    const server = this.#servers.get(name)
    if (server !== undefined) return server
    throw new Refusal(
      'unknown_server',
      `there is no server ${JSON.stringify(name)}`,
      `there are ${this.servers().join(', ')}`,
    )
  }

  /** @throws Refusal `unknown_server` or `unknown_tool`, with those there are */
  requireTool(server: string, tool: string): void {
    const names = this.server(server).tools.map(({ name }) => name)
    if (names.includes(tool)) return
    throw new Refusal(
      'unknown_tool',
      `${server} has no tool ${JSON.stringify(tool)}`,
      `it has ${names.join(', ')}`,
    )
  }
}
