import { PassThrough } from 'node:stream'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { createInstance, type InstanceOptions } from '../../../servers/understudy/instance.js'
import { Clock } from '../../../shared/clock/clock.js'
import { Listener } from '../../../shared/http/listener.js'
import type { Instance } from '../../../shared/instance.js'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import { McpHost } from '../../../shared/mcp/host.js'
import { McpEndpoint } from '../../../shared/mcp/http/endpoint.js'
import { connectInMemory } from '../../../shared/mcp/memory.js'
import type { Revisions } from '../../../shared/mcp/revisions.js'
import { StdioConversation } from '../../../shared/mcp/stdio.js'
import { mountTools } from '../../../shared/mcp/tool-server.js'
import { defined } from '../../../shared/util/objects.js'

export interface ToyServer {
  url: string
  /** The machine's time as the transport sees it: keep-alives and the session reaper live by it. */
  machine: Clock
  instance: Instance
  endpoint: McpEndpoint<string>
  server: Server
  host: McpHost<string>
  /** A client on a pipe: what it writes to, what it reads, and what tells that the server has hung up. */
  pipe(): ToyPipe
  /** An SDK client in this process. */
  connect(): Promise<Client>
  /** One line for each thing that happened to a parked call. */
  events: string[]
  /** Resolves once `events` has this line. */
  happened(event: string): Promise<void>
}

export interface ToyPipe {
  input: PassThrough
  output: PassThrough
}

const HINTS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }

/**
 * A server with three tools: `park` waits until its caller is gone, `crash` throws, `echo` has an effect and tells it.
 * Its machine time is manual.
 *
 * @param revisions that it speaks. Default: every one
 */
export async function startToyServer(
  options: InstanceOptions = {},
  revisions?: Revisions,
): Promise<ToyServer> {
  const instance = await createInstance({ clock: 'manual', seed: 'toy', ...options })
  const machine = new Clock({ mode: 'manual' })
  const events: string[] = []
  const watchers = new Set<() => void>()
  const happen = (event: string) => {
    events.push(event)
    for (const watch of watchers) watch()
  }
  const host = new McpHost<string>({
    name: 'toy',
    instance,
    identify: ({ session }) => session ?? 'nobody',
    nameOf: caller => caller,
    forget: () => happen('forgotten'),
    onError: () => undefined,
    ...defined({ revisions }),
  })
  const { log } = instance
  const endpoint = new McpEndpoint({
    host,
    machine,
    ids: instance.ids,
    log,
    sessionIdleMs: 60_000,
    ...(instance.stamp && { stamp: instance.name }),
  })
  let server: Server | undefined
  const listener = await Listener.open({
    host: '127.0.0.1',
    port: 0,
    name: 'toy',
    handlers: async () => {
      server = await mountTools({ name: 'toy', version: '1', tools: tools(happen), host, log })
      return { mcp: endpoint }
    },
  })
  host.onCrash(() => listener.cut())
  onTestFinished(async () => {
    endpoint.close()
    await listener.close()
    await host.close()
    machine.close()
    await instance.close()
  })
  if (server === undefined) throw new Error('the toy server was not mounted')
  const happened = (event: string) =>
    new Promise<void>(resolve => {
      const watch = () => {
        if (!events.includes(event)) return
        watchers.delete(watch)
        resolve()
      }
      watchers.add(watch)
      watch()
    })
  const pipe = () => {
    const [input, output] = [new PassThrough(), new PassThrough()]
    new StdioConversation({ host, caller: 'piped', input, output, onEnd: () => happen('piped ended') })
    return { input, output }
  }
  const connect = () => connectInMemory(host, 'in memory', {})
  return {
    url: `${listener.url}/mcp`,
    machine,
    instance,
    endpoint,
    server,
    host,
    pipe,
    connect,
    events,
    happened,
  }
}

function tools(happen: (event: string) => void) {
  return [
    defineTool({
      name: 'park',
      title: 'Park',
      description: 'Waits until its caller is gone.',
      input: z.strictObject({ as: z.string() }),
      output: z.strictObject({ woken: z.boolean() }),
      hints: HINTS,
      async run({ as }, { signal, progress }: ToolContext<string>) {
        progress?.(0, 1, 'parked')
        happen(`${as} parked`)
        await new Promise(resolve => signal.addEventListener('abort', resolve))
        happen(`${as} aborted: ${signal.reason}`)
        return { woken: true }
      },
      render: () => 'woken',
    }),
    defineTool({
      name: 'echo',
      title: 'Echo',
      description: 'Says it again.',
      input: z.strictObject({ text: z.string() }),
      output: z.strictObject({ text: z.string() }),
      hints: HINTS,
      async run({ text }, _: ToolContext<string>) {
        happen(`echoed ${text}`)
        return { text }
      },
      render: ({ text }) => text,
    }),
    defineTool({
      name: 'crash',
      title: 'Crash',
      description: 'Throws.',
      input: z.strictObject({}),
      output: z.strictObject({}),
      hints: HINTS,
      async run(_: Record<string, never>, __: ToolContext<string>): Promise<Record<string, never>> {
        throw new Error('secret detail at /home/alice')
      },
      render: () => '',
    }),
  ]
}
