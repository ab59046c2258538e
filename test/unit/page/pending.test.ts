import { expect, it } from 'vitest'
import { pendingAt, withApprovals } from '../../../servers/page/model/gateway-log.js'
import { approval } from './approval.js'

it('an approval is pending until its time is over', () => {
  const end = Date.parse(approval().expiresAt)
  expect(pendingAt([approval()], end - 1)).toEqual([approval()])
  expect(pendingAt([approval()], end)).toEqual([])
})

it('only pending approvals are kept', () => {
  const [one, other] = [approval({ id: 'apr_1' }), approval({ id: 'apr_2' })]
  const both = withApprovals(new Map(), [one, other])
  expect([...both.values()]).toEqual([one, other])
  expect([...withApprovals(both, [approval({ id: 'apr_1', state: 'refused' })]).values()]).toEqual([other])
})
