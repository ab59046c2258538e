import { Refusal } from '../../../shared/errors.js'

/** A refusal by the service: the status and body of its HTTP API. Its tools quote them. */
export class ServiceRefusal extends Refusal {
  override readonly name = 'ServiceRefusal'

  /**
   * @param status HTTP
   * @param body as the HTTP API sends it
   * @param hint the remedy in the tool's text
   * @param retryAfterSeconds seconds before a retry
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
    `${JSON.stringify(id)} is not 4 to 64 of A-Z a-z 0-9 _ -`,
  )
}

export function badMessage(why: string): ServiceRefusal {
  return new ServiceRefusal(400, { error: 'bad message' }, why)
}

export function staleClaim(cursor: number): ServiceRefusal {
  const hint =
    'the lease ran out, or another claim took its place: claim again and acknowledge what that returns'
  return new ServiceRefusal(409, { error: 'stale or unknown claim', cursor }, hint)
}

export function signatureRefused(why: string): ServiceRefusal {
  return new ServiceRefusal(401, { error: 'bad sender_sig' }, why)
}

export function signatureMissing(): ServiceRefusal {
  return new ServiceRefusal(
    400,
    { error: 'signed_only requires sender_sig' },
    'only a signed message can lock a room to signed messages',
  )
}

export function signedOnly(): ServiceRefusal {
  return new ServiceRefusal(
    403,
    { error: 'signed_only: this room requires sender_sig from a registered @handle' },
    'sign the message with the key of a registered handle',
  )
}

export function badHandle(): ServiceRefusal {
  return new ServiceRefusal(400, { error: 'bad handle' }, '1 to 32 of a-z 0-9 _ -')
}

/** The service has one message for all causes. */
export function unsigned(): ServiceRefusal {
  return new ServiceRefusal(
    401,
    { error: 'bad or missing signature' },
    'send Authorization: SafeBot ts=…,n=…,sig=… over "<METHOD> <path and query> <ts> <nonce>"',
  )
}

export function noSuchHandle(handle: string): ServiceRefusal {
  return new ServiceRefusal(404, { error: 'no such handle' }, `register "${handle}" first`)
}

export function roomCapReached(cap: number): ServiceRefusal {
  return new ServiceRefusal(
    503,
    { error: 'room cap reached' },
    `there are ${cap} rooms; idle ones go after 30 to 45 s`,
    5,
  )
}

export function bufferFull(bytes: number): ServiceRefusal {
  return new ServiceRefusal(
    503,
    { error: 'global room buffer full, try again later' },
    `the rooms hold their ${bytes} bytes; idle ones go after 30 to 45 s`,
    5,
  )
}

export function tooManyWaiters(where: 'for this room' | 'from this IP'): ServiceRefusal {
  return new ServiceRefusal(
    429,
    { error: `too many concurrent waiters ${where}` },
    'let some of the parked calls end first',
    5,
  )
}

/** The answer to waiting requests when the server stops. */
export function shuttingDown(): Refusal {
  return new Refusal(
    'shutting_down',
    'the server is shutting down',
    'nothing was claimed; call again once it is back',
  )
}
