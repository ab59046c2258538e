import { expect, it } from 'vitest'
import { describeDelivery } from '../../../servers/instanode/control.js'

it('shows the first 2,000 characters of a body, and no part of a secret at their end', () => {
  const shown = (text: string) => {
    const body = Buffer.from(text)
    const request = { id: 'i', method: 'POST', path: '/p', query: '', rawHeaders: [] }
    return describeDelivery({ ...request, body, receivedAt: 0 }, null).body
  }
  expect(shown('x'.repeat(2001))).toBe('x'.repeat(2000))
  const before = `${'x'.repeat(1980)}postgres://u:`
  expect(shown(`${before}hunter2hunter2@127.0.0.1/db`)).toBe(before)
})
