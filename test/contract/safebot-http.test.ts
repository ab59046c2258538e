import { describe, expect, it } from 'vitest'
import { CONTRACT_NAMES } from '../../shared/contract.js'
import { useStores } from '../support/databases/store.js'
import { startSafebot } from '../support/servers/safebot.js'
import type { Case, World } from './safebot/case.js'
import { identities } from './safebot/identities.js'
import { messages } from './safebot/messages.js'
import { reading } from './safebot/reading.js'
import { tasks } from './safebot/tasks.js'

const CASES: Record<string, Case[]> = { identities, messages, reading, tasks }

const stores = useStores()

const PLACES = [
  ...CONTRACT_NAMES.map(contract => ({ contract, place: 'memory' })),
  // One contract is enough: the contracts do not differ in the store.
  { contract: 'documented', place: 'PostgreSQL' },
] as const

describe.each(PLACES)("SafeBot's HTTP API as $contract, in $place", ({ contract, place }) => {
  const startWorld = async (): Promise<World> => {
    const running = await startSafebot({
      contract,
      store: place === 'PostgreSQL' ? stores.freshUrl() : undefined,
    })
    const [alice, bob] = await Promise.all([running.agent('alice'), running.agent('bob')])
    return { ...running, alice, bob, carol: running.stranger('carol'), room: 'room-1' }
  }

  describe.each(Object.keys(CASES))('%s', part => {
    it.each(CASES[part] ?? [])('$request: $status', async ({ send, status, body, headers = {} }) => {
      const answer = await send(await startWorld())
      expect([answer.status, answer.json]).toEqual([status, body])
      for (const [name, value] of Object.entries(headers)) expect(answer.headers[name]).toEqual(value)
    })
  })
})
