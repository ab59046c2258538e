import { Refusal } from '../../../shared/errors.js'

/** A refusal by the service, as an HTTP status and body. The error text of a tool call quotes both. */
export class ServiceRefusal extends Refusal {
  override readonly name = 'ServiceRefusal'

  /**
   * @param status HTTP status
   * @param body body of the HTTP answer. Only a refused ack has `cursor`.
   * @param hint advice or a reason that is added to the error text of a tool call. HTTP answers leave it out.
   * @param retryAfterSeconds value of the header `Retry-After`. If undefined, the answer has no such header.
   */
  constructor(
    readonly status: number,
    readonly body: { error: string; cursor?: number },
    hint: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(body.error.replaceAll(' ', '_'), body.error, hint)
  }
}

export function badRoomId(id: string): ServiceRefusal {
  return new ServiceRefusal(
    400,
    { error: 'bad roomId' },
    `use 4 to 64 characters of A-Z a-z 0-9 _ - instead of ${JSON.stringify(id)}`,
  )
}

export function badMessage(why: string): ServiceRefusal {
  return new ServiceRefusal(400, { error: 'bad message' }, why)
}

export function staleClaim(cursor: number): ServiceRefusal {
  const hint =
    'the lease has expired, or a newer claim has replaced it: ' +
    'claim again, and acknowledge with the new claim_id and seq'
  return new ServiceRefusal(409, { error: 'stale or unknown claim', cursor }, hint)
}

export function badSenderSignature(why: string): ServiceRefusal {
  return new ServiceRefusal(401, { error: 'bad sender_sig' }, why)
}

export function lockNeedsSenderSignature(): ServiceRefusal {
  return new ServiceRefusal(
    400,
    { error: 'signed_only requires sender_sig' },
    'a message with signed_only must itself be signed: add sender_sig, or leave out signed_only',
  )
}

export function signatureRequired(): ServiceRefusal {
  return new ServiceRefusal(
    403,
    { error: 'signed_only: this room requires sender_sig from a registered @handle' },
    'sign the message with the key of a registered handle',
  )
}

export function badHandle(): ServiceRefusal {
  return new ServiceRefusal(400, { error: 'bad handle' }, 'use 1 to 32 characters of a-z 0-9 _ -')
}

/**
 * The refusal of a request without a signature or with a bad one. Like the real service, it has the same
 * message for all causes.
 */
export function badRequestSignature(): ServiceRefusal {
  return new ServiceRefusal(
    401,
    { error: 'bad or missing signature' },
    'send the header "Authorization: SafeBot ts=…,n=<nonce>,sig=…". ' +
      'The value of sig is the signature of the text "<METHOD> <path and query> <ts> <nonce>"',
  )
}

export function noSuchHandle(handle: string): ServiceRefusal {
  return new ServiceRefusal(404, { error: 'no such handle' }, `register "${handle}" first`)
}

export function roomCapReached(cap: number): ServiceRefusal {
  return new ServiceRefusal(
    503,
    { error: 'room cap reached' },
    `all ${cap} rooms are in use: idle rooms are evicted after 30 to 45 s, try again then`,
    5,
  )
}

export function bufferFull(bytes: number): ServiceRefusal {
  return new ServiceRefusal(
    503,
    { error: 'global room buffer full, try again later' },
    `all ${bytes} bytes are in use: idle rooms are evicted after 30 to 45 s, try again then`,
    5,
  )
}

export function tooManyWaiters(where: 'for this room' | 'from this IP'): ServiceRefusal {
  return new ServiceRefusal(
    429,
    { error: `too many concurrent waiters ${where}` },
    'try again when some of the waiting requests have ended',
    5,
  )
}

/** The refusal that ends the waiting requests when the server stops. */
export function shuttingDown(): Refusal {
  return new Refusal(
    'shutting_down',
    'the server is shutting down',
    'this call has claimed nothing: call again when the server is running',
  )
}
