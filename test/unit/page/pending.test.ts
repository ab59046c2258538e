import { expect, it } from 'vitest'
import { pendingAt } from '../../../shared/control/page/model/pending.js'
import { approval } from './approval.js'

it('leaves an approval to be decided until it is decided or its time is over', () => {
  const end = Date.parse(approval().expiresAt)
  expect(pendingAt([approval()], end - 1)).toEqual([approval()])
  expect(pendingAt([approval()], end)).toEqual([])
  expect(pendingAt([approval({ state: 'refused' })], end - 1)).toEqual([])
})
