import type { HttpCall } from '../../../shared/http/http-call.js'
import { type Identity, looseHandle } from '../domain/identity.js'
import { badHandle, noSuchHandle, unsigned } from '../domain/refusals.js'
import type { Signature } from '../domain/signatures.js'
import { addressOf, type RestKit } from './context.js'

/** As the service reads it: this spelling, one space. */
const SCHEME = 'SafeBot '

/**
 * The identity that a call claims to be and has signed for; its body is not covered.
 *
 * @throws ServiceRefusal in this order: 400 for no handle, 404 for an unknown one, 429, 401 for any fault of the signature
 */
export async function requireSigned(
  { relay }: RestKit,
  call: HttpCall,
  claimedHandle: unknown,
): Promise<Identity> {
  const handle = looseHandle(claimedHandle)
  if (handle === undefined) throw badHandle()
  const identity = await relay.identities.find(handle)
  if (identity === undefined) throw noSuchHandle(handle)
  relay.rates.spend(addressOf(call), `auth:${handle}`, 5)
  const signature = readAuthorization(call.headers.authorization)
  const target = call.request.url ?? ''
  if (
    signature !== undefined &&
    (await relay.signatures.coversRequest(identity, signature, call.method, target))
  ) {
    return identity
  }
  throw unsigned()
}

/** `SafeBot ts=…,n=…,sig=…`, its parts in any order. */
export function readAuthorization(header: string | undefined): Signature | undefined {
  if (!header?.startsWith(SCHEME)) return undefined
  const parts = new Map<string, string>()
  for (const part of header.slice(SCHEME.length).split(',')) {
    const equals = part.indexOf('=')
    if (equals > 0) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim())
  }
  const [ts, nonce, sig] = [parts.get('ts'), parts.get('n'), parts.get('sig')]
  return ts && nonce && sig ? { ts, nonce, sig } : undefined
}
