import { expect, it } from 'vitest'
import { KNOWN_TOOLS } from '../../../../servers/gateway/policy/known-tools.js'
import { DAILY_PROVISIONS } from '../../../../servers/gateway/policy/review.js'
import { DAILY_CAP } from '../../../../servers/instanode/limits.js'
import { createUnderstudy } from '../../../../servers/understudy/understudy.js'

it('check knows the same fourteen tools as the servers list', async () => {
  const understudy = await createUnderstudy({ clock: 'manual' })
  try {
    const genuine: Record<string, unknown> = {}
    const reads: string[] = []
    for (const server of ['instanode', 'safebot'] as const) {
      const { tools } = await (await understudy[server].connect()).listTools()
      for (const { name, inputSchema, annotations } of tools) {
        const required = inputSchema.required ?? []
        const all = Object.keys(inputSchema.properties ?? {})
        const optional = all.filter(argument => !required.includes(argument))
        genuine[name] = {
          server,
          required,
          optional,
          numbers: all.filter(argument => isNumber(inputSchema, argument)),
        }
        if (annotations?.readOnlyHint === true) reads.push(name)
      }
    }
    const known = Object.fromEntries(
      Object.entries(KNOWN_TOOLS).map(([name, { server, required, optional, numbers = [] }]) => [
        name,
        { server, required, optional, numbers },
      ]),
    )
    expect(known).toEqual(genuine)
    expect(Object.keys(KNOWN_TOOLS)).toEqual(Object.keys(genuine))
    const seeming = Object.entries(KNOWN_TOOLS).filter(([, { seemsRead }]) => seemsRead !== undefined)
    expect(seeming.filter(([name]) => reads.includes(name))).toEqual([])
  } finally {
    await understudy.close()
  }
})

function isNumber(
  { properties = {} }: { properties?: Record<string, object> | undefined },
  name: string,
): boolean {
  const schema = properties[name]
  return schema !== undefined && 'type' in schema && ['integer', 'number'].includes(String(schema.type))
}

it('check knows the daily cap', () => {
  expect(DAILY_PROVISIONS).toBe(DAILY_CAP)
})
