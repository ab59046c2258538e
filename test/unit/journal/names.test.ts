import * as schemas from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Clock } from '../../../shared/clock/clock.js'
import { Journal } from '../../../shared/journal/journal.js'
import { type JournalFilter, MCP_METHODS } from '../../../shared/journal/where.js'
import { arrival } from '../../support/arrival.js'

const TOOLS: Record<string, string[]> = {
  instanode: ['delete_resource', 'list_resources'],
  safebot: ['room_status', 'ack_task'],
}

function start(): Journal {
  const clock = new Clock({ mode: 'manual' })
  const known = { servers: () => Object.keys(TOOLS), tools: (server: string) => TOOLS[server] ?? [] }
  return new Journal({ clock, machine: clock, instance: 'i', known })
}

const MISSPELT: [filter: JournalFilter, code: string, reason: string, hint: string][] = [
  [
    { tool: 'delete_resorce' },
    'unknown_tool',
    'no server has a tool "delete_resorce"',
    '"delete_resource" is probably meant',
  ],
  [
    { server: 'instanod' },
    'unknown_server',
    'there is no server "instanod"',
    '"instanode" is probably meant',
  ],
  [
    { server: 'safebot', tool: 'delete_resource' },
    'unknown_tool',
    'safebot has no tool "delete_resource"',
    'room_status, ack_task',
  ],
  [
    { method: 'tools/cal' },
    'unknown_method',
    'there is no method "tools/cal"',
    '"tools/call" is probably meant',
  ],
  [{ method: 'PSOT /db/new' }, 'unknown_method', 'there is no method "PSOT /db/new"', '"POST /db/new"'],
  [{ method: 'POST' }, 'unknown_method', 'there is no method "POST"', '"POST /db/new"'],
]

describe('a filter of the journal', () => {
  it.each(MISSPELT)('with %j is refused as %s', async (filter, code, reason, hint) => {
    const journal = start()
    journal.open(arrival({ server: 'instanode', tool: 'delete_resource' }))
    const refusal = expect.objectContaining({ code, reason, hint: expect.stringContaining(hint) })
    expect(() => journal.expectNothing(filter)).toThrow(refusal)
    expect(() => journal.entries(filter)).toThrow(refusal)
    expect(() => journal.page(filter)).toThrow(refusal)
    await expect(journal.waitFor(filter)).rejects.toThrow(refusal)
  })

  it('shows the closest name to a test that fails', () => {
    expect(() => start().expectNothing({ tool: 'delete_resorce' })).toThrow(
      'no server has a tool "delete_resorce": "delete_resource" is probably meant. ' +
        'In the filter, unknown: true allows a tool that no server has',
    )
  })

  it('names the closest outcome', () => {
    expect(() => start().expectNothing(Object({ outcome: 'tool_eror' }))).toThrow(
      '"tool_error" is probably meant',
    )
  })

  it.each<JournalFilter>([
    { tool: 'delete_resource' },
    { server: 'instanode', tool: 'list_resources' },
    { tool: null, method: null },
    { caller: 'whoever' },
    { method: 'notifications/cancelled' },
    { method: 'DELETE /rooms/made-up' },
  ])('accepts %j', filter => {
    expect(() => start().expectNothing(filter)).not.toThrow()
  })

  it('with unknown: true accepts a tool and a method that no server has', () => {
    const journal = start()
    journal.expectNothing({ tool: 'decoy', method: 'tools/decoy', unknown: true })
    journal.open(arrival({ tool: 'decoy' }))
    expect(() => journal.expectNothing({ tool: 'decoy', unknown: true })).toThrow('was not expected')
    expect(() => journal.entries({ server: 'decoy', unknown: true })).toThrow('no server "decoy"')
  })

  it('accepts a name that an entry has, because a client may call what does not exist', () => {
    const journal = start()
    journal.open(arrival({ tool: 'drop_tables', method: 'tools/drop' }))
    expect(journal.entries({ tool: 'drop_tables' })).toHaveLength(1)
    expect(journal.entries({ method: 'tools/drop' })).toHaveLength(1)
    expect(() => journal.entries({ server: 'instanode', tool: 'drop_tables' })).toThrow(
      'instanode has no tool',
    )
  })
})

describe('the known methods', () => {
  it('contain every method that the MCP SDK has a schema of', () => {
    const exported: unknown[] = Object.values(schemas)
    const ofSdk = exported.flatMap(schema => {
      const method: unknown = schema instanceof z.ZodObject ? schema.shape.method : undefined
      return method instanceof z.ZodLiteral ? [...method.values] : []
    })
    expect(ofSdk).toContain('tools/call')
    expect(ofSdk.filter(method => !MCP_METHODS.includes(String(method)))).toEqual([])
  })
})
