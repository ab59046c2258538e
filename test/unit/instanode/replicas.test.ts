import { expect, test } from 'vitest'
import { followReplicas } from '../../../servers/instanode/replicas.js'
import { Refusal } from '../../../shared/errors.js'
import type { NewsListener } from '../../../shared/records/records.js'

/** A replica that hears nothing but what `there` tells, and what it does about it. */
function follow() {
  const did: string[] = []
  const there = {
    away: false,
    news: (() => {}) as NewsListener,
    delivery: (_token: string, _id: string) => {},
    replaced: () => {},
    gap: () => {},
  }
  const close = followReplicas({
    records: {
      onReplaced: listener => void Object.assign(there, { replaced: listener }),
      onGap: listener => void Object.assign(there, { gap: listener }),
    },
    log: { warn: () => did.push('warned'), error: () => did.push('complained') },
    local: {
      store: {
        watch(listener) {
          there.news = listener
          return () => {}
        },
        watchDeliveries(listener) {
          there.delivery = listener
          return () => {}
        },
      },
      reaper: {
        planRound: instant => void did.push(`watch ${instant}`),
        async planNextRound() {
          if (there.away) throw new Refusal('store_unavailable', 'away')
          did.push('resume')
        },
      },
      receivers: {
        async deliveredElsewhere(token, id) {
          did.push(`heard ${token} ${id}`)
        },
      },
    },
    state: {
      async onReplaced() {
        did.push('replaced')
      },
    },
  })
  return { did, there, close }
}

test('a replica follows the notices of other replicas, and ignores its own', () => {
  const { did, there } = follow()
  for (const own of [false, true]) there.news({ own, detail: '17' })
  there.delivery('token', 'id')
  there.replaced()
  expect(did).toEqual(['watch 17', 'heard token id', 'replaced'])
})

test('a replica reads by itself when a notice was lost, or may have been', () => {
  const { did, there } = follow()
  there.news({ own: false, detail: undefined })
  there.gap()
  expect(did).toEqual(['resume', 'resume'])
})

test('a replica logs nothing while a store is away, and does nothing after it was closed', async () => {
  const { did, there, close } = follow()
  there.away = true
  there.gap()
  await Promise.resolve()
  there.away = false
  close()
  there.gap()
  there.replaced()
  expect(did).toEqual([])
})
