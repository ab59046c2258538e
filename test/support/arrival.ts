import type { Arrival } from '../../shared/journal/entry.js'

/** A request as a journal is told of it. */
export function arrival(change: Partial<Arrival> = {}): Arrival {
  return {
    server: 'safebot',
    transport: 'http',
    session: null,
    caller: 'alice',
    method: 'tools/call',
    tool: 'room_status',
    arguments: { url: 'u' },
    headers: {},
    raw: '{"x":1}',
    ...change,
  }
}
