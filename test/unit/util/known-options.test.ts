import { expect, it } from 'vitest'
import {
  createGateway,
  createInstanode,
  createSafebot,
  createUnderstudy,
} from '../../../servers/understudy/index.js'

// A caller in JavaScript has no compiler that knows the names.
const misspelled: object = { seeed: 1 }

it.each([
  ['createUnderstudy', () => createUnderstudy(misspelled)],
  ['createInstanode', () => createInstanode(misspelled)],
  ['createSafebot', () => createSafebot(misspelled)],
])('%s refuses an option that it does not have, with the closest name', async (call, start) => {
  await expect(start()).rejects.toMatchObject({
    code: 'unknown_option',
    message: `${call} has no option "seeed": did you mean "seed"?`,
  })
})

it('createGateway refuses an option that it does not have, with the closest name', async () => {
  const options = { upstream: 'http://127.0.0.1:1', polcy: 'policy.json' }
  await expect(createGateway(options)).rejects.toMatchObject({
    code: 'unknown_option',
    message: 'createGateway has no option "polcy": did you mean "policy"?',
  })
})

it('an option of a gateway in front of a server is refused as well', async () => {
  const front = { policy: { policy: 'x' }, hande: 'drop' }
  const options: object = { gateways: { safebot: front } }
  await expect(createUnderstudy(options)).rejects.toMatchObject({
    message: 'createGateway has no option "hande": did you mean "handle"?',
  })
})

it('an option that resembles none gets the known names', async () => {
  const unlike: object = { colour: 'red' }
  await expect(createSafebot(unlike)).rejects.toThrow(
    /^createSafebot has no option "colour": there are host, allowedHosts, /,
  )
})
