import { expect, it } from 'vitest'
import { NOTHING_ASKED, withJudged } from '../../../servers/page/model/gateway-log.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'

const judged = (seq: number): GatewayEntry => ({
  ...{
    seq,
    at: '2026-01-01T00:00:00.000Z',
    grant: 'default',
    session: null,
    protocol: null,
    requestId: 1,
    server: 'safebot',
  },
  ...{ tool: 'create_room', argumentKeys: [], argsHash: null, outcome: seq % 2 === 0 ? 'denied' : 'allowed' },
  ...{ rule: null, message: null, approval: null, upstream: null },
})

it('counts all that was asked and denied, and shows the latest five hundred of it', () => {
  const all = Array.from({ length: 700 }, (_, at) => judged(at + 1))
  const log = withJudged(withJudged(NOTHING_ASKED, all.slice(0, 99)), all.slice(99))
  expect([log.asked, log.denied, log.entries.length]).toEqual([700, 350, 500])
  expect([log.entries[0]?.seq, log.entries.at(-1)?.seq]).toEqual([700, 201])
})
