import { z } from 'zod'
import type { ContractName } from '../../../shared/contract.js'
import { send } from '../../support/clients/raw-http.js'
import {
  DAY,
  FREE,
  PAID,
  PAID_2,
  type RunningInstanode,
  startInstanode,
} from '../../support/servers/instanode.js'

/** The resources that the requests of the contract use. They cover every state and every kind of owner. */
export interface World extends RunningInstanode {
  /** Tokens of unclaimed resources. */
  database: string
  hook: string
  /** Receivers: of the paid account that calls, of the free one, of another. */
  own: string
  free: string
  foreign: string
  /** Of another account, and deleted. */
  deleted: string
  /** Unclaimed, and expired. */
  expired: string
}

const made = z.object({ token: z.string() })

/** The address from which the world is made. The caps of later callers stay unused. */
const ELSEWHERE = { 'x-forwarded-for': '198.51.100.1' }

/** Makes a resource over HTTP; returns its token. */
export async function make(
  url: string,
  path: '/db/new' | '/webhook/new',
  { as, name = 'made', from = ELSEWHERE }: { as?: string; name?: string; from?: Record<string, string> } = {},
): Promise<string> {
  const headers = { ...from, ...(as !== undefined && { authorization: `Bearer ${as}` }) }
  return made.parse((await send(`${url}${path}`, { headers, body: { name } })).json).token
}

export async function startWorld(contract: ContractName): Promise<World> {
  const running = await startInstanode({ contract, requestLimit: 'none' })
  const { url, instance } = running
  const expired = await make(url, '/webhook/new')
  await instance.clock.advance(DAY + 5 * 60_000)
  const deleted = await make(url, '/webhook/new', { as: PAID_2 })
  await as(PAID_2, 'DELETE', `${url}/api/me/resources/${deleted}`)
  const free = await make(url, '/webhook/new')
  await as(FREE, 'POST', `${url}/api/me/claim`, { token: free })
  return {
    ...running,
    ...{ expired, deleted, free },
    own: await make(url, '/webhook/new', { as: PAID }),
    foreign: await make(url, '/webhook/new', { as: PAID_2 }),
    hook: await make(url, '/webhook/new'),
    database: await make(url, '/db/new'),
  }
}

function as(token: string, method: string, url: string, body?: unknown) {
  return send(url, { method, headers: { authorization: `Bearer ${token}` }, body })
}
