import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import type { IdSource } from '../../../shared/ids.js'
import { agoMsOf, type Happening } from '../../../shared/world/replay.js'
import type { WorldIdentity } from '../../../shared/world/world.js'
import type { Relay } from '../domain/relay.js'

const KEY_BYTES = 32

/** What stands before the seed of an Ed25519 key in PKCS #8 (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The registration of a handle that a world has, signed as its owner would. */
export function registering(
  { handle, signKey, bio, ago }: WorldIdentity,
  where: string,
  ids: IdSource,
  now: number,
  relay: () => Relay,
): Happening {
  const seed = signKey === undefined ? ids.bytes(KEY_BYTES) : Buffer.from(signKey, 'base64url')
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  const signPub = Buffer.from(x, 'base64url').toString('base64')
  const boxPub = ids.bytes(KEY_BYTES).toString('base64')
  const agoMs = agoMsOf(ago)
  const happen = async () => {
    const ts = now - agoMs
    const text = Buffer.from(`register ${handle} ${ts} ${boxPub} ${signPub}`)
    const sig = sign(null, text, key).toString('base64')
    await relay().identities.register({ handle, boxPub, signPub, ts, sig, bio })
  }
  return { agoMs, where, happen }
}
