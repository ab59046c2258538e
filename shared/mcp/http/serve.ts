import { type Handlers, Listener } from '../../http/listener.js'
import type { IdSource } from '../../ids.js'
import type { Instance } from '../../instance.js'
import type { McpHost } from '../host.js'
import { McpEndpoint } from './endpoint.js'
import { SESSION_IDLE_MS } from './sessions.js'

/** The address of a listener, and the host names that the listener accepts. */
export interface ListenOptions {
  /** The address to listen on. Default `127.0.0.1`. */
  host?: string
  /** The port. Default 0, which selects a free port. */
  port?: number
  /** Host names that the listener accepts in addition to the loopback names and `host`. */
  allowedHosts?: readonly string[]
}

export interface ServeOptions<Caller> {
  instance: Instance
  /** The MCP server behind the endpoint. */
  host: McpHost<Caller>
  /** Name of the listener in error messages, e.g. `safebot`. */
  name: string
  /** Generates the session ids. */
  ids: IdSource
  listen: ListenOptions
  /**
   * Makes the handlers, including the handler of the MCP endpoint. Called when the URL is known, so that the
   * handlers can show the URL.
   */
  handlers(url: string, endpoint: McpEndpoint<Caller>): Promise<Handlers>
}

/** A server that listens on an HTTP port. */
export interface Serving {
  /** The URL of the server, `http://host:port`. */
  readonly url: string
  /** Whether the port accepts connections. False after a crash. */
  readonly listening: boolean
  /** Ends every session, then stops listening. */
  close(): Promise<void>
}

/**
 * Starts a server on an HTTP port.
 *
 * @throws Refusal `port_busy` or `cannot_listen`
 */
export async function serveHttp<Caller>(options: ServeOptions<Caller>): Promise<Serving> {
  const { instance, host: mcpHost, name, ids, listen, handlers } = options
  const { host = '127.0.0.1', port = 0, allowedHosts = [] } = listen
  const { machine, log } = instance
  const endpoint = new McpEndpoint({
    host: mcpHost,
    machine,
    ids,
    log,
    ...(instance.sharing && { shared: instance.sharing.sessions(name, SESSION_IDLE_MS) }),
    ...(instance.stamp && { stamp: instance.name }),
  })
  const listener = await Listener.open({
    host,
    port,
    name,
    allowedHosts,
    handlers: url => handlers(url, endpoint),
  })
  mcpHost.onCrash(() => listener.cut())
  return {
    url: listener.url,
    get listening() {
      return listener.listening
    },
    async close() {
      endpoint.close()
      await listener.close()
    },
  }
}
