import { type RawAnswer, rpc, send } from './raw-http.js'

export const MODERN = '2026-07-28'

const PREFIX = 'io.modelcontextprotocol/'

/** The `_meta` that every modern request has to have; `more` goes over it. Members without a prefix get the protocol's. */
export function modernMeta(more: Record<string, unknown> = {}): Record<string, unknown> {
  const meta: Record<string, unknown> = { protocolVersion: MODERN, clientCapabilities: {}, ...more }
  return Object.fromEntries(
    Object.entries(meta)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name === 'progressToken' ? name : PREFIX + name, value]),
  )
}

/** A modern request. */
export function modernRpc(
  method: string,
  params: Record<string, unknown> = {},
  id: unknown = 1,
  meta: Record<string, unknown> = {},
): Record<string, unknown> {
  return rpc(method, { ...params, _meta: modernMeta(meta) }, id)
}

/** A modern call of a tool. */
export function modernCall(name: string, args: object = {}, id: unknown = 1, meta = {}) {
  return modernRpc('tools/call', { name, arguments: args }, id, meta)
}

/** The headers that repeat a body, for names in plain ASCII. */
export function mirrored(body: Record<string, unknown>): Record<string, string> {
  const params = Object(body.params)
  const name = params.name ?? params.uri
  return {
    'MCP-Protocol-Version': String(params._meta?.[`${PREFIX}protocolVersion`] ?? MODERN),
    'Mcp-Method': String(body.method),
    ...(name !== undefined && { 'Mcp-Name': String(name) }),
  }
}

/** Sends a modern request with the headers that it has to have; a header given as '' is left out. */
export function sendModern(
  url: string,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  const all = Object.entries({ ...mirrored(body), ...headers }).filter(([, value]) => value !== '')
  return send(url, { body, headers: Object.fromEntries(all) })
}
