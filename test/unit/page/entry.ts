import type { EntryJson } from '../../../shared/journal/entry.js'

/** Returns an entry of the journal's stream. The other fields do not matter. */
export function entry(seq: number, given: Partial<EntryJson> = {}): EntryJson {
  const at = '2026-01-01T00:00:00.000Z'
  return {
    ...{
      seq,
      at,
      wall: at,
      server: 'safebot',
      instance: 'i',
      transport: 'http',
      session: null,
      caller: 'alice',
    },
    ...{
      method: 'tools/call',
      tool: 'room_status',
      arguments: {},
      argsHash: null,
      headers: {},
      outcome: 'ok',
    },
    ...{ durationMs: 1, requestBytes: 0, responseBytes: 0, raw: '', trace: null },
    ...{ protocol: null, client: null, mismatch: [] },
    ...given,
  }
}
