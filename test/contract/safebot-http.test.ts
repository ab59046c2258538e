import { describe, expect, it } from 'vitest'
import { CONTRACT_NAMES } from '../../shared/contract.js'
import { startSafebot } from '../support/safebot.js'
import type { Case, World } from './safebot/case.js'
import { identities } from './safebot/identities.js'
import { messages } from './safebot/messages.js'
import { reading } from './safebot/reading.js'
import { tasks } from './safebot/tasks.js'

const CASES: Record<string, Case[]> = { identities, messages, reading, tasks }

describe.each(CONTRACT_NAMES)("SafeBot's HTTP API as %s", contract => {
  const startWorld = async (): Promise<World> => {
    const running = await startSafebot({ contract })
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
