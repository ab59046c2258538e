import { Refusal } from '../errors.js'

/** The names of the two stand-ins, in the order of their start. */
export const SERVER_NAMES = ['instanode', 'safebot'] as const

export type ServerName = (typeof SERVER_NAMES)[number]

/**
 * The four hints about a tool in the MCP specification. A stand-in gives all of them, because authors of
 * policies read them.
 */
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
  /**
   * Schema of the structured content. Without a schema, a client accepts results with or without structured
   * content.
   */
  outputSchema?: JsonObjectSchema
  annotations: ToolHints & { title: string }
}

export type JsonObjectSchema = { type: 'object' } & Record<string, unknown>

/** One server of an instance, as faults and overlays use it. */
export interface KnownServer {
  /** The tools of the real service, in the order of its `tools/list`. */
  readonly tools: readonly ToolListing[]
  /** Notifies every open session that the list of tools has changed. */
  announce(): void
}

/** The servers of an instance and their tools. Faults and overlays can name no others. */
export class KnownTools {
  readonly #servers = new Map<string, KnownServer>()

  add(name: string, server: KnownServer): void {
    this.#servers.set(name, server)
  }

  /** Returns the names of the servers. */
  servers(): string[] {
    return [...this.#servers.keys()]
  }

  /** Returns whether the real service of a server has a tool of that name. */
  has(server: string, tool: string): boolean {
    return this.#servers.get(server)?.tools.some(({ name }) => name === tool) === true
  }

  /** Returns a server. @throws Refusal `unknown_server`, with the names of all servers */
  server(name: string): KnownServer {
    const server = this.#servers.get(name)
    if (server !== undefined) return server
    throw new Refusal(
      'unknown_server',
      `there is no server ${JSON.stringify(name)}`,
      `there are ${this.servers().join(', ')}`,
    )
  }

  /**
   * Checks that a server and its tool exist.
   *
   * @throws Refusal `unknown_server` or `unknown_tool`, with the existing names
   */
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
