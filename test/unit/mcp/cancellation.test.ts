import { expect, it } from 'vitest'
import { Cancellation } from '../../../shared/mcp/calls.js'

it('aborts the signal of a handler, with the first reason', () => {
  const cancellation = new Cancellation()
  const { signal } = cancellation
  expect(signal.aborted).toBe(false)
  cancellation.cancel('the caller hung up')
  cancellation.cancel('the server is shutting down')
  expect([signal.aborted, signal.reason]).toEqual([true, 'the caller hung up'])
})

it('has one signal, which is aborted from the start if it is requested too late', () => {
  const cancellation = new Cancellation()
  cancellation.cancel('the caller hung up')
  expect([cancellation.signal.aborted, cancellation.signal.reason]).toEqual([true, 'the caller hung up'])
  expect(cancellation.signal).toBe(cancellation.signal)
})
