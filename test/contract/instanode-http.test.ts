import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ContractName } from '../../shared/contract.js'
import { send } from '../support/clients/raw-http.js'
import { account } from './instanode/account.js'
import type { Case } from './instanode/case.js'
import { open } from './instanode/open.js'
import { provision } from './instanode/provision.js'
import { receive } from './instanode/receive.js'
import { startWorld, type World } from './instanode/world.js'

const GROUPS = { provisioning: provision, receivers: receive, accounts: account, 'anyone else': open }

// fidelity instanode/http, same: JSON ends with a line feed. Errors have `ok: false` and `error`.
// fidelity instanode/headers, differs: `X-Request-ID` is the clock in nanoseconds. Here: It is the instance's
// clock to the millisecond, because the clock counts in milliseconds.
// fidelity instanode/headers, same: Without an Origin, `Access-Control-Allow-Origin` is `*`.
describe.each(['documented', 'observed'] as const)('the HTTP API of Instanode, %s', contract => {
  describe.each(Object.entries(GROUPS))('%s', (_group, cases) => {
    it.each(titled(cases, contract))('%s', async (_title, asked) => {
      const world = await startWorld(contract)
      await asked.before?.(world)
      await check(asked, world)
    })
  })
})

/** Those of a contract, each with its request and status for a title. */
function titled(cases: readonly Case[], contract: ContractName): [string, Case][] {
  return cases
    .filter(({ under = contract }) => under === contract)
    .map(asked => {
      const { request, what, status, error = '' } = asked
      const shown = typeof request === 'string' ? request.slice(0, 60) : 'a receiver or resource'
      return [`${shown} (${what}) is answered ${status} ${error}`.trimEnd(), asked]
    })
}

async function check(asked: Case, world: World): Promise<void> {
  const { request, as, headers = {}, status } = asked
  const [method = '', path = ''] = (typeof request === 'string' ? request : request(world)).split(' ')
  const body = typeof asked.body === 'function' ? asked.body(world) : asked.body
  const answer = await send(`${world.url}${path}`, {
    method,
    headers: { ...headers, ...(as !== undefined && { authorization: `Bearer ${as}` }) },
    body,
  })
  expect([answer.status, answer.body]).toEqual([status, expect.anything()])
  expect(answer.headers['x-request-id']).toBe(`${world.instance.clock.now()}000000`)
  if (!('origin' in headers)) expect(answer.headers['access-control-allow-origin']).toBe('*')
  for (const [name, value] of Object.entries(asked.answers ?? {})) {
    expect([name, answer.headers[name] ?? null]).toEqual([name, value])
  }
  if (asked.text !== undefined) expect(answer.body).toBe(asked.text)
  else expectJson(asked, answer.body, answer.json)
}

function expectJson({ answer, error, has }: Case, body: string, json: unknown): void {
  expect(body.endsWith('}\n') || body.endsWith(']\n')).toBe(true)
  expect(body).not.toMatch(/[<>&]/)
  if (error !== undefined) expect(json).toMatchObject({ error, ok: false })
  if (answer !== undefined) expect(strict(answer).parse(json)).toEqual(json)
  if (!Array.isArray(json)) expect(Object.keys(Object(json))).toEqual(Object.keys(Object(json)).sort())
  for (const [field, value] of Object.entries(has ?? {}))
    expect(Reflect.get(Object(json), field)).toEqual(value)
}

/** Nothing is in an answer that the API does not describe. */
function strict(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodObject ? schema.strict() : schema
}
