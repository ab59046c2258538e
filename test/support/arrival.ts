import type { Arrival } from '../../shared/journal/entry.js'

/** A request as a journal is told of it. Its body says what its fields say, unless another is given. */
export function arrival(change: Partial<Arrival> = {}): Arrival {
  const { method, tool: name, arguments: args, ...rest } = { ...CALL, ...change }
  const raw = JSON.stringify({ method, params: { name, arguments: args } })
  return { raw, method, tool: name, arguments: args, ...rest }
}

const CALL = {
  server: 'safebot',
  transport: 'http',
  session: null,
  caller: 'alice',
  method: 'tools/call',
  tool: 'room_status',
  arguments: { url: 'u' },
  headers: {},
} as const
