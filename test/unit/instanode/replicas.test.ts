import { expect, test } from 'vitest'
import { Replicas } from '../../../servers/instanode/replicas.js'
import { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'

/** A replica that hears nothing but what `tell` says, and what it does about it. */
async function join() {
  const machine = new Clock({ mode: 'manual' })
  const did: string[] = []
  const there = { epoch: 3, away: false }
  let tell = (_payload: string, _own: boolean) => {}
  const replicas = await Replicas.join({
    instance: { machine, log: { warn: () => did.push('warned'), error: () => did.push('complained') } },
    store: {
      notices: {
        on: (_topic, listener) => {
          tell = listener
          return () => {}
        },
        onGap: () => () => {},
      },
    },
    local: {
      store: {
        async epoch() {
          if (there.away) throw new Refusal('store_unavailable', 'away')
          return there.epoch
        },
      },
      reaper: {
        watch: instant => void did.push(`watch ${instant}`),
        async resume() {
          did.push('resume')
        },
      },
      receivers: {
        async heardOf(token, id) {
          did.push(`heard ${token} ${id}`)
        },
      },
    },
    state: {
      async replaced() {
        did.push('replaced')
      },
    },
  })
  return { machine, did, there, replicas, tell: (payload: string, own = false) => tell(payload, own) }
}

test('a replica acts on what others tell it, and not on what it has told itself', async () => {
  const { did, tell } = await join()
  for (const payload of ['due 17', 'delivery token id', 'reset 4']) {
    tell(payload)
    tell(payload, true)
  }
  expect(did).toEqual(['watch 17', 'heard token id', 'replaced'])
})

test('it makes nothing of what it does not understand', async () => {
  const { did, tell } = await join()
  for (const payload of ['', 'due', 'due soon', 'reset', 'reset x', 'tomorrow 5']) tell(payload)
  expect(did).toEqual([])
})

test('a state that was put in place before, or by itself, replaces nothing', async () => {
  const { did, machine, tell, there } = await join()
  tell('reset 3')
  tell('reset 4', true)
  there.epoch = 4
  await machine.advance(5_000)
  expect(did).toEqual(['resume'])
})

test('what it was not told of it finds within five seconds', async () => {
  const { did, machine, there } = await join()
  there.epoch = 4
  await machine.advance(4_999)
  expect(did).toEqual([])
  await machine.advance(1)
  expect(did).toEqual(['replaced', 'resume'])
  await machine.advance(5_000)
  expect(did).toEqual(['replaced', 'resume', 'resume'])
})

test('it goes on looking while the store is away, and looks no more once it is closed', async () => {
  const { did, machine, there, replicas } = await join()
  there.away = true
  await machine.advance(10_000)
  there.away = false
  await machine.advance(5_000)
  expect(did).toEqual(['resume'])
  replicas.close()
  await machine.advance(60_000)
  expect(did).toEqual(['resume'])
})
