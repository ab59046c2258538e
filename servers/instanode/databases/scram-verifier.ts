import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

/** PostgreSQL's default (`scram_iterations`). */
const ITERATIONS = 4096

/** What a server keeps of a password (RFC 5802): enough to check it, not enough to log in with. Base64 each. */
export interface Verifier {
  salt: string
  iterations: number
  storedKey: string
  serverKey: string
}

/**
 * @param password printable ASCII, for which SASLprep changes nothing
 * @param salt 16 random bytes
 */
export async function makeVerifier(password: string, salt: Buffer): Promise<Verifier> {
  const salted = await promisify(pbkdf2)(password, salt, ITERATIONS, 32, 'sha256')
  const clientKey = hmac(salted, 'Client Key')
  return {
    salt: salt.toString('base64'),
    iterations: ITERATIONS,
    storedKey: createHash('sha256').update(clientKey).digest('base64'),
    serverKey: hmac(salted, 'Server Key').toString('base64'),
  }
}

/**
 * Checks a client's proof.
 *
 * @returns the server's own signature, or undefined if the password is wrong
 */
export function verify(verifier: Verifier, exchange: string, proof: Buffer): Buffer | undefined {
  const storedKey = Buffer.from(verifier.storedKey, 'base64')
  const signature = hmac(storedKey, exchange)
  if (proof.length !== signature.length) return undefined
  const clientKey = Buffer.from(proof.map((byte, at) => byte ^ signature.readUInt8(at)))
  if (!timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey)) return undefined
  return hmac(Buffer.from(verifier.serverKey, 'base64'), exchange)
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
