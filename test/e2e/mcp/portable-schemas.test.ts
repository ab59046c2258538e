import { describe, expect, it } from 'vitest'
import { rpc, send } from '../../support/clients/raw-http.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

/** The paths at which a JSON schema has a list of types. */
function typeLists(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) =>
    key === 'type' && Array.isArray(part) ? [path] : typeLists(part, `${path}/${key}`),
  )
}

describe('the schemas of the tools', () => {
  it.each(['instanode', 'safebot'] as const)('of %s have one type at each place', async name => {
    const { [name]: server } = await startUnderstudy()
    const { json } = await send(server.mcpUrl, { body: rpc('tools/list') })
    expect(typeLists(json)).toEqual([])
    expect(JSON.stringify(json)).toContain('"anyOf":[{"type":"string"},{"type":"null"}]')
  })
})
